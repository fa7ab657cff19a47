"""The brain's box on one isotropic grid, for networks that see several contrasts of a tumor."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.preprocess.brain_images import MARGIN_VOXELS, bounding_box, normalized_in_brain, stack_channels
from LightSegLib.preprocess.grid import grid_about
from LightSegLib.preprocess.volume import PreparedVolume

__all__ = ["BrainBox", "box_grid", "z_scored_in_brain"]

# A z-score above 5 is a vessel, an artifact or the brightest part of a tumor, which stays that; below -5 there is none.
HIGHEST = 5.0
# Spacings that differ by less, relatively, are the same spacing, rounded by a file format.
SAME_SPACING = 1e-3


def box_grid(
    brain: sitk.Image, size: Sequence[int], spacing_mm: float, box: Sequence[tuple[int, int]] | None = None
) -> sitk.Image:
    """Describe an isotropic grid of `size` (x, y, z) voxels about the middle of the brain.

    Along axes on which a voxel of the grid is as long as one or several of the mask, it is made of whole ones, those
    that `sample` averages, so that nothing is interpolated there. `box` is the mask's `bounding_box` if known.
    """
    box = bounding_box(brain) if box is None else box
    center = []
    for (low, high), length, spacing in zip(box, size, brain.GetSpacing(), strict=True):
        middle, ratio = (low + high) / 2, spacing_mm / spacing
        voxels = max(1, round(ratio))
        if abs(ratio / voxels - 1) < SAME_SPACING:
            to_first = (length - 1) / 2 * voxels + (voxels - 1) / 2
            middle = math.floor((middle - to_first) / voxels + 0.5) * voxels + to_first
        center.append(middle)
    return grid_about(brain, center, size, [spacing_mm] * 3)


def z_scored_in_brain(
    images: Mapping[str, sitk.Image], brain: sitk.Image, grid: sitk.Image, *, channels: Sequence[str]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Sample on `grid`: volumes of mean 0 and deviation 1 inside the brain, clipped to -5..5, and the mask, (z, y, x).

    A channel without an image is left out. Source: Ashtari et al., section 3.1.
    """
    return normalized_in_brain(images, brain, grid, normalization=dict.fromkeys(channels, "z_score"), highest=HIGHEST)


@dataclass(frozen=True)
class BrainBox:
    """Prepare the smallest box about the brain: sample it isotropically, z-score each channel inside the brain.

    Outside the brain every channel is BACKGROUND. An image that is missing is zero everywhere, which no present image
    is. Source: Ashtari et al., Low-rank convolutional networks for brain tumor segmentation, section 3.1, but for the
    size: the brain keeps its proportions instead of being squeezed into 128 x 128 x 128 voxels.
    """

    channels: tuple[str, ...]
    spacing_mm: float
    multiple: tuple[int, int, int]  # (z, y, x): the box' size in voxels is a multiple of it
    needs_brain: bool = True

    def volume(
        self, images: Mapping[str, sitk.Image], brain: sitk.Image
    ) -> tuple[dict[str, np.ndarray], np.ndarray, sitk.Image]:
        """Return normalized volumes by channel, float32, and the brain mask, (z, y, x) in the box, and the box' grid.

        `images` and `brain` (uint8) are LPS-oriented and share one grid.
        """
        box = bounding_box(brain)
        size = [
            math.ceil(((high - low + 1) * spacing / self.spacing_mm + 2 * MARGIN_VOXELS) / multiple - 1e-6) * multiple
            for (low, high), spacing, multiple in zip(box, brain.GetSpacing(), reversed(self.multiple), strict=True)
        ]
        grid = box_grid(brain, size, self.spacing_mm, box)
        return *z_scored_in_brain(images, brain, grid, channels=self.channels), grid

    def prepare(self, images: Mapping[str, sitk.Image], *, brain: sitk.Image | None = None) -> PreparedVolume:
        """Prepare LPS-oriented images on one grid, and their brain mask, for the network: (1, channels, z, y, x)."""
        if brain is None:
            raise InputError("the brain's box needs a brain mask: pass brain=, a mask on the image's grid")
        volumes, mask, grid = self.volume(images, brain)
        array = stack_channels(volumes, self.channels, mask.shape)[None]
        return PreparedVolume(array=array, grid=grid, brain=brain)
