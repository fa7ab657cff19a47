"""What `metadata.json` of a bundle must say, checked in plain Python and turned into typed parts."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from LightSegLib.errors import BundleError
from LightSegLib.segments import Code, Region, Segment, Terminology

__all__ = [
    "FORMAT_VERSION",
    "MODEL_FILES",
    "InputChannel",
    "read_divisors",
    "read_hashes",
    "read_inputs",
    "read_reference_values",
    "read_regions",
    "read_segments",
    "read_shown_input",
    "require",
]

# Raised whenever an older LightSeg would misread a newer bundle.
FORMAT_VERSION = 1

# The files without which no engine can run; the model card and the like are optional.
MODEL_FILES = ("model.bin", "model.safetensors", "model.xml")

_KIND_NAMES = {dict: "an object", list: "a list", str: "a text", int: "a whole number", bool: "true or false"}


@dataclass(frozen=True, kw_only=True)
class InputChannel:
    """A named input volume of a bundle.

    `patterns` are shell-style patterns, matched without regard to case against the name of a file or node, that make
    this channel the likely one. `modality` is the DICOM modality ("MR", "CT").
    """

    name: str
    required: bool
    modality: str
    patterns: tuple[str, ...]


def require(section: Mapping[str, Any], key: str, kind: type, *, where: str) -> Any:
    """Return `section[key]` if it is a `kind`.

    `where` names the file and section in the message. Errors: BundleError naming the key, what was found and what
    belongs there.
    """
    if not isinstance(section, Mapping):
        raise BundleError(f"{where} must be an object, got {section!r}: export the bundle again")
    if key not in section:
        raise BundleError(f"{where} lacks '{key}': reinstall LightSeg or export the bundle again")
    value = section[key]
    # bool is a subclass of int, but `"value": true` is no label value.
    if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
        expected = _KIND_NAMES.get(kind, kind.__name__)
        raise BundleError(f"{where}: '{key}' must be {expected}, got {value!r}: export the bundle again")
    return value


def read_divisors(metadata: Mapping[str, Any], *, where: str) -> tuple[int, ...]:
    """Return for each spatial axis what the input's size must be a multiple of.

    MONAI's metadata write it as an expression of n for each axis: ["4 * n", "16 * n", "16 * n"] gives (4, 16, 16).
    """
    section = metadata
    for key in ("network_data_format", "inputs", "image"):
        section = require(section, key, dict, where=where)
    sizes = require(section, "spatial_shape", list, where=f"{where}, input image")
    found = [re.fullmatch(r"(\d+) \* n", size) if isinstance(size, str) else None for size in sizes]
    if not found or not all(found):
        raise BundleError(f"{where}: spatial_shape must be like ['16 * n', '16 * n'], got {sizes!r}: export it again")
    return tuple(int(match[1]) for match in found if match)


def read_inputs(section: Mapping[str, Any], *, where: str) -> tuple[InputChannel, ...]:
    """Return the named inputs in the order of the metadata, at least one; names are unique."""
    entries = require(section, "inputs", list, where=where)
    inputs = []
    for number, entry in enumerate(entries):
        place = f"{where}, input {number + 1}"
        inputs.append(
            InputChannel(
                name=require(entry, "name", str, where=place),
                required=require(entry, "required", bool, where=place),
                modality=require(entry, "modality", str, where=place),
                patterns=tuple(require(entry, "patterns", list, where=place)),
            )
        )
    names = [channel.name for channel in inputs]
    if len(set(names)) != len(names):
        raise BundleError(f"{where} names an input twice ({', '.join(names)}): export the bundle again")
    if not inputs:
        raise BundleError(f"{where} has no input: export the bundle again")
    return tuple(inputs)


def read_segments(section: Mapping[str, Any], *, where: str) -> tuple[Segment, ...]:
    """Return the segments a bundle writes; values are unique and positive, colors are red, green, blue in 0..255."""
    entries = require(section, "labels", list, where=where)
    segments = []
    for number, entry in enumerate(entries):
        place = f"{where}, label {number + 1}"
        color = require(entry, "color", list, where=place)
        if len(color) != 3 or not all(isinstance(part, int) for part in color):
            raise BundleError(f"{place}: 'color' must be three whole numbers, got {color!r}: export the bundle again")
        try:
            segments.append(
                Segment(
                    value=require(entry, "value", int, where=place),
                    name=require(entry, "name", str, where=place),
                    color=(color[0], color[1], color[2]),
                    terminology=Terminology(
                        category=_read_code(require(entry, "category", dict, where=place), where=place),
                        type=_read_code(require(entry, "type", dict, where=place), where=place),
                        modifier=_read_optional_code(entry, "modifier", where=place),
                        anatomic_region=_read_optional_code(entry, "anatomic_region", where=place),
                    ),
                )
            )
        except ValueError as error:
            raise BundleError(f"{place}: {error}; export the bundle again") from error
    values = [segment.value for segment in segments]
    if not values or len(set(values)) != len(values):
        raise BundleError(f"{where}: labels must have different values, got {values}: export the bundle again")
    return tuple(segments)


def read_regions(section: Mapping[str, Any], segments: Sequence[Segment], *, where: str) -> tuple[Region, ...]:
    """Return the unions of segments that are measured beside them, in order; none if the metadata have no regions.

    In the metadata: {name: label values}. Names differ from those of the segments, values are those of segments.
    """
    if "regions" not in section:
        return ()
    entries = require(section, "regions", dict, where=where)
    known = {segment.value for segment in segments}
    for name in entries:
        values = require(entries, name, list, where=f"{where}, regions")
        if not values or not set(values) <= known or len(set(values)) != len(values):
            raise BundleError(
                f"{where}, region '{name}' must be of labels {sorted(known)}, got {values}: export the bundle again"
            )
        if name in {segment.name for segment in segments}:
            raise BundleError(f"{where}: '{name}' is both a label and a region: export the bundle again")
    return tuple(Region(name, tuple(values)) for name, values in entries.items())


def read_reference_values(
    section: Mapping[str, Any], segments: Sequence[Segment], *, where: str
) -> tuple[tuple[int, ...], ...]:
    """Return the sets of label values that a reference may have: in each, one value for each segment, in order.

    None if the metadata do not say; the values are then those of the segments.
    """
    if "reference_values" not in section:
        return ()
    sets = require(section, "reference_values", list, where=where)
    for values in sets:
        if (
            not isinstance(values, list)
            or len(set(values)) != len(segments)
            or not all(isinstance(value, int) and 0 < value < 2**16 for value in values)
        ):
            raise BundleError(
                f"{where}: 'reference_values' must be lists of {len(segments)} different values above 0, "
                f"got {values!r}: export the bundle again"
            )
    return tuple(tuple(values) for values in sets)


def read_shown_input(section: Mapping[str, Any], inputs: Sequence[InputChannel], *, where: str) -> str:
    """Return the name of the input that pictures show where it is given: `shown_input`, else the first input."""
    if "shown_input" not in section:
        return inputs[0].name
    name = require(section, "shown_input", str, where=where)
    if name not in {channel.name for channel in inputs}:
        raise BundleError(f"{where}: 'shown_input' is '{name}', which is no input: export the bundle again")
    return str(name)


def read_hashes(section: Mapping[str, Any], *, where: str) -> dict[str, str]:
    """Return file name -> sha256 (hexadecimal); names are plain, so that no bundle reaches outside its folder."""
    hashes = require(section, "files", dict, where=where)
    for file_name in hashes:
        require(hashes, file_name, str, where=f"{where}, files")
        if "/" in file_name or "\\" in file_name or file_name in ("", ".", ".."):
            raise BundleError(f"{where} lists '{file_name}', which is not a plain file name: do not use this bundle")
    for file_name in MODEL_FILES:
        if file_name not in hashes:
            raise BundleError(f"{where} lists no hash of {file_name}: export the bundle again")
    return dict(hashes)


def _read_code(entry: Mapping[str, Any], *, where: str) -> Code:
    return Code(
        scheme=require(entry, "scheme", str, where=where),
        value=require(entry, "value", str, where=where),
        meaning=require(entry, "meaning", str, where=where),
    )


def _read_optional_code(entry: Mapping[str, Any], key: str, *, where: str) -> Code | None:
    if entry.get(key) is None:
        return None
    return _read_code(require(entry, key, dict, where=where), where=f"{where}, {key}")
