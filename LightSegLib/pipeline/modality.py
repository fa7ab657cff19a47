"""Whether an image is of the modality that its channel needs: its values tell MR from CT, and Hounsfield units."""

import numpy as np
import SimpleITK as sitk

from LightSegLib.bundles import InputChannel
from LightSegLib.errors import ChannelError

__all__ = ["match_modality"]

FAT = -100
"""Hounsfield units of fat: every CT of a body has voxels below, also one clipped to a soft-tissue window. MR
intensities are zero or more, or centered on zero by normalization."""
CT_FRACTION = 0.05
"""A head CT is at least this much air."""
AIR = -500
SOFT_TISSUE = (-200, 300)
USUAL_SOFT_TISSUE = 0.7
"""Least share of soft tissue in what is no air: measured .91 to 1 in twelve CTs of the abdomen and whole body, at most
.27 in MR images shifted by 1000 or 1024."""
LEAST_BODY = 0.02
"""Least share of an image that is no air."""
SHIFTS = (1024, 1000)
"""What is added to Hounsfield units to keep them positive, by scanners and by converters."""
STRIDE = 3  # every third voxel along each axis tells as much as all


def match_modality(image: sitk.Image, channel: InputChannel, *, name: str) -> tuple[sitk.Image, str | None]:
    """Check an image's values against its channel's modality; return it, and a note where there is something to say.

    A CT whose Hounsfield units are shifted by 1000 or 1024 is shifted back, which the note says. Raises ChannelError
    for a CT in a channel for MR, and for an MR in a channel for CT. `name` is what messages call the image.
    """
    values = sitk.GetArrayViewFromImage(image)[::STRIDE, ::STRIDE, ::STRIDE]
    if channel.modality == "CT":
        return _as_ct(image, values, channel=channel.name, name=name)
    if channel.modality == "MR" and np.count_nonzero(values < FAT) > CT_FRACTION * values.size:
        raise ChannelError(
            f"{name} looks like a CT (many values below {FAT}); give the MR image that belongs to {channel.name}."
        )
    return image, None


def _as_ct(image: sitk.Image, values: np.ndarray, *, channel: str, name: str) -> tuple[sitk.Image, str | None]:
    values = values.astype(np.float32)
    if _looks_like_ct(values):
        return image, None
    for shift in SHIFTS:
        if _looks_like_ct(values - shift):
            shifted = sitk.Cast(image, sitk.sitkFloat32) - float(shift)
            return shifted, f"{name} looks like a CT whose values are {shift} too high: they were lowered by {shift}."
    if values.min() < FAT:
        return image, (
            f"{name} does not look like Hounsfield units: only {_share_of_soft_tissue(values):.0%} of what is no air "
            f"lies in {SOFT_TISSUE[0]} to {SOFT_TISSUE[1]}. If they are shifted or scaled, the result is wrong."
        )
    raise ChannelError(
        f"{name} looks like an MR image, or like a CT that is not in Hounsfield units (no value below {FAT}); "
        f"give a CT in Hounsfield units for {channel}."
    )


def _looks_like_ct(values: np.ndarray) -> bool:
    return bool(values.min() < FAT) and _share_of_soft_tissue(values) >= USUAL_SOFT_TISSUE


def _share_of_soft_tissue(values: np.ndarray) -> float:
    body = values[values > AIR]
    if body.size < LEAST_BODY * values.size:
        return 0.0
    low, high = SOFT_TISSUE
    return np.count_nonzero((body > low) & (body < high)) / body.size
