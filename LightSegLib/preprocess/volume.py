"""The brain's box as one volume with the slices of the scan, for 3D networks that know about thick slices."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.preprocess.brain_images import (
    CLOSEST_SLICES_MM,
    MARGIN_VOXELS,
    bounding_box,
    normalized_in_brain,
    restore_in_brain,
    stack_channels,
)
from LightSegLib.preprocess.grid import grid_about

__all__ = ["BrainVolume", "PreparedVolume"]


@dataclass(frozen=True)
class PreparedVolume:
    """A volume ready for the network, and the way back."""

    array: np.ndarray  # float32 (1, c, z, y, x)
    grid: sitk.Image
    brain: sitk.Image  # uint8 mask on the grid of the input

    def restore(self, probabilities: np.ndarray) -> list[sitk.Image]:
        """Bring (1, k, z, y, x) back: k float32 images on the grid of the input, zero outside the brain."""
        volumes = np.asarray(probabilities, np.float32)[0]
        return [restore_in_brain(values, self.grid, self.brain) for values in volumes]


@dataclass(frozen=True)
class BrainVolume:
    """Prepare the brain's box: sample it finely in plane and at the scan's own slices, normalize inside the brain.

    Slices keep their distance, because averaging thin ones would lose small lesions and thick ones have nothing
    between them; slices closer than 0.8 mm are sampled every millimeter. The network has learned with all distances
    that occur. An image that is missing is zero everywhere, which no present image is.
    """

    channels: tuple[str, ...]
    normalization: tuple[str, ...]
    spacing_mm: float
    multiple: tuple[int, int, int]  # (z, y, x): the volume's size in voxels is a multiple of it
    needs_brain: bool = True

    def volume(
        self, images: Mapping[str, sitk.Image], brain: sitk.Image
    ) -> tuple[dict[str, np.ndarray], np.ndarray, sitk.Image]:
        """Return normalized volumes by channel and the brain mask, (z, y, x) in the brain's box, and the box' grid.

        `images` and `brain` (uint8) are LPS-oriented and share one grid.
        """
        grid = self._grid(brain)
        normalization = dict(zip(self.channels, self.normalization, strict=True))
        return *normalized_in_brain(images, brain, grid, normalization=normalization), grid

    def prepare(self, images: Mapping[str, sitk.Image], *, brain: sitk.Image | None = None) -> PreparedVolume:
        """Prepare LPS-oriented images on one grid, and their brain mask, for the network."""
        if brain is None:
            raise InputError("a volume of the brain needs a brain mask: pass brain=, a mask on the image's grid")
        volumes, mask, grid = self.volume(images, brain)
        array = stack_channels(volumes, self.channels, mask.shape)[None]
        return PreparedVolume(array=array, grid=grid, brain=brain)

    def _grid(self, brain: sitk.Image) -> sitk.Image:
        box = bounding_box(brain)
        center = [(low + high) / 2 for low, high in box]
        extent = [(high - low + 1) * spacing for (low, high), spacing in zip(box, brain.GetSpacing(), strict=True)]
        slice_mm = brain.GetSpacing()[2]
        if slice_mm < CLOSEST_SLICES_MM:
            slice_mm = 1.0
        spacing = (self.spacing_mm, self.spacing_mm, slice_mm)
        margins = (2 * MARGIN_VOXELS, 2 * MARGIN_VOXELS, 0)
        size = [
            math.ceil((length / step + margin) / multiple - 1e-6) * multiple
            for length, step, margin, multiple in zip(extent, spacing, margins, reversed(self.multiple), strict=True)
        ]
        if slice_mm == brain.GetSpacing()[2] and (size[2] - (box[2][1] - box[2][0] + 1)) % 2:
            center[2] += 0.5  # so that the volume's slices are slices of the scan
        return grid_about(brain, center, size, spacing)
