"""Connected groups of voxels: those too small to keep, and the largest one."""

import math

import SimpleITK as sitk

__all__ = ["SIZE_TOLERANCE", "at_least", "drop_small_groups", "largest_component"]

SIZE_TOLERANCE = 1e-6
"""Relative slack of the size filter: a lesion of just the smallest volume is kept although the spacing is rounded."""


def at_least(probability: sitk.Image, threshold: float) -> sitk.Image:
    """Label voxels of at least `threshold`: uint8, 0 or 1, on the same grid."""
    return sitk.Cast(probability >= threshold, sitk.sitkUInt8)


def drop_small_groups(binary: sitk.Image, smallest_ml: float, *, share_of_largest: float = 0.0) -> sitk.Image:
    """Drop the connected groups of a uint8 mask that are smaller than `smallest_ml`, or than a share of the largest.

    Voxels that share a face, an edge or a corner are one group (26-connectivity). Returns uint8 on the same grid.
    """
    smallest_voxels = smallest_ml * (1 - SIZE_TOLERANCE) / (math.prod(binary.GetSpacing()) / 1000)
    if smallest_voxels <= 1 and share_of_largest <= 0:
        return binary
    by_size = sitk.RelabelComponentImageFilter()
    # Objects of at least so many voxels are kept; the ceiling makes that exact for fractions.
    by_size.SetMinimumObjectSize(math.ceil(smallest_voxels))
    groups = by_size.Execute(sitk.ConnectedComponent(binary, True))
    sizes = by_size.GetSizeOfObjectsInPixels()  # largest first
    kept = sum(size >= share_of_largest * sizes[0] * (1 - SIZE_TOLERANCE) for size in sizes)
    return (groups > 0) & (groups <= kept)


def largest_component(binary: sitk.Image) -> sitk.Image:
    """Keep the largest face-connected component of a uint8 mask and fill the holes in it.

    A hole is background that no face-connected path links to the volume's border. An empty mask stays empty.
    """
    ordered = sitk.RelabelComponent(sitk.ConnectedComponent(binary, False), sortByObjectSize=True)
    return sitk.BinaryFillhole(ordered == 1, fullyConnected=False, foregroundValue=1)
