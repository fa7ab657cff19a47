"""Grids of volumes: comparison, reorientation and its exact inverse, resampling, overlap.

A grid is size, spacing (mm), origin (mm, LPS) and direction (columns are the axes' unit vectors in LPS).
"""

from itertools import permutations, product

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import GeometryError

__all__ = ["overlap_fraction", "resample_onto", "same_grid", "to_grid_of", "to_lps"]

GRID_TOLERANCE_VOXELS = 0.01
"""Grids whose corners are closer than this part of a voxel are one grid: NIfTI rounds its header to 32 bits."""


def same_grid(a: sitk.Image, b: sitk.Image) -> bool:
    """Tell whether two 3D images have their voxels at the same places, up to a hundredth of a voxel."""
    if a.GetSize() != b.GetSize():
        return False
    apart_mm = np.linalg.norm(_corners(a) - _corners(b), axis=1).max()
    return bool(apart_mm <= GRID_TOLERANCE_VOXELS * min(b.GetSpacing()))


def resample_onto(image: sitk.Image, reference: sitk.Image, *, labels: bool = False, default: float = 0) -> sitk.Image:
    """Sample an image at the voxels of a reference, by their positions in LPS.

    Intensities are interpolated linearly and come back as float32, labels take the nearest voxel and keep their type.
    Voxels outside the image get `default`. The result has exactly the reference's geometry; an image that is on that
    grid already is not interpolated.
    """
    pixel_type = image.GetPixelID() if labels else sitk.sitkFloat32
    if same_grid(image, reference):
        result = sitk.Cast(image, pixel_type)
        result.CopyInformation(reference)
        return result
    interpolator = sitk.sitkNearestNeighbor if labels else sitk.sitkLinear
    return sitk.Resample(image, reference, sitk.Transform(), interpolator, default, pixel_type)


def to_lps(image: sitk.Image) -> sitk.Image:
    """Reorder and flip the axes of a 3D image so that they point as nearly as possible to left, posterior, superior.

    Nothing is interpolated: an oblique image stays oblique, and every voxel keeps its place in the patient.
    Raises GeometryError when the image is not 3D.
    """
    order, flips = _axes_to_lps(image)
    if order != (0, 1, 2):
        image = sitk.PermuteAxes(image, order)
    return sitk.Flip(image, flips) if any(flips) else image


def to_grid_of(image: sitk.Image, original: sitk.Image) -> sitk.Image:
    """Undo `to_lps`: bring an image on the grid of `to_lps(original)` back to the grid of `original`.

    Voxel values are moved, not interpolated; origin, spacing and direction are those of `original`, bit for bit.
    Raises GeometryError when the image is not on the grid of `to_lps(original)`.
    """
    order, flips = _axes_to_lps(original)
    expected_size = tuple(original.GetSize()[axis] for axis in order)
    if image.GetSize() != expected_size:
        raise GeometryError(
            f"An image of size {image.GetSize()} cannot be brought back to a grid that has size {expected_size} in LPS "
            "orientation; resample it onto that grid first."
        )
    if any(flips):
        image = sitk.Flip(image, flips)
    image = sitk.PermuteAxes(image, [order.index(axis) for axis in range(3)])
    if not same_grid(image, original):
        raise GeometryError("The image lies elsewhere than the grid it should return to; resample it onto it instead.")
    image.CopyInformation(original)
    return image


def overlap_fraction(a: sitk.Image, b: sitk.Image) -> float:
    """Return the part of the box of `b` that lies in the box of `a`, 0..1; boxes may be rotated against each other.

    A box spans all voxels of an image including the outer halves of the border voxels.
    """
    from scipy.optimize import linprog
    from scipy.spatial import ConvexHull, HalfspaceIntersection

    # In coordinates where the box of b is the unit cube, both boxes are sets {x: normals @ x <= offsets}.
    corner_b, edges_b = _box(b)
    corner_a, edges_a = _box(a)
    to_a = np.linalg.solve(edges_a, edges_b)
    shift = np.linalg.solve(edges_a, corner_b - corner_a)
    normals = np.vstack([np.eye(3), -np.eye(3), to_a, -to_a])
    offsets = np.concatenate([np.ones(3), np.zeros(3), 1 - shift, shift])
    lengths = np.linalg.norm(normals, axis=1)
    # Center and radius of the largest ball in the intersection: none means that the boxes do not meet.
    ball = linprog(
        [0, 0, 0, -1], A_ub=np.column_stack([normals, lengths]), b_ub=offsets, bounds=[(None, None)] * 3 + [(0, None)]
    )
    if ball.status != 0 or ball.x[3] < 1e-6:
        return 0.0
    intersection = HalfspaceIntersection(np.column_stack([normals, -offsets]), ball.x[:3])
    return float(min(1.0, ConvexHull(intersection.intersections).volume))


def _axes_to_lps(image: sitk.Image) -> tuple[tuple[int, int, int], tuple[bool, bool, bool]]:
    """Return, for the x, y, z axes of the LPS image, the axis of `image` each comes from and whether it is flipped.

    Worked out from the direction alone and always the same for it, so that `to_grid_of` inverts `to_lps` even where
    two choices are equally near (axes at 45 degrees).
    """
    if image.GetDimension() != 3:
        raise GeometryError(f"Only 3D images can be oriented, but this one has {image.GetDimension()} dimensions.")
    direction = np.array(image.GetDirection()).reshape(3, 3)
    choices: list[tuple[int, int, int]] = list(permutations(range(3)))  # type: ignore[arg-type]
    # Rounded, so that noise in the last bits does not decide between equally near choices.
    alignment = [round(sum(abs(direction[row, axis]) for row, axis in enumerate(order)), 9) for order in choices]
    order = choices[int(np.argmax(alignment))]
    first, second, third = (bool(direction[row, axis] < 0) for row, axis in enumerate(order))
    return order, (first, second, third)


def _corners(image: sitk.Image) -> np.ndarray:
    """Return the centers of the eight corner voxels in LPS, mm: array (8, 3)."""
    last = [size - 1 for size in image.GetSize()]
    return np.array([image.TransformIndexToPhysicalPoint(index) for index in product(*((0, end) for end in last))])


def _box(image: sitk.Image) -> tuple[np.ndarray, np.ndarray]:
    """Return the corner of the image's box at index -0.5 and its three edges as columns, in LPS, mm."""
    corner = np.array(image.TransformContinuousIndexToPhysicalPoint([-0.5] * 3))
    direction = np.array(image.GetDirection()).reshape(3, 3)
    return corner, direction * (np.array(image.GetSpacing()) * np.array(image.GetSize()))
