"""Measures that count voxels: TP, FP, FN and TN are those of the segmentation against the reference.

Masks are bool arrays (z, y, x) of one shape. One rule fixes all values where a formula divides zero by zero: when
both masks are empty they agree, and the measure has its best value; otherwise it is undefined and NaN.
"""

import math

import numpy as np

__all__ = ["avd_percent", "dice", "fpr", "ppv", "tpr"]


def dice(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return 2 TP / (2 TP + FP + FN), 0..1, best 1.

    Both masks empty: 1. One of them empty: 0.
    Source: Dice, Ecology 26 (1945).
    """
    total = int(segmentation.sum()) + int(reference.sum())
    return 2 * _common(segmentation, reference) / total if total else 1.0


def ppv(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the positive predictive value TP / (TP + FP), 0..1, best 1: how much of the segmentation is right.

    Both masks empty: 1. Only the segmentation empty: NaN. Only the reference empty: 0.
    """
    return _ratio(_common(segmentation, reference), int(segmentation.sum()), agree=not reference.any(), best=1.0)


def tpr(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the true positive rate TP / (TP + FN), 0..1, best 1: how much of the reference was found.

    Both masks empty: 1. Only the reference empty: NaN. Only the segmentation empty: 0.
    """
    return _ratio(_common(segmentation, reference), int(reference.sum()), agree=not segmentation.any(), best=1.0)


def fpr(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the false positive rate FP / (FP + TN), 0..1, best 0: how much of what is no lesion was segmented.

    Counts over the whole grid, so it depends on how much background the image shows. The segmentation empty: 0.
    A reference that fills the grid leaves nothing to be wrong about: NaN.
    """
    false_positives = int(segmentation.sum()) - _common(segmentation, reference)
    return _ratio(false_positives, reference.size - int(reference.sum()), agree=False, best=0.0)


def avd_percent(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the absolute volume difference |V(segmentation) - V(reference)| / V(reference), in %, best 0.

    Both masks empty: 0. Only the reference empty: NaN. Only the segmentation empty: 100. It has no upper limit.
    """
    volume, reference_volume = int(segmentation.sum()), int(reference.sum())
    return 100 * _ratio(abs(volume - reference_volume), reference_volume, agree=volume == 0, best=0.0)


def _common(segmentation: np.ndarray, reference: np.ndarray) -> int:
    return int(np.count_nonzero(segmentation & reference))


def _ratio(part: int, whole: int, *, agree: bool, best: float) -> float:
    if whole:
        return part / whole
    return best if agree else math.nan
