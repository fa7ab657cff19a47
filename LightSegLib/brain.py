"""Where the brain is: extracted from a whole head, or recognized as already skull-stripped."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.postprocess import largest_component

__all__ = ["Brain", "find_brain", "foreground"]

BRAIN_PROBABILITY = 0.5
MIN_BACKGROUND_FRACTION = 0.05
"""A skull-stripped image has one exact background value; when it covers less than this, the image is a whole head."""
MIN_STRIPPED_FRACTION = 0.75
"""A brain is most of what is left after skull stripping, but only about a third of a head."""
MAX_STRIPPED_ML = 3000.0
"""More than any brain, also one enlarged to MNI space (2.1 l); heads of adults have 3.5 l and more."""
MIN_BRAIN_ML = 50.0
"""Half the brain of a newborn; anything smaller is a mistake."""
FULL_EXTENT_MM = 120.0
"""A volume thinner than this is a slab, in which a proportionally smaller part of the brain is plausible."""


@dataclass(frozen=True)
class Brain:
    """A brain mask (uint8, 0 or 1, on the image's grid) and whether the image came without skull."""

    mask: sitk.Image
    skull_stripped: bool


def find_brain(image: sitk.Image, probability: sitk.Image, *, name: str = "the image") -> Brain:
    """Find the brain in an MR image of a whole head or of a skull-stripped brain.

    `image`: 3D scalar in LPS orientation. `probability` is the network's, of the brain, on the same grid.
    `name` is what the image is called in the error message.
    Raises InputError when no plausible brain is found.
    """
    predicted = largest_component(sitk.Cast(probability >= BRAIN_PROBABILITY, sitk.sitkUInt8))
    voxel_ml = float(np.prod(image.GetSpacing())) / 1000
    predicted_array = sitk.GetArrayViewFromImage(predicted) > 0
    predicted_ml = float(np.count_nonzero(predicted_array)) * voxel_ml
    if predicted_ml < _smallest_brain_ml(image):
        raise InputError(
            f"No brain was found in {name} (best guess: {predicted_ml:.0f} ml). "
            "Give an MR image of a head or of a skull-stripped brain, with correct orientation in its header."
        )
    stripped = foreground(image)
    if stripped is not None:
        foreground_array = sitk.GetArrayViewFromImage(stripped) > 0
        voxels = np.count_nonzero(foreground_array)
        inside = np.count_nonzero(predicted_array & foreground_array)
        if voxels * voxel_ml <= MAX_STRIPPED_ML and inside >= MIN_STRIPPED_FRACTION * voxels:
            return Brain(mask=stripped, skull_stripped=True)
    return Brain(mask=predicted, skull_stripped=False)


def _smallest_brain_ml(image: sitk.Image) -> float:
    extents = [size * spacing for size, spacing in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    return MIN_BRAIN_ML * min(1.0, min(extents) / FULL_EXTENT_MM)


def foreground(image: sitk.Image) -> sitk.Image | None:
    """Return everything but the most frequent value of the six faces, holes filled; None when that value is rare."""
    array = sitk.GetArrayViewFromImage(image)
    faces = [array.take(end, axis=axis).ravel() for axis in range(3) for end in (0, -1)]
    values, counts = np.unique(np.concatenate(faces), return_counts=True)
    different = array != values[counts.argmax()]
    if np.count_nonzero(different) > (1 - MIN_BACKGROUND_FRACTION) * different.size or not different.any():
        return None
    mask = sitk.GetImageFromArray(different.astype(np.uint8))
    mask.CopyInformation(image)
    return sitk.BinaryFillhole(mask, fullyConnected=False, foregroundValue=1)
