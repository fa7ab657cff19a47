"""The named input volumes of one run: read, checked, and brought onto one grid."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.bundles import InputChannel
from LightSegLib.errors import ChannelError, GeometryError
from LightSegLib.geometry import overlap_fraction, resample_onto, same_grid
from LightSegLib.volumes import check_volume, read_volume

__all__ = ["Channels", "VolumeSource", "align_channels", "match_channels", "read_channels"]

VolumeSource = sitk.Image | str | Path
"""A 3D image in memory, or the file or DICOM folder to read it from."""

MIN_OVERLAP = 0.5
"""An optional channel must cover this share of the first channel's box; below it, it is likely another patient."""
CT_VALUE = -200
"""Hounsfield units of air and lung lie below; MR intensities are zero or more, or centered on zero by normalization."""
CT_FRACTION = 0.05
"""A head CT is at least this much air."""


@dataclass(frozen=True)
class Channels:
    """The input volumes of one run by channel name, in the bundle's order.

    `names` says what each is called in messages and provenance (its file, if it has one). `main` is the first
    required channel, whose grid all share after `align_channels`. `notes` tells what was done to them.
    """

    images: dict[str, sitk.Image]
    names: dict[str, str]
    main: str
    notes: tuple[str, ...] = ()


def match_channels(inputs: Sequence[InputChannel], given: Sequence[str]) -> dict[str, str]:
    """Map each given channel name to the bundle's spelling of it, without regard to case, in the bundle's order.

    Raises ChannelError when a name is unknown or given twice, or when a required channel is missing.
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
    for wanted in inputs:
        if wanted.required and wanted.name not in spelled:
            raise ChannelError(f"Input {wanted.name} is missing: this model takes {_describe(inputs)}.")
    return {spelled[channel.name]: channel.name for channel in inputs if channel.name in spelled}


def read_channels(inputs: Sequence[InputChannel], sources: Mapping[str, VolumeSource]) -> Channels:
    """Read and check the volumes of a run; each stays on its own grid and in its own pixel type.

    Raises ChannelError for missing, unknown, repeated or CT-like inputs, InputError or GeometryError for unusable ones.
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
    by_name = {channel.name: channel for channel in inputs}
    for channel, image in images.items():
        if by_name[channel].modality == "MR":
            _refuse_ct(image, channel=channel, name=names[channel])
    main = next(channel.name for channel in inputs if channel.required)
    return Channels(images=images, names=names, main=main)


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
    return Channels(images=aligned, names=channels.names, main=channels.main, notes=tuple(notes))


def _describe(inputs: Sequence[InputChannel]) -> str:
    return ", ".join(f"{channel.name} ({'required' if channel.required else 'optional'})" for channel in inputs)


def _refuse_same_file(channel: str, names: Mapping[str, str]) -> None:
    for other, name in names.items():
        if other != channel and Path(name).resolve() == Path(names[channel]).resolve():
            raise ChannelError(f"{other} and {channel} are the same file {name}: leave {channel} out or give another.")


def _refuse_ct(image: sitk.Image, *, channel: str, name: str) -> None:
    array = sitk.GetArrayViewFromImage(image)
    if np.count_nonzero(array < CT_VALUE) > CT_FRACTION * array.size:
        raise ChannelError(
            f"{name} looks like a CT (many values below {CT_VALUE}); give the MR image that belongs to {channel}."
        )
