"""Measures that count lesions: connected groups of voxels that share a face, an edge or a corner (26-connected).

Masks are bool arrays (z, y, x) of one shape. A lesion of one mask is found by the other when they share at least one
voxel, whatever the lesion's size.
Source: evaluation of the WMH segmentation challenge, Kuijf et al., IEEE TMI 38 (2019).
"""

import math

import numpy as np
from scipy.ndimage import find_objects, label

__all__ = ["count_lesions", "lesion_f1", "lesion_precision", "lesion_recall"]

CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)


def count_lesions(mask: np.ndarray) -> int:
    """Return the number of 26-connected lesions in a mask."""
    return _found(mask, mask)[1]


def lesion_recall(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the part of the reference's lesions that the segmentation touches, 0..1, best 1.

    Both masks empty: 1. Only the reference empty: NaN (the challenge's program gives 1).
    """
    found, all_lesions = _found(reference, segmentation)
    if all_lesions:
        return found / all_lesions
    return math.nan if segmentation.any() else 1.0


def lesion_precision(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the part of the segmentation's lesions that touch the reference, 0..1, best 1.

    Both masks empty: 1. Only the segmentation empty: NaN (the challenge's program gives 1).
    """
    return lesion_recall(reference, segmentation)


def lesion_f1(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the harmonic mean of lesion recall and lesion precision, 0..1, best 1.

    Both masks empty: 1. No lesion found, also where one mask is empty: 0.
    """
    return f1_score(lesion_recall(segmentation, reference), lesion_precision(segmentation, reference))


def f1_score(recall: float, precision: float) -> float:
    """Return the harmonic mean of recall and precision; 0 where one is 0 or undefined (NaN)."""
    if recall > 0 and precision > 0:
        return 2 * recall * precision / (recall + precision)
    return 0.0


def _found(mask: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """Return how many lesions of `mask` share a voxel with `other`, and how many there are."""
    box = find_objects(mask.view(np.uint8))
    if not box:
        return 0, 0
    labels, count = label(mask[box[0]], structure=CONNECTIVITY)
    return np.unique(labels[other[box[0]] & mask[box[0]]]).size, int(count)
