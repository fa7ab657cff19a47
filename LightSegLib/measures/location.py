"""Where in a labelmap there is something to look at."""

import numpy as np
import SimpleITK as sitk
from scipy.ndimage import find_objects, label

__all__ = ["largest_finding_mm"]

CONNECTIVITY = np.ones((3, 3, 3), dtype=bool)


def largest_finding_mm(labelmap: sitk.Image) -> tuple[float, float, float] | None:
    """Return a point within the largest connected part of all labels together (LPS, mm); None if there is none.

    It lies in the slice with most of that part, at the voxel that is nearest to the part's center there, and so also
    within a part that is bent around its center. Voxels that share a face, an edge or a corner are connected.
    """
    array = sitk.GetArrayViewFromImage(labelmap)
    boxes = [box for box in find_objects(array) if box is not None]
    if not boxes:
        return None
    # Only their common box: a scan may be much larger.
    start = [min(box[axis].start for box in boxes) for axis in range(3)]
    stop = [max(box[axis].stop for box in boxes) for axis in range(3)]
    parts, _ = label(array[tuple(slice(*ends) for ends in zip(start, stop, strict=True))] > 0, CONNECTIVITY)
    largest = parts == 1 + np.argmax(np.bincount(parts.ravel())[1:])
    z = int(np.argmax(largest.sum(axis=(1, 2))))
    there = np.argwhere(largest[z])
    y, x = there[np.argmin(((there - there.mean(axis=0)) ** 2).sum(axis=1))]
    index = (int(x) + start[2], int(y) + start[1], z + start[0])
    return tuple(labelmap.TransformIndexToPhysicalPoint(index))
