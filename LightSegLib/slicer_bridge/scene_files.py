"""The temporary files through which nodes reach the worker; in what it says, nodes are named in their place."""

import shutil
import tempfile
from collections.abc import Mapping
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
        self._nodes = {**volumes, **({} if reference is None else {REFERENCE: reference})}

    @property
    def names(self) -> dict[str, str]:
        """The names of the nodes by channel, and of the reference."""
        return {key: node.GetName() for key, node in self._nodes.items()}

    @property
    def main(self) -> WorldVolume:
        """The volume that the segmentation covers; after `write_volumes`."""
        return next(iter(self.worlds.values()))

    def write_volumes(self) -> dict[str, str]:
        """Write the volumes in world space and return their files by channel; OutputError if that fails."""
        self.worlds = {channel: world_volume(node) for channel, node in self._volumes.items()}
        return {channel: self.write(world.image, channel) for channel, world in self.worlds.items()}

    def write(self, image: sitk.Image, name: str) -> str:
        """Write an image and return its file; OutputError if that fails."""
        path = self._file_of(name)
        try:
            sitk.WriteImage(image, str(path), useCompression=False)
        except RuntimeError as error:
            raise OutputError(f"The temporary folder {self.folder} cannot be written to: free space on it") from error
        return str(path)

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

    def _file_of(self, name: str) -> Path:
        return self.folder / f"input-{name}.nrrd"
