"""Axial slices of the brain on one fixed canvas, for 2D networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.preprocess.brain_images import (
    BACKGROUND,
    CLOSEST_SLICES_MM,
    MARGIN_VOXELS,
    bounding_box,
    normalized_in_brain,
    restore_in_brain,
)
from LightSegLib.preprocess.grid import grid_about

__all__ = ["BrainSlices", "PreparedSlices", "stack_neighbors"]


@dataclass(frozen=True)
class PreparedSlices:
    """Slices ready for the network, and the way back."""

    array: np.ndarray  # float32 (n, c, y, x)
    grid: sitk.Image  # the canvas stack that the slices were taken from
    first: int  # index in the stack of the first slice in `array`
    brain: sitk.Image  # uint8 mask on the grid of the input

    def restore(self, probabilities: np.ndarray) -> list[sitk.Image]:
        """Bring (n, k, y, x) back: k float32 images on the grid of the input, zero outside the brain."""
        images = []
        for values in np.moveaxis(np.asarray(probabilities, np.float32), 1, 0):
            stack = np.zeros(self.grid.GetSize()[::-1], np.float32)
            stack[self.first : self.first + len(values)] = values
            images.append(restore_in_brain(stack, self.grid, self.brain))
        return images


def stack_neighbors(volume: np.ndarray, index: int, step: int) -> np.ndarray:
    """Return slices (index - step, index, index + step) of (z, y, x) as (3, y, x); background beyond the ends."""
    out = np.full((3, *volume.shape[1:]), BACKGROUND, np.float32)
    for channel, z in enumerate((index - step, index, index + step)):
        if 0 <= z < len(volume):
            out[channel] = volume[z]
    return out


@dataclass(frozen=True)
class BrainSlices:
    """Prepare axial slices: crop to the brain, sample on the canvas, normalize inside the brain.

    Channels of a slice: the first image (FLAIR) at one step below, at the slice and one step above, where a step is
    the number of slices nearest to `neighbor_mm` but at least one; then each further image at the slice. A further
    image that is missing is zero everywhere, which no present image is.
    """

    channels: tuple[str, ...]
    normalization: tuple[str, ...]
    spacing_mm: float
    canvas: tuple[int, int]  # (y, x) in voxels
    neighbor_mm: float
    needs_brain: bool = True

    def stack(
        self, images: Mapping[str, sitk.Image], brain: sitk.Image
    ) -> tuple[dict[str, np.ndarray], np.ndarray, sitk.Image]:
        """Return normalized volumes by channel and the brain mask, (z, y, x) on the canvas, and the canvas' grid.

        `images` and `brain` (uint8) are LPS-oriented and share one grid.
        """
        grid = self._grid(brain)
        normalization = dict(zip(self.channels, self.normalization, strict=True))
        return *normalized_in_brain(images, brain, grid, normalization=normalization), grid

    def neighbor_step(self, slice_spacing_mm: float) -> int:
        """Return the number of slices nearest to `neighbor_mm`, at least one."""
        return max(1, round(self.neighbor_mm / slice_spacing_mm))

    def prepare(self, images: Mapping[str, sitk.Image], *, brain: sitk.Image | None = None) -> PreparedSlices:
        """Prepare LPS-oriented images on one grid, and their brain mask, for the network."""
        if brain is None:
            raise InputError("slices of the brain need a brain mask: pass brain=, a mask on the image's grid")
        volumes, mask, grid = self.stack(images, brain)
        filled = np.flatnonzero(mask.any(axis=(1, 2)))
        first, last = int(filled[0]), int(filled[-1])
        step = self.neighbor_step(grid.GetSpacing()[2])
        lead, *others = self.channels
        array = np.zeros((last - first + 1, 3 + len(others), *self.canvas), np.float32)
        for i in range(len(array)):
            array[i, :3] = stack_neighbors(volumes[lead], first + i, step)
            for channel, name in enumerate(others, start=3):
                if name in volumes:
                    array[i, channel] = volumes[name][first + i]
        return PreparedSlices(array=array, grid=grid, first=first, brain=brain)

    def _grid(self, brain: sitk.Image) -> sitk.Image:
        box = bounding_box(brain)
        center = [(low + high) / 2 for low, high in box]
        size_mm = [(high - low + 1) * spacing for (low, high), spacing in zip(box, brain.GetSpacing(), strict=True)]
        # A brain larger than the canvas is sampled more coarsely instead of being cut.
        free = [(length - 2 * MARGIN_VOXELS) * self.spacing_mm for length in reversed(self.canvas)]
        spacing = self.spacing_mm * max(1.0, size_mm[0] / free[0], size_mm[1] / free[1])
        slice_mm = brain.GetSpacing()[2]
        center[2] = (brain.GetSize()[2] - 1) / 2
        slices = brain.GetSize()[2]
        if slice_mm < CLOSEST_SLICES_MM:
            slices, slice_mm = max(1, round(slices * slice_mm)), 1.0
        return grid_about(brain, center, (self.canvas[1], self.canvas[0], slices), (spacing, spacing, slice_mm))
