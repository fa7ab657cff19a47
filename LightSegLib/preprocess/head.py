"""A whole head on one coarse isotropic grid, for 3D networks that see everything in one pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.preprocess.grid import grid_about, restore, sample

__all__ = ["HeadVolume", "PreparedHead", "scale_head"]

# The network halves its input four times.
MULTIPLE = 16
HIGHEST = 4.0
# Registration pads a corner of the field of view with any constant; air covers more of every head than that.
AIR_PERCENTILE = 10


def scale_head(values: np.ndarray) -> np.ndarray:
    """Scale a head's intensities to 0 for air and about 1 for tissue, whatever the contrast and the field of view.

    Tissue is what lies above the mean of the volume: unlike a percentile, its mean does not depend on how much air
    surrounds the head. `values` is any shape; returns float32 in 0..4.
    """
    air = float(np.percentile(values, AIR_PERCENTILE))
    above = values[values > values.mean()]
    if above.size == 0 or not above.mean() > air:
        raise InputError("the image is constant, so no head can be found in it: check the input image")
    return ((values - air) / (float(above.mean()) - air)).clip(0, HIGHEST).astype(np.float32)


@dataclass(frozen=True)
class PreparedHead:
    """A head ready for the network, and the way back."""

    array: np.ndarray  # float32 (1, 1, z, y, x)
    grid: sitk.Image
    reference: sitk.Image  # the input, for its grid

    def restore(self, probabilities: np.ndarray) -> list[sitk.Image]:
        """Bring (1, k, z, y, x) back: k float32 images on the grid of the input."""
        return [restore(values, self.grid, self.reference) for values in np.asarray(probabilities, np.float32)[0]]


@dataclass(frozen=True)
class HeadVolume:
    """Prepare one image of a head: sample the whole field of view isotropically and scale it."""

    channel: str
    spacing_mm: float
    needs_brain: bool = False

    def prepare(self, images: Mapping[str, sitk.Image], *, brain: sitk.Image | None = None) -> PreparedHead:
        """Prepare an LPS-oriented image for the network; `brain` is not used."""
        image = images[self.channel]
        center = [(size - 1) / 2 for size in image.GetSize()]
        size = [
            max(MULTIPLE, math.ceil(n * spacing / self.spacing_mm / MULTIPLE) * MULTIPLE)
            for n, spacing in zip(image.GetSize(), image.GetSpacing(), strict=True)
        ]
        grid = grid_about(image, center, size, [self.spacing_mm] * 3)
        air = float(np.percentile(sitk.GetArrayViewFromImage(image), AIR_PERCENTILE))
        values = scale_head(sample(image, grid, default=air))
        return PreparedHead(array=values[None, None], grid=grid, reference=image)
