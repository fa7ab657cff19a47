"""Images of a toy brain in the acquisitions that users have, and how well a mask finds its way back."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk

# (x, y, z) spacing in mm of the acquisitions that users have
THICK, THIN, FINE = (0.9, 0.9, 7.0), (1.0, 1.0, 1.0), (0.5, 0.5, 0.5)
SPACINGS = {"thick": THICK, "thin": THIN, "0.5 mm": FINE, "coarse in plane": (1.5, 1.5, 3.0)}
# Rotation by 20 degrees about x, then 10 about z.
OBLIQUE = (0.98481, -0.16318, 0.05939, 0.17365, 0.92542, -0.33682, 0.0, 0.34202, 0.93969)


def volume(spacing: Sequence[float], extent_mm: Sequence[float], *, direction: Sequence[float] | None = None):
    """An empty float image of about `extent_mm` (x, y, z), somewhere off the origin."""
    image = sitk.Image([round(e / s) for e, s in zip(extent_mm, spacing, strict=True)], sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetOrigin((-31.5, 17.25, -60.0))
    if direction is not None:
        image.SetDirection(direction)
    return image


def ellipsoid(image: sitk.Image, center_mm: Sequence[float], radius_mm: Sequence[float]) -> sitk.Image:
    """A uint8 mask on the grid of `image`; `center_mm` is relative to the image's middle, along its axes (x, y, z)."""
    axes = [
        (np.arange(n) - (n - 1) / 2) * s
        for n, s in zip(reversed(image.GetSize()), reversed(image.GetSpacing()), strict=True)
    ]
    z, y, x = np.meshgrid(*axes, indexing="ij", sparse=True)
    (cx, cy, cz), (rx, ry, rz) = center_mm, radius_mm
    inside = ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 + ((z - cz) / rz) ** 2 <= 1
    mask = sitk.GetImageFromArray(inside.astype(np.uint8))
    mask.CopyInformation(image)
    return mask


def textured(brain: sitk.Image, rng: np.random.Generator, *, level: float = 400.0) -> sitk.Image:
    """A noisy image that is bright inside the brain and dark outside."""
    inside = sitk.GetArrayFromImage(brain)
    image = sitk.GetImageFromArray((inside * level + rng.normal(0, 20, inside.shape)).astype(np.float32))
    image.CopyInformation(brain)
    return image


def physical_center(mask: sitk.Image) -> np.ndarray:
    statistics = sitk.LabelShapeStatisticsImageFilter()
    statistics.Execute(mask)
    return np.array(statistics.GetCentroid(1))


def dice(a: sitk.Image, b: sitk.Image) -> float:
    x, y = sitk.GetArrayFromImage(a) > 0, sitk.GetArrayFromImage(b) > 0
    return 2 * (x & y).sum() / (x.sum() + y.sum())
