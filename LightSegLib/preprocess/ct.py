"""Axial slices of a CT scan, or of a box of it, on one fixed canvas, for 2D networks."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.preprocess.grid import grid_about, restore, sample

__all__ = ["AIR_HU", "WINDOW_HU", "CTSlices", "PreparedCTSlices", "scale_ct", "stack_ct_neighbors"]

AIR_HU = -1024.0
# Hounsfield units have a meaning, so that the window and what follows are fixed instead of taken from each scan. The
# PocketNet paper's window, -17 to 201, fits its data; fatty livers, fat between organs and contrast need a wider one.
WINDOW_HU = (-160.0, 240.0)
CENTER_HU, SCALE_HU = 40.0, 100.0


def scale_ct(values: np.ndarray) -> np.ndarray:
    """Clip Hounsfield units to the window and scale them to -2..2: float32 of the same shape."""
    return ((values.clip(*WINDOW_HU) - CENTER_HU) / SCALE_HU).astype(np.float32)


def stack_ct_neighbors(volume: np.ndarray, index: int, step: int) -> np.ndarray:
    """Return slices (index - step, index, index + step) of (z, y, x) as (3, y, x); the last one repeats at the ends."""
    return volume[np.clip((index - step, index, index + step), 0, len(volume) - 1)]


@dataclass(frozen=True)
class PreparedCTSlices:
    """Slices ready for the network, and the way back."""

    array: np.ndarray  # float32 (n, 3, y, x), n axial slices from below
    grid: sitk.Image
    reference: sitk.Image  # the input, for its grid

    def maps(self, probabilities: np.ndarray) -> list[sitk.Image]:
        """Bring (n, k, y, x) back: k float32 images on the slices' own grid."""
        images = [sitk.GetImageFromArray(values) for values in np.moveaxis(np.asarray(probabilities, np.float32), 1, 0)]
        for image in images:
            image.CopyInformation(self.grid)
        return images

    def restore(self, probabilities: np.ndarray) -> list[sitk.Image]:
        """Bring (n, k, y, x) back: k float32 images on the grid of the input, linear, zero beyond the canvas."""
        volumes = np.moveaxis(np.asarray(probabilities, np.float32), 1, 0)
        return [restore(values, self.grid, self.reference) for values in volumes]


@dataclass(frozen=True)
class CTSlices:
    """Prepare the axial slices of all that is given, sampled isotropically about its middle.

    Channels of a slice: one step below, at the slice and one step above, where a step is the number of slices nearest
    to `neighbor_mm` but at least one. An image larger than the canvas is sampled more coarsely instead of being cut.
    """

    channel: str
    spacing_mm: float
    canvas: tuple[int, int]  # (y, x) in voxels
    neighbor_mm: float
    needs_brain: bool = False

    @property
    def extent_mm(self) -> tuple[float, float]:
        """What the canvas covers, (x, y)."""
        return self.canvas[1] * self.spacing_mm, self.canvas[0] * self.spacing_mm

    @property
    def neighbor_step(self) -> int:
        """The number of slices nearest to `neighbor_mm`, at least one."""
        return max(1, round(self.neighbor_mm / self.spacing_mm))

    def volume(self, image: sitk.Image) -> tuple[np.ndarray, sitk.Image]:
        """Return the scaled volume, float32 (z, y, x) on the canvas, and its grid; `image` is LPS-oriented."""
        width, depth, height = (
            size * spacing for size, spacing in zip(image.GetSize(), image.GetSpacing(), strict=True)
        )
        in_plane = self.spacing_mm * max(1.0, width / self.extent_mm[0], depth / self.extent_mm[1])
        slices = max(1, math.ceil(height / self.spacing_mm - 1e-6))
        center = [(size - 1) / 2 for size in image.GetSize()]
        grid = grid_about(
            image, center, (self.canvas[1], self.canvas[0], slices), (in_plane, in_plane, self.spacing_mm)
        )
        return scale_ct(_sample_to_the_ends(image, grid)), grid

    def prepare(self, images: Mapping[str, sitk.Image], *, brain: sitk.Image | None = None) -> PreparedCTSlices:
        """Prepare an LPS-oriented image in Hounsfield units for the network; `brain` is not used."""
        image = images[self.channel]
        volume, grid = self.volume(image)
        array = np.stack([stack_ct_neighbors(volume, index, self.neighbor_step) for index in range(len(volume))])
        return PreparedCTSlices(array=array, grid=grid, reference=image)


def _sample_to_the_ends(image: sitk.Image, grid: sitk.Image) -> np.ndarray:
    """Sample an image (z, y, x); slices beyond the middle of its first or last one repeat that, sides are air."""
    values = sample(image, grid, default=AIR_HU)
    low, high = (
        grid.TransformPhysicalPointToContinuousIndex(image.TransformIndexToPhysicalPoint([0, 0, z]))[2]
        for z in (0, image.GetSize()[2] - 1)
    )
    # The middle slice is inside: the grid lies about the image's middle.
    middle = (len(values) - 1) // 2
    first, last = min(math.ceil(low - 1e-3), middle), max(math.floor(high + 1e-3), middle)
    values[:first] = values[first]
    values[last + 1 :] = values[last]
    return values
