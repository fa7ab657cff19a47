"""The named input volumes of one run: read, checked, and brought onto one grid."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatch
from pathlib import Path

import SimpleITK as sitk

from LightSegLib.bundles import InputChannel
from LightSegLib.errors import ChannelError, GeometryError
from LightSegLib.geometry import overlap_fraction, resample_onto, same_grid
from LightSegLib.pipeline.modality import match_modality
from LightSegLib.volumes import check_volume, read_volume

__all__ = ["Channels", "VolumeSource", "align_channels", "likely_channel", "match_channels", "read_channels"]

VolumeSource = sitk.Image | str | Path
"""A 3D image in memory, or the file or DICOM folder to read it from."""

MIN_OVERLAP = 0.5
"""A further channel must cover this share of the first channel's box; below it, it is likely another patient."""


@dataclass(frozen=True)
class Channels:
    """The input volumes of one run by channel name, in the bundle's order.

    `names` says what each is called in messages and provenance (its file, if it has one). `main` is the first of them,
    whose grid all share after `align_channels`. `missing` are the optional channels that were not given. `notes` tells
    what was done to them.
    """

    images: dict[str, sitk.Image]
    names: dict[str, str]
    main: str
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def match_channels(inputs: Sequence[InputChannel], given: Sequence[str]) -> dict[str, str]:
    """Map each given channel name to the bundle's spelling of it, without regard to case, in the bundle's order.

    The first of them is the main channel. Raises ChannelError when a name is unknown or given twice, when a required
    channel is missing, or when none is given.
    """
    known = {channel.name.casefold(): channel.name for channel in inputs}
    spelled: dict[str, str] = {}
    for name in given:
        channel = known.get(name.casefold())
        if channel is None:
            raise ChannelError(f"Unknown input '{name}': this model takes {_describe(inputs)}.")
        if channel in spelled:
            raise ChannelError(f"Input {channel} is given twice: give each input once.")
        spelled[channel] = name
    missing = [channel.name for channel in inputs if channel.required and channel.name not in spelled]
    if missing:
        what = f"Input {missing[0]} is" if len(missing) == 1 else f"Inputs {', '.join(missing)} are"
        raise ChannelError(f"{what} missing: this model takes {_describe(inputs)}.")
    if not spelled:
        raise ChannelError(f"No input is given: this model takes {_describe(inputs)}; give at least one.")
    return {spelled[channel.name]: channel.name for channel in inputs if channel.name in spelled}


def read_channels(inputs: Sequence[InputChannel], sources: Mapping[str, VolumeSource]) -> Channels:
    """Read and check the volumes of a run; each stays on its own grid and in its own pixel type.

    Raises ChannelError for missing, unknown or repeated inputs and those of another modality, InputError or
    GeometryError for unusable ones.
    """
    images: dict[str, sitk.Image] = {}
    names: dict[str, str] = {}
    for given, channel in match_channels(inputs, list(sources)).items():
        source = sources[given]
        if isinstance(source, sitk.Image):
            names[channel] = f"input {channel}"
            check_volume(source, name=names[channel])
            images[channel] = source
        else:
            names[channel] = str(source)
            _refuse_same_file(channel, names)
            images[channel] = read_volume(source)
    notes: list[str] = []
    for one in inputs:
        if one.name in images:
            images[one.name], note = match_modality(images[one.name], one, name=names[one.name])
            notes += [note] if note else []
    missing = tuple(channel.name for channel in inputs if channel.name not in images)
    if missing:
        what = f"{missing[0]} was" if len(missing) == 1 else f"{', '.join(missing)} were"
        notes.append(f"{what} not given: the model has learned to do without, but may be less accurate.")
    return Channels(images=images, names=names, main=next(iter(images)), missing=missing, notes=tuple(notes))


def align_channels(channels: Channels) -> Channels:
    """Resample (linearly) every channel that is on another grid onto the main channel's grid.

    Raises GeometryError when a channel covers less than half of the main channel's box.
    """
    main = channels.images[channels.main]
    aligned = dict(channels.images)
    notes = list(channels.notes)
    for channel, image in channels.images.items():
        if channel == channels.main or same_grid(image, main):
            continue
        overlap = overlap_fraction(image, main)
        if overlap < MIN_OVERLAP:
            raise GeometryError(
                f"{channel} ({channels.names[channel]}) covers only {overlap:.0%} of {channels.main} "
                f"({channels.names[channels.main]}): give images of the same patient, registered to each other."
            )
        aligned[channel] = resample_onto(image, main)
        notes.append(f"{channel} was resampled onto the grid of {channels.main}.")
    return replace(channels, images=aligned, notes=tuple(notes))


def likely_channel(inputs: Sequence[InputChannel], name: str) -> str | None:
    """Return the channel that the name of a file or node suggests, None if it fits no channel's patterns.

    The most specific pattern wins, which is the one with the most characters besides wildcards: "Case 7 t1ce" fits
    "*t1*" and "*t1ce*", and is T1ce. Of equals, one that fits from the beginning of a word wins: "patient1 t2" is T2,
    though "*t1*" fits too. Upper and lower case are the same.
    """
    fitting = [
        (
            len(re.sub(r"\[.*?\]", "x", pattern).replace("*", "").replace("?", "")),
            _begins_word(name, pattern),
            channel.name,
        )
        for channel in inputs
        for pattern in channel.patterns
        if fnmatch(name.casefold(), pattern.casefold())
    ]
    return max(fitting, key=lambda found: found[:2])[2] if fitting else None


def _begins_word(name: str, pattern: str) -> bool:
    words = (match.start() for match in re.finditer(r"[^\W_]+", name))
    return any(fnmatch(name[start:].casefold(), pattern.casefold().lstrip("*")) for start in words)


def _describe(inputs: Sequence[InputChannel]) -> str:
    return ", ".join(f"{channel.name} ({'required' if channel.required else 'optional'})" for channel in inputs)


def _refuse_same_file(channel: str, names: Mapping[str, str]) -> None:
    for other, name in names.items():
        if other != channel and Path(name).resolve() == Path(names[channel]).resolve():
            raise ChannelError(f"{other} and {channel} are the same file {name}: leave {channel} out or give another.")
