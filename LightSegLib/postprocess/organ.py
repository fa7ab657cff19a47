"""From the probability of an organ to its mask: the clean-up strategies of the PocketNet paper."""

import SimpleITK as sitk

from LightSegLib.postprocess.components import at_least, largest_component

__all__ = ["CLEANUPS", "clean_organ"]

CLEANUPS = ("morphological", "largest_component", "none")


def clean_organ(
    probability: sitk.Image, *, threshold: float, cleanup: str, erode_mm: float = 0.0, dilate_mm: float = 0.0
) -> sitk.Image:
    """Threshold a probability and clean the mask up: uint8, 0 or 1, on the same grid.

    `probability`: 3D float in 0..1. `cleanup` is one of CLEANUPS: "morphological" takes `erode_mm` off the surface,
    keeps the largest connected part, puts `dilate_mm` on it and fills its holes; "largest_component" keeps that part
    and fills its holes; "none" leaves the mask alone. Parts are connected by faces.
    The paper erodes by two voxels and dilates by one; these are millimeters, so that a scan's voxels do not decide.
    ValueError for an unknown `cleanup`, and for a dilation beyond the erosion: it would add what was not segmented.
    Source: PocketNet paper (Celaya et al., 2021), section II-B4.
    """
    if cleanup not in CLEANUPS:
        raise ValueError(f"cleanup must be one of {', '.join(CLEANUPS)}, got {cleanup!r}")
    if dilate_mm > erode_mm:
        raise ValueError(f"dilate_mm, {dilate_mm:g}, must be at most erode_mm, {erode_mm:g}")
    mask = at_least(probability, threshold)
    if cleanup == "none":
        return mask
    if cleanup == "largest_component" or erode_mm == 0:
        return largest_component(mask)
    # From voxel to voxel both times, so that as much dilation brings back what erosion took off a smooth surface.
    core = largest_component(_distance_to(mask == 0) > erode_mm)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(core)
    if not shape.HasLabel(1):
        return core
    return sitk.BinaryFillhole(_distance_to(core) <= dilate_mm, fullyConnected=False, foregroundValue=1)


def _distance_to(mask: sitk.Image) -> sitk.Image:
    """Return the distance in mm from each voxel's middle to that of the nearest voxel of a mask; not above 0 inside."""
    return sitk.SignedMaurerDistanceMap(mask, squaredDistance=False, useImageSpacing=True)
