"""Distances between the surfaces of two masks, in mm.

Masks are bool arrays (z, y, x) of one shape, `spacing_mm` is (z, y, x). The surface of a mask is the set of its voxels
with a face on the background or on the image's border; distances are between centers of surface voxels.
"""

import math
from collections.abc import Sequence

import numpy as np
from scipy.ndimage import binary_erosion, find_objects
from scipy.spatial import KDTree

__all__ = ["SurfaceDistances", "assd_mm", "hausdorff_mm", "hd95_mm", "surface_distances"]

SurfaceDistances = tuple[np.ndarray, np.ndarray]
"""From each surface voxel of the first mask to the nearest of the second, and back: float64 arrays, mm."""


def hd95_mm(segmentation: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> float:
    """Return the 95 % Hausdorff distance in mm, best 0: the larger of the 95th percentiles of both directions.

    From surface to surface; percentiles are interpolated linearly. Both masks empty: 0. One empty: NaN.
    Source: Huttenlocher et al., IEEE TPAMI 15 (1993), with the 95th percentile in place of the maximum.
    """
    return percentile_distance(surface_distances(segmentation, reference, spacing_mm))


def hausdorff_mm(segmentation: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> float:
    """Return the Hausdorff distance in mm, best 0: the largest distance from one surface to the other.

    Both masks empty: 0. One empty: NaN. A single stray voxel decides it, which HD95 avoids.
    Source: Huttenlocher et al., IEEE TPAMI 15 (1993).
    """
    return percentile_distance(surface_distances(segmentation, reference, spacing_mm), percent=100)


def assd_mm(segmentation: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]) -> float:
    """Return the average symmetric surface distance in mm, best 0: the mean over the voxels of both surfaces.

    Both masks empty: 0. One empty: NaN.
    Source: Heimann et al., IEEE TMI 28 (2009), section III-A.
    """
    return average_distance(surface_distances(segmentation, reference, spacing_mm))


def surface_distances(
    segmentation: np.ndarray, reference: np.ndarray, spacing_mm: Sequence[float]
) -> SurfaceDistances | None:
    """Return the distances from which both measures are made, to compute them once; None when one mask is empty.

    Both masks empty: two empty arrays.
    """
    if not segmentation.any() and not reference.any():
        return np.empty(0), np.empty(0)
    if not segmentation.any() or not reference.any():
        return None
    spacing = np.asarray(spacing_mm, dtype=np.float64)
    surfaces = [_surface_points(mask) * spacing for mask in (segmentation, reference)]
    # On the regular points of a surface this plain tree is up to four times as fast as the balanced, compact default.
    trees = [KDTree(points, balanced_tree=False, compact_nodes=False) for points in surfaces]
    return trees[1].query(surfaces[0])[0], trees[0].query(surfaces[1])[0]


def percentile_distance(distances: SurfaceDistances | None, *, percent: float = 95) -> float:
    """Return HD95, or the distance of another percentile, from the result of `surface_distances`."""
    if distances is None:
        return math.nan
    return max((float(np.percentile(directed, percent)) for directed in distances if directed.size), default=0.0)


def average_distance(distances: SurfaceDistances | None) -> float:
    """Return ASSD from the result of `surface_distances`."""
    if distances is None:
        return math.nan
    both = np.concatenate(distances)
    return float(both.mean()) if both.size else 0.0


def _surface_points(mask: np.ndarray) -> np.ndarray:
    """Return the indices (n, 3) of the mask's surface voxels; looks only at the mask's bounding box."""
    box = find_objects(mask.view(np.uint8))[0]
    inside = mask[box]
    # Outside of the box there is no mask, so erosion may take everything there for background.
    surface = inside & ~binary_erosion(inside)
    return np.argwhere(surface) + [part.start for part in box]
