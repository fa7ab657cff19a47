"""Axial slices of the brain's box on one fixed canvas, for the 2D siblings of the networks that see the box."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.preprocess.box import box_grid, z_scored_in_brain
from LightSegLib.preprocess.brain_images import MARGIN_VOXELS, bounding_box, restore_in_brain, stack_channels

__all__ = ["BrainBoxSlices", "PreparedBoxSlices"]


@dataclass(frozen=True)
class PreparedBoxSlices:
    """The box' slices ready for the network, and the way back."""

    array: np.ndarray  # float32 (n, c, y, x), n axial slices from below
    grid: sitk.Image
    brain: sitk.Image  # uint8 mask on the grid of the input

    def restore(self, probabilities: np.ndarray) -> list[sitk.Image]:
        """Bring (n, k, y, x) back: k float32 images on the grid of the input, zero outside the brain."""
        volumes = np.moveaxis(np.asarray(probabilities, np.float32), 1, 0)
        return [restore_in_brain(values, self.grid, self.brain) for values in volumes]


@dataclass(frozen=True)
class BrainBoxSlices:
    """Prepare the brain's axial slices as `BrainBox` prepares its box, on a canvas of fixed size.

    Channels of a slice are the images in order; an image that is missing is zero everywhere. A brain larger than the
    canvas is sampled more coarsely instead of being cut.
    """

    channels: tuple[str, ...]
    spacing_mm: float
    canvas: tuple[int, int]  # (y, x) in voxels
    needs_brain: bool = True

    def volume(
        self, images: Mapping[str, sitk.Image], brain: sitk.Image
    ) -> tuple[dict[str, np.ndarray], np.ndarray, sitk.Image]:
        """Return normalized volumes by channel, float32, and the brain mask, (z, y, x) on the canvas, and its grid.

        `images` and `brain` (uint8) are LPS-oriented and share one grid.
        """
        box = bounding_box(brain)
        width, depth, height = (
            (high - low + 1) * spacing for (low, high), spacing in zip(box, brain.GetSpacing(), strict=True)
        )
        free_y, free_x = ((length - 2 * MARGIN_VOXELS) * self.spacing_mm for length in self.canvas)
        spacing_mm = self.spacing_mm * max(1.0, width / free_x, depth / free_y)
        slices = math.ceil(height / spacing_mm - 1e-6)
        grid = box_grid(brain, (self.canvas[1], self.canvas[0], slices), spacing_mm, box)
        return *z_scored_in_brain(images, brain, grid, channels=self.channels), grid

    def prepare(self, images: Mapping[str, sitk.Image], *, brain: sitk.Image | None = None) -> PreparedBoxSlices:
        """Prepare LPS-oriented images on one grid, and their brain mask, for the network: (slices, channels, y, x)."""
        if brain is None:
            raise InputError("slices of the brain need a brain mask: pass brain=, a mask on the image's grid")
        volumes, mask, grid = self.volume(images, brain)
        array = np.moveaxis(stack_channels(volumes, self.channels, mask.shape), 0, 1)
        return PreparedBoxSlices(array=array, grid=grid, brain=brain)
