"""The temporary files through which nodes reach the worker; in what it says, nodes are named in their place."""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import slicer

from LightSegLib.errors import OutputError
from LightSegLib.slicer_bridge.volumes import WorldVolume, world_volume

__all__ = ["REFERENCE", "SceneFiles"]

REFERENCE = "reference"


class SceneFiles:
    """A folder with one file for each volume, by channel, and for the reference; `worlds`: the volumes as written."""

    def __init__(
        self, volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode]", reference: "slicer.vtkMRMLNode | None" = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="lightseg-"))
        self.worlds: dict[str, WorldVolume] = {}
        self._volumes = volumes
        self._added: dict[Path, Callable[[], sitk.Image]] = {}
        self._nodes = {**volumes, **({} if reference is None else {REFERENCE: reference})}

    @property
    def names(self) -> dict[str, str]:
        """The names of the nodes by channel, and of the reference."""
        return {key: node.GetName() for key, node in self._nodes.items()}

    @property
    def main(self) -> WorldVolume:
        """The volume that the segmentation covers; after `add_volumes`."""
        return next(iter(self.worlds.values()))

    def add_volumes(self) -> dict[str, str]:
        """Take the volumes in world space and return the files that `write` makes of them, by channel."""
        self.worlds = {channel: world_volume(node) for channel, node in self._volumes.items()}
        return {channel: self._add(channel, partial(getattr, world, "image")) for channel, world in self.worlds.items()}

    def add(self, image: sitk.Image, name: str) -> str:
        """Take an image and return the file that `write` makes of it."""
        return self._add(name, lambda: image)

    def write(self) -> None:
        """Write what was added; it may take a while, and needs no scene, so that a thread of its own can do it.

        Errors: OutputError.
        """
        for path, image_of in self._added.items():
            try:
                sitk.WriteImage(image_of(), str(path), useCompression=False)
            except RuntimeError as error:
                raise OutputError(
                    f"The temporary folder {self.folder} cannot be written to: free space on it"
                ) from error

    def in_words(self, text: str) -> str:
        """Name nodes instead of temporary files in a text."""
        for key, name in self.names.items():
            what = "reference" if key == REFERENCE else "volume"
            text = text.replace(str(self._file_of(key)), f'the {what} "{name}"')
        return text

    def in_words_throughout(self, value: Any) -> Any:
        """Name nodes instead of temporary files in every text of a JSON value."""
        if isinstance(value, dict):
            return {key: self.in_words_throughout(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self.in_words_throughout(item) for item in value]
        if isinstance(value, str):
            # A text that is nothing but the file, as in the provenance, becomes the bare name.
            return {str(self._file_of(key)): name for key, name in self.names.items()}.get(value) or self.in_words(
                value
            )
        return value

    def clean(self) -> None:
        """Remove the folder; on Windows a file may be held open for a moment longer, then the system removes it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _add(self, name: str, image_of: Callable[[], sitk.Image]) -> str:
        path = self._file_of(name)
        self._added[path] = image_of
        return str(path)

    def _file_of(self, name: str) -> Path:
        return self.folder / f"input-{name}.nrrd"
