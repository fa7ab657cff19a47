"""Model bundles on disk: listing, loading and verifying them."""

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LightSegLib.bundle_metadata import (
    FORMAT_VERSION,
    InputChannel,
    read_divisors,
    read_hashes,
    read_inputs,
    read_reference_values,
    read_regions,
    read_segments,
    read_shown_input,
    require,
)
from LightSegLib.errors import BundleError
from LightSegLib.resources import models_root
from LightSegLib.segments import Region, Segment

__all__ = ["METADATA_FILE", "Bundle", "InputChannel", "bundle_names", "file_hash", "list_bundles", "load_bundle"]

METADATA_FILE = "metadata.json"


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """A model bundle whose files were found complete and unaltered.

    `metadata` is the whole of metadata.json, the settings are its `lightseg` section. `hashes` maps every other file
    of the bundle to its sha256. `regions` are unions of segments that are measured beside them; the label values of a
    reference are those of the segments, or one of `reference_values` if there are any; pictures show `shown_input`
    where it is given. The sizes of the network's input along its spatial axes are multiples of `divisors`.
    """

    folder: Path
    name: str
    version: str
    description: str
    metadata: Mapping[str, Any]
    network_name: str
    network_arguments: Mapping[str, Any]
    inputs: tuple[InputChannel, ...]
    preprocessing: Mapping[str, Any]
    tiling: Mapping[str, Any]
    postprocessing: Mapping[str, Any]
    segments: tuple[Segment, ...]
    regions: tuple[Region, ...]
    reference_values: tuple[tuple[int, ...], ...]
    shown_input: str
    divisors: tuple[int, ...]
    hashes: Mapping[str, str]

    @property
    def locator(self) -> str:
        """What `load_bundle` finds the bundle by: its name, which holds on any computer, or else its folder."""
        return self.name if self.folder == models_root() / self.name else str(self.folder)

    @property
    def openvino_file(self) -> Path:
        """The OpenVINO model's `model.xml`, with `model.bin` beside it."""
        return self.folder / "model.xml"

    @property
    def weights_file(self) -> Path:
        """The PyTorch weights, `model.safetensors`."""
        return self.folder / "model.safetensors"

    @property
    def size_bytes(self) -> int:
        """The size of all files of the bundle, in bytes."""
        return sum((self.folder / name).stat().st_size for name in [METADATA_FILE, *self.hashes])


def bundle_names(root: Path | None = None) -> list[str]:
    """Return the names of the bundles in `root` (default: the installed ones), sorted, without opening them."""
    folder = models_root() if root is None else Path(root)
    if not folder.is_dir():
        raise BundleError(f"The model folder {folder} does not exist: reinstall LightSeg or give the right folder")
    return sorted(entry.name for entry in folder.iterdir() if (entry / METADATA_FILE).is_file())


def list_bundles(root: Path | None = None) -> list[Bundle]:
    """Return every bundle in `root` (default: the installed ones), sorted by name, each verified.

    Errors: BundleError about the first bundle that is incomplete or altered.
    """
    folder = models_root() if root is None else Path(root)
    return [load_bundle(folder / name) for name in bundle_names(folder)]


def load_bundle(name_or_path: str | Path, *, root: Path | None = None) -> Bundle:
    """Load a bundle by its name in `root` (default: the installed ones) or by its folder, and verify its files.

    A Path, or a text with a folder separator, is a folder; any other text is a name.
    Errors: BundleError if the name is unknown (lists the known ones), metadata.json is missing or malformed, the
    format is newer than this LightSeg, or a file is missing or altered (names the file).
    """
    folder = _find(name_or_path, root=root)
    metadata = _read_metadata(folder / METADATA_FILE)
    where = f"{folder / METADATA_FILE}"
    section = require(metadata, "lightseg", dict, where=where)
    inner = f"{where}, section lightseg"
    written_for = require(section, "format", int, where=inner)
    if written_for != FORMAT_VERSION:
        remedy = "update LightSeg" if written_for > FORMAT_VERSION else "export the bundle again"
        raise BundleError(f"{where} has format {written_for}, this LightSeg reads format {FORMAT_VERSION}: {remedy}")
    network = require(section, "network", dict, where=inner)
    inputs, segments = read_inputs(section, where=inner), read_segments(section, where=inner)
    bundle = Bundle(
        folder=folder,
        name=require(metadata, "name", str, where=where),
        version=require(metadata, "version", str, where=where),
        description=require(metadata, "description", str, where=where),
        metadata=metadata,
        network_name=require(network, "name", str, where=f"{inner}, network"),
        network_arguments=require(network, "arguments", dict, where=f"{inner}, network"),
        inputs=inputs,
        preprocessing=require(section, "preprocessing", dict, where=inner),
        tiling=require(section, "tiling", dict, where=inner),
        postprocessing=require(section, "postprocessing", dict, where=inner),
        segments=segments,
        regions=read_regions(section, segments, where=inner),
        reference_values=read_reference_values(section, segments, where=inner),
        shown_input=read_shown_input(section, inputs, where=inner),
        divisors=read_divisors(metadata, where=where),
        hashes=read_hashes(section, where=inner),
    )
    _verify(bundle)
    return bundle


def file_hash(path: Path) -> str:
    """Return the sha256 of a file, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def _find(name_or_path: str | Path, *, root: Path | None) -> Path:
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, Path) or "/" in text or os.sep in text:
        folder = Path(text).expanduser()
        if not (folder / METADATA_FILE).is_file():
            raise BundleError(f"{folder} is not a model bundle, it has no {METADATA_FILE}: give a bundle's folder")
        return folder
    models = models_root() if root is None else Path(root)
    known = bundle_names(models)
    if text not in known:
        choices = ", ".join(known) if known else "none is installed, reinstall LightSeg"
        raise BundleError(f"Unknown model '{text}'; known models: {choices}")
    return models / text


def _read_metadata(path: Path) -> dict[str, Any]:
    try:
        metadata = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise BundleError(f"{path} is not valid JSON ({error}): reinstall LightSeg") from error
    except OSError as error:
        raise BundleError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
    if not isinstance(metadata, dict):
        raise BundleError(f"{path} must hold one JSON object, got {type(metadata).__name__}: reinstall LightSeg")
    return metadata


def _verify(bundle: Bundle) -> None:
    for name, expected in bundle.hashes.items():
        path = bundle.folder / name
        try:
            found = file_hash(path)
        except FileNotFoundError as error:
            raise BundleError(f"{path} of model {bundle.name} is missing: reinstall LightSeg") from error
        except OSError as error:
            raise BundleError(f"{path} cannot be read ({error.strerror}): check its permissions") from error
        if found != expected:
            raise BundleError(f"{path} of model {bundle.name} was altered (its sha256 differs): reinstall LightSeg")
