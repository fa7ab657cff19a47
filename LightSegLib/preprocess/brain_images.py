"""What all preparations of a brain share: its box, and images that are normalized inside its mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import ChannelError, InputError
from LightSegLib.preprocess.grid import restore, sample
from LightSegLib.preprocess.normalization import NORMALIZATIONS

__all__ = [
    "BACKGROUND",
    "CLOSEST_SLICES_MM",
    "HIGHEST",
    "LOWEST",
    "MARGIN_VOXELS",
    "bounding_box",
    "normalized_in_brain",
    "restore_in_brain",
    "stack_channels",
]

# Normalized intensities are clipped to this range. Fluid is darker than -4 on every FLAIR seen, and a lesion of
# +10 is no less a lesion at +8. Outside the brain everything has the lowest value.
LOWEST, HIGHEST = -5.0, 8.0
BACKGROUND = LOWEST
# Slices closer than this are sampled every millimeter: they would cost time and add nothing.
CLOSEST_SLICES_MM = 0.8
# The network sees that the brain ends, also where the mask fills its box.
MARGIN_VOXELS = 2


def normalized_in_brain(
    images: Mapping[str, sitk.Image],
    brain: sitk.Image,
    grid: sitk.Image,
    *,
    normalization: Mapping[str, str],
    highest: float = HIGHEST,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Sample images and brain mask on `grid`: normalized volumes by channel, float32, and the mask, (z, y, x).

    `normalization` says for each channel how (`normalization.NORMALIZATIONS`); a channel without an image is left out.
    Values are clipped to LOWEST..`highest`. Errors: InputError if the mask is empty, ChannelError if a channel has no
    contrast inside the brain.
    """
    mask = sample(brain, grid) > 0.5
    if not mask.any():
        raise InputError("the brain mask is empty, so there is nothing to segment: check the input image")
    volumes = {}
    for name, kind in normalization.items():
        if name in images:
            values = sample(images[name], grid)
            try:
                center, scale = NORMALIZATIONS[kind](values[mask])
            except InputError as error:
                raise ChannelError(f"{name}: {error}") from error
            volumes[name] = np.where(mask, ((values - center) / scale).clip(LOWEST, highest), BACKGROUND)
    return volumes, mask


def stack_channels(volumes: Mapping[str, np.ndarray], channels: Sequence[str], shape: tuple[int, ...]) -> np.ndarray:
    """Stack volumes of `shape`, (z, y, x), in the order of `channels`: float32 (c, z, y, x).

    A channel without a volume is zero everywhere, which no present image is.
    """
    stacked = np.zeros((len(channels), *shape), np.float32)
    for index, name in enumerate(channels):
        if name in volumes:
            stacked[index] = volumes[name]
    return stacked


def restore_in_brain(values: np.ndarray, grid: sitk.Image, brain: sitk.Image) -> sitk.Image:
    """Bring values (z, y, x) on `grid` back to the grid of the mask `brain`: float32, linear, zero outside of it."""
    return sitk.Mask(restore(values, grid, brain), brain)


def bounding_box(mask: sitk.Image) -> Sequence[tuple[int, int]]:
    """Return the first and last index of a mask along x, y and z. InputError if it is empty."""
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(sitk.Cast(mask > 0, sitk.sitkUInt8))
    if not statistics.HasLabel(1):
        raise InputError("the brain mask is empty, so there is nothing to segment: check the input image")
    x, y, z, width, height, depth = statistics.GetBoundingBox(1)
    return [(x, x + width - 1), (y, y + height - 1), (z, z + depth - 1)]
