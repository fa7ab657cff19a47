"""Voxel grids as MRML has them (RAS), as SimpleITK has them (LPS), and the world grid under a transform."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import vtk

from LightSegLib.errors import GeometryError

__all__ = ["Grid", "matrix_from_vtk", "vtk_from_matrix", "world_grid"]

RAS_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
# Registered transforms and headers are rigid within float precision (1e-6); a scaling of 0.01 % is none.
ORTHOGONALITY_TOLERANCE = 1e-4
# Points per axis that measure a transform: a warp of a few centimeters is followed well below a voxel.
LATTICE = 16
# A grid larger than this is the mark of an absurd transform, not of an image.
MAX_VOXELS = 2**30

Matrix = np.ndarray


def matrix_from_vtk(matrix: vtk.vtkMatrix4x4) -> Matrix:
    """Return a vtkMatrix4x4 as an array (4, 4)."""
    return np.array([[matrix.GetElement(row, column) for column in range(4)] for row in range(4)])


def vtk_from_matrix(array: Matrix) -> vtk.vtkMatrix4x4:
    """Return an array (4, 4) as a vtkMatrix4x4."""
    matrix = vtk.vtkMatrix4x4()
    matrix.DeepCopy(np.asarray(array, dtype=float).ravel().tolist())
    return matrix


@dataclass(frozen=True, eq=False)
class Grid:
    """A voxel grid: `size` in voxels (i, j, k) and the matrix (4, 4) from voxel indices to RAS, mm."""

    size: tuple[int, int, int]
    ijk_to_ras: Matrix

    @property
    def spacing_mm(self) -> np.ndarray:
        """The voxel size (i, j, k) in mm."""
        return np.linalg.norm(self.ijk_to_ras[:3, :3], axis=0)

    @property
    def is_orthogonal(self) -> bool:
        """Whether the axes are at right angles, so that an image file can hold the grid."""
        return _is_orthonormal(self.ijk_to_ras[:3, :3] / self.spacing_mm)

    def moved_by(self, matrix: Matrix) -> "Grid":
        """Return this grid after a linear transform (4, 4) in RAS."""
        return Grid(self.size, matrix @ self.ijk_to_ras)

    def image(self, array: np.ndarray) -> sitk.Image:
        """Return an array (z, y, x) on this grid as an image in LPS; the grid must be orthogonal."""
        image = sitk.GetImageFromArray(array)
        lps = RAS_TO_LPS @ self.ijk_to_ras
        image.SetOrigin(lps[:3, 3].tolist())
        image.SetSpacing(self.spacing_mm.tolist())
        # The nearest orthonormal matrix: readers are stricter than ORTHOGONALITY_TOLERANCE.
        left, _, right = np.linalg.svd(lps[:3, :3] / self.spacing_mm)
        image.SetDirection((left @ right).ravel().tolist())
        return image

    @staticmethod
    def of_image(image: sitk.Image) -> "Grid":
        """Return the grid of an image in LPS."""
        lps = np.eye(4)
        lps[:3, :3] = np.reshape(image.GetDirection(), (3, 3)) * np.array(image.GetSpacing())
        lps[:3, 3] = image.GetOrigin()
        return Grid(image.GetSize(), RAS_TO_LPS @ lps)


def is_rigid(matrix: Matrix) -> bool:
    """Return whether a linear transform (4, 4) keeps every distance."""
    return _is_orthonormal(matrix[:3, :3])


def _is_orthonormal(matrix: Matrix) -> bool:
    return bool(np.allclose(matrix.T @ matrix, np.eye(3), atol=ORTHOGONALITY_TOLERANCE))


def world_grid(grid: Grid, to_world: Callable[[np.ndarray], np.ndarray], *, name: str) -> Grid:
    """Return a grid in world space, its axes at right angles, that holds `grid` after it was bent or sheared.

    `to_world` maps points (n, 3) in RAS, mm. Axes and spacing are those of the best linear approximation, so that a
    scaling transform changes the spacing and a rotating one the axes. `name` is what errors call the volume.
    Errors: GeometryError if the transform flattens the volume or blows it up.
    """
    corners = [np.linspace(-0.5, count - 0.5, LATTICE) for count in grid.size]
    ijk = np.stack(np.meshgrid(*corners, indexing="ij"), axis=-1).reshape(-1, 3)
    ijk = np.column_stack([ijk, np.ones(len(ijk))])
    world = to_world((ijk @ grid.ijk_to_ras.T)[:, :3])
    linear = np.linalg.lstsq(ijk, world, rcond=None)[0].T
    left, stretches, right = np.linalg.svd(linear[:, :3])
    spacing = np.linalg.norm(linear[:, :3], axis=0)
    if not np.isfinite(world).all() or stretches[-1] < 1e-3 * stretches[0]:
        raise GeometryError(f"The transform above {name} flattens it: remove or correct the transform")
    axes = left @ right
    along = world @ axes / spacing
    low = along.min(axis=0)
    size = np.ceil(along.max(axis=0) - low).astype(int)
    if np.prod(size.astype(float)) > MAX_VOXELS:
        raise GeometryError(f"The transform above {name} makes it {size} voxels large: remove or correct the transform")
    matrix = np.eye(4)
    matrix[:3, :3] = axes * spacing
    matrix[:3, 3] = axes @ (spacing * (low + 0.5))
    return Grid((int(size[0]), int(size[1]), int(size[2])), matrix)
