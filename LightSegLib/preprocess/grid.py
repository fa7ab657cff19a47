"""Sampling an image on another grid with the same axes."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

__all__ = ["grid_about", "isotropic_grid", "restore", "sample"]


def grid_about(
    image: sitk.Image, center_index: Sequence[float], size: Sequence[int], spacing: Sequence[float]
) -> sitk.Image:
    """Describe a grid along the axes of `image`: an image of one byte a voxel whose middle is at `center_index`.

    `center_index` is a continuous index (x, y, z) of `image`; `size` is (x, y, z) in voxels, `spacing` in mm.
    """
    middle = np.array(image.TransformContinuousIndexToPhysicalPoint([float(c) for c in center_index]))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    origin = middle - direction @ ((np.asarray(size, float) - 1) / 2 * np.asarray(spacing, float))
    grid = sitk.Image([int(s) for s in size], sitk.sitkUInt8)
    grid.SetSpacing([float(s) for s in spacing])
    grid.SetDirection(image.GetDirection())
    grid.SetOrigin(origin.tolist())
    return grid


def isotropic_grid(image: sitk.Image, spacing_mm: float) -> sitk.Image:
    """Describe a grid of voxels of `spacing_mm` over the whole of an image, as `grid_about` does."""
    size = [max(1, round(n * s / spacing_mm)) for n, s in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    return grid_about(image, [(n - 1) / 2 for n in image.GetSize()], size, [spacing_mm] * 3)


def restore(values: np.ndarray, grid: sitk.Image, reference: sitk.Image) -> sitk.Image:
    """Bring values (z, y, x) on `grid` to the grid of `reference`: float32, linear, zero beyond `grid`."""
    image = sitk.GetImageFromArray(values)
    image.CopyInformation(grid)
    return sitk.Resample(image, reference, sitk.Transform(), sitk.sitkLinear, 0.0, sitk.sitkFloat32)


def sample(image: sitk.Image, grid: sitk.Image, *, default: float = 0.0) -> np.ndarray:
    """Sample `image` linearly at the voxels of `grid`: float32 (z, y, x); `default` outside the image.

    Where the grid is coarser by a whole factor or more, whole blocks of voxels are averaged first, so that thin
    structures are not skipped and noise is not aliased.
    """
    shrink = [
        min(size, max(1, math.floor(target / spacing + 0.01)))
        for size, target, spacing in zip(image.GetSize(), grid.GetSpacing(), image.GetSpacing(), strict=True)
    ]
    image = sitk.Cast(image, sitk.sitkFloat32)
    if max(shrink) > 1:
        image = sitk.BinShrink(image, shrink)
    sampled = sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear, default, sitk.sitkFloat32)
    return sitk.GetArrayFromImage(sampled)
