"""Scores of the partition of an image into segments, such as neurons between membranes: V-Rand and V-Info.

Label images are integer arrays of one shape, of any number of axes; pixels of one label, connected or not, are one
segment S_i or T_j, and 0 is the background between segments. The names of labels do not matter. Both scores are
restricted to the foreground: pixels that are background in the reference do not count. There, a background pixel of the
segmentation is a segment of its own, because a membrane connects nothing.

p_ij is the probability that a foreground pixel lies in segment i of the segmentation S and in segment j of the
reference T; s_i = sum_j p_ij and t_j = sum_i p_ij.

Source: Arganda-Carreras et al., Frontiers in Neuroanatomy 9:142 (2015); the rule for background pixels is that of the
ISBI challenge's program. Its leaderboard takes the best of several thresholds and thins borders to one pixel before;
neither is done here.
"""

import math
from typing import NamedTuple

import numpy as np
from scipy.ndimage import label
from scipy.sparse import coo_array

__all__ = ["segments_between_membranes", "v_info", "v_rand"]


def v_rand(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the foreground-restricted Rand score, sum p_ij^2 / (1/2 sum s_i^2 + 1/2 sum t_j^2), 0..1, best 1.

    That is V^Rand_alpha with alpha = 0.5: the harmonic mean of the split score sum p_ij^2 / sum t_j^2 and the merge
    score sum p_ij^2 / sum s_i^2. The reference without foreground: NaN. Errors: ValueError when shapes differ.
    """
    table = _contingency(segmentation, reference)
    if table is None:
        return math.nan
    squares = [float(np.square(p).sum()) for p in table]
    return 2 * squares[0] / (squares[1] + squares[2])


def v_info(segmentation: np.ndarray, reference: np.ndarray) -> float:
    """Return the foreground-restricted information theoretic score, I(S; T) / (1/2 H(S) + 1/2 H(T)), 0..1, best 1.

    That is V^Info_alpha with alpha = 0.5: the harmonic mean of the split score I(S; T) / H(S) and the merge score
    I(S; T) / H(T), where H is the entropy of s_i or t_j and I(S; T) = H(S) + H(T) - H(p_ij) is their mutual
    information. Both all of one segment, and so without entropy: 1. The reference without foreground: NaN.
    Errors: ValueError when shapes differ.
    """
    table = _contingency(segmentation, reference)
    if table is None:
        return math.nan
    joint, of_segmentation, of_reference = (float(-(p * np.log(p)).sum()) for p in table)
    total = of_segmentation + of_reference
    return 2 * (total - joint) / total if total > 0 else 1.0


def segments_between_membranes(membrane: np.ndarray, threshold: float = 0.5) -> np.ndarray:
    """Cut an image (y, x) into the segments between membranes: int32 labels from 1, and 0 for membrane.

    `membrane`: probabilities, or a mask. Pixels below the threshold that share an edge are in one segment
    (4-connected), so that a membrane of one pixel's width also separates where it runs diagonally. Cut the images of a
    stack one by one: an array (z, y, x) is taken for a volume, where voxels share faces.
    """
    segments, _ = label(membrane < threshold)  # the default structure connects along the axes only
    return segments


class _Contingency(NamedTuple):
    """The probabilities that are not 0, flat: p_ij, s_i and t_j."""

    joint: np.ndarray
    segmentation: np.ndarray
    reference: np.ndarray


def _contingency(segmentation: np.ndarray, reference: np.ndarray) -> _Contingency | None:
    """Count pairs of labels over the reference's foreground; None when there is none."""
    if segmentation.shape != reference.shape:
        raise ValueError(f"expected two label images of one shape, got {segmentation.shape} and {reference.shape}")
    foreground = reference != 0
    if not foreground.any():
        return None
    rows = _segments(segmentation[foreground])
    _, columns = np.unique(reference[foreground], return_inverse=True)
    ones = np.ones(rows.size)
    table = coo_array((ones, (rows, columns))).tocsr() / rows.size  # equal pairs add up
    return _Contingency(table.data, table.sum(axis=1), table.sum(axis=0))


def _segments(labels: np.ndarray) -> np.ndarray:
    """Number the segments from 0, each background pixel as a segment of its own."""
    _, rows = np.unique(labels, return_inverse=True)
    background = labels == 0
    rows[background] = rows.max() + 1 + np.arange(np.count_nonzero(background))
    return np.unique(rows, return_inverse=True)[1]
