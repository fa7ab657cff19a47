"""Where an organ is in a scan of any length: the box that is segmented, and the way back to the whole scan."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.measures import volume_ml
from LightSegLib.postprocess.components import at_least, largest_component

__all__ = ["OrganBox", "find_box", "require_organ"]

PROBABILITY = 0.5
MIN_ORGAN_ML = 30.0
"""A fiftieth of a liver; in a scan of a few slices proportionally less is plausible."""
FULL_EXTENT_MM = 150.0
"""About how tall a liver is."""


@dataclass(frozen=True)
class OrganBox:
    """A box of voxels: the first index and the size, (x, y, z)."""

    index: tuple[int, int, int]
    size: tuple[int, int, int]

    def crop(self, image: sitk.Image) -> sitk.Image:
        """Cut the box out of an image; every voxel keeps its place in the patient."""
        return sitk.RegionOfInterest(image, self.size, self.index)

    def paste(self, image: sitk.Image, onto: sitk.Image) -> sitk.Image:
        """Put an image of the box back into the grid of `onto`, zero outside of the box."""
        whole = sitk.Image(onto.GetSize(), image.GetPixelID(), image.GetNumberOfComponentsPerPixel())
        whole.CopyInformation(onto)
        return sitk.Paste(whole, image, self.size, destinationIndex=self.index)


def find_box(
    image: sitk.Image,
    probability: sitk.Image,
    *,
    margin_mm: Sequence[float],
    least_mm: Sequence[float],
    organ: str,
    name: str = "the image",
) -> OrganBox:
    """Return the box about an organ in an image, by the probability of the organ on a coarser grid of the same axes.

    The box has `margin_mm` (x, y, z) on both sides of the largest connected part with a probability of at least a
    half, and is at least `least_mm` (x, y) wide where the image is; `organ` and `name` are what the message calls organ
    and image.
    Raises InputError when there is no part of plausible size.
    """
    found = largest_component(at_least(probability, PROBABILITY))
    require_organ(found, image, organ=organ, name=name)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(found)
    box = shape.GetBoundingBox(1)
    corners = [
        image.TransformPhysicalPointToContinuousIndex(found.TransformContinuousIndexToPhysicalPoint(corner.tolist()))
        for corner in (np.array(box[:3]) - 0.5, np.array(box[:3]) + np.array(box[3:]) - 0.5)
    ]
    index, size = [], []
    for low, high, margin, least, spacing, voxels in zip(
        *corners, margin_mm, (*least_mm, 0.0), image.GetSpacing(), image.GetSize(), strict=True
    ):
        half = max((high - low) / 2 + margin / spacing, least / spacing / 2)
        start = int(np.clip(round((low + high) / 2 - half + 0.5), 0, voxels - 1))
        stop = int(np.clip(round((low + high) / 2 + half + 0.5), start + 1, voxels))
        index.append(start)
        size.append(stop - start)
    return OrganBox((index[0], index[1], index[2]), (size[0], size[1], size[2]))


def require_organ(mask: sitk.Image, image: sitk.Image, *, organ: str, name: str = "the image") -> None:
    """Raise InputError unless a mask is of a size that is plausible for an organ, or a part of one, in an image.

    An image of less height than the organ may show proportionally less of it; `organ` and `name` are as in `find_box`.
    """
    found_ml = volume_ml(mask)
    height_mm = image.GetSize()[2] * image.GetSpacing()[2]
    if found_ml < MIN_ORGAN_ML * min(1.0, height_mm / FULL_EXTENT_MM):
        raise InputError(
            f"No {organ} was found in {name} (best guess: {found_ml:.0f} ml). Give a scan that shows the {organ}, "
            "with correct orientation in its header."
        )
