"""Measures of labelmaps as images: volume, lesion count, and all measures of agreement at once."""

import math
from dataclasses import asdict, dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import GeometryError
from LightSegLib.geometry import same_grid
from LightSegLib.measures.lesions import count_lesions, f1_score, lesion_precision, lesion_recall
from LightSegLib.measures.overlap import avd_percent, dice, fpr, ppv, tpr
from LightSegLib.measures.surface import average_distance, percentile_distance, surface_distances

__all__ = ["Agreement", "compare", "lesion_count", "volume_ml"]


@dataclass(frozen=True)
class Agreement:
    """How well a segmentation agrees with a reference; the functions of the same names define formulas and units.

    A measure that is undefined for these masks, such as HD95 when one of them is empty, is NaN.
    """

    dice: float
    hd95_mm: float
    hausdorff_mm: float
    assd_mm: float
    avd_percent: float
    ppv: float
    tpr: float
    fpr: float
    lesion_recall: float
    lesion_precision: float
    lesion_f1: float
    volume_ml: float
    reference_volume_ml: float
    lesion_count: int
    reference_lesion_count: int

    def to_json(self) -> dict[str, float | int | None]:
        """Return the measures by name, None (null in JSON) for those that are undefined."""
        return {name: None if math.isnan(value) else value for name, value in asdict(self).items()}


def compare(segmentation: sitk.Image, reference: sitk.Image, *, value: int | tuple[int, ...] = 1) -> Agreement:
    """Measure how well the voxels of a segmentation that have `value`, or one of several, agree with a reference's.

    Both are 3D integer labelmaps on one grid; the values may be absent from either.
    Raises GeometryError when their grids differ: resample the reference onto the segmentation first, nearest neighbor.
    """
    if not same_grid(segmentation, reference):
        raise GeometryError(
            f"The segmentation ({_describe(segmentation)}) and the reference ({_describe(reference)}) are on different "
            "grids; resample the reference onto the segmentation's grid first."
        )
    mask, truth = _mask(segmentation, value), _mask(reference, value)
    # Outside of both masks there is nothing to measure but the background, which only the FPR counts.
    false_positive_rate = fpr(mask, truth)
    mask, truth = _crop(mask, truth)
    distances = surface_distances(mask, truth, segmentation.GetSpacing()[::-1])
    recall, precision = lesion_recall(mask, truth), lesion_precision(mask, truth)
    return Agreement(
        dice=dice(mask, truth),
        hd95_mm=percentile_distance(distances),
        hausdorff_mm=percentile_distance(distances, percent=100),
        assd_mm=average_distance(distances),
        avd_percent=avd_percent(mask, truth),
        ppv=ppv(mask, truth),
        tpr=tpr(mask, truth),
        fpr=false_positive_rate,
        lesion_recall=recall,
        lesion_precision=precision,
        lesion_f1=f1_score(recall, precision),
        volume_ml=volume_ml(segmentation, value),
        reference_volume_ml=volume_ml(reference, value),
        lesion_count=count_lesions(mask),
        reference_lesion_count=count_lesions(truth),
    )


def volume_ml(labelmap: sitk.Image, value: int | tuple[int, ...] = 1) -> float:
    """Return the volume in ml of all voxels of a labelmap that have `value`, or one of several."""
    return float(np.count_nonzero(_mask(labelmap, value)) * math.prod(labelmap.GetSpacing()) / 1000)


def lesion_count(labelmap: sitk.Image, value: int = 1) -> int:
    """Return the number of lesions: groups of voxels of `value` that share a face, an edge or a corner."""
    return count_lesions(_mask(labelmap, value))


def _mask(labelmap: sitk.Image, value: int | tuple[int, ...]) -> np.ndarray:
    array = sitk.GetArrayViewFromImage(labelmap)
    return np.isin(array, value) if isinstance(value, tuple) else array == value


def _crop(mask: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cut both masks to the smallest box that holds all voxels of both; at least one voxel is left."""
    either = mask | truth
    box = []
    for axis in range(either.ndim):
        others = tuple(other for other in range(either.ndim) if other != axis)
        used = np.flatnonzero(either.any(axis=others))
        box.append(slice(used[0], used[-1] + 1) if used.size else slice(0, 1))
    return mask[tuple(box)], truth[tuple(box)]


def _describe(image: sitk.Image) -> str:
    size, spacing = image.GetSize(), image.GetSpacing()
    return f"{' x '.join(map(str, size))} voxels of {' x '.join(f'{length:.3g}' for length in spacing)} mm"
