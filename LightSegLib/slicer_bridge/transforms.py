"""What the parent transform of a node does between its own space and the world."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support

from LightSegLib.slicer_bridge.grids import Grid, is_rigid, matrix_from_vtk, vtk_from_matrix

__all__ = ["ParentTransform", "parent_transform", "reslice"]


@dataclass(frozen=True, eq=False)
class ParentTransform:
    """The transform above a node, all levels combined: `matrix` (4, 4) in RAS if it is linear, else None."""

    node: Any  # vtkMRMLTransformNode, or None
    matrix: np.ndarray | None

    @property
    def is_rigid(self) -> bool:
        """Whether world space and the node's own space differ by a rigid motion, or not at all."""
        return self.matrix is not None and is_rigid(self.matrix)

    def from_world(self) -> vtk.vtkAbstractTransform:
        """Return the transform from the world to the node's own space, RAS, mm."""
        if self.matrix is not None:
            transform = vtk.vtkTransform()
            transform.SetMatrix(vtk_from_matrix(np.linalg.inv(self.matrix)))
            return transform
        general = vtk.vtkGeneralTransform()
        self.node.GetTransformFromWorld(general)
        return general

    def points_to_world(self) -> Callable[[np.ndarray], np.ndarray]:
        """Return a function that takes points (n, 3) from the node's own space to the world, RAS, mm."""
        matrix = self.matrix
        if matrix is not None:
            return lambda points: points @ matrix[:3, :3].T + matrix[:3, 3]
        general = vtk.vtkGeneralTransform()
        self.node.GetTransformToWorld(general)

        def move(points: np.ndarray) -> np.ndarray:
            source, target = vtk.vtkPoints(), vtk.vtkPoints()
            source.SetData(numpy_support.numpy_to_vtk(np.ascontiguousarray(points, dtype=float)))
            target.SetDataTypeToDouble()
            general.TransformPoints(source, target)
            return numpy_support.vtk_to_numpy(target.GetData())

        return move


def parent_transform(node: "slicer.vtkMRMLTransformableNode") -> ParentTransform:
    """Return what lies between `node` and the world."""
    parent = node.GetParentTransformNode()
    if parent is None:
        return ParentTransform(None, np.eye(4))
    if not parent.IsTransformToWorldLinear():
        return ParentTransform(parent, None)
    matrix = vtk.vtkMatrix4x4()
    parent.GetMatrixTransformToWorld(matrix)
    return ParentTransform(parent, matrix_from_vtk(matrix))


def reslice(
    image_data: vtk.vtkImageData,
    ijk_to_ras: np.ndarray,
    parent: ParentTransform,
    grid: Grid,
    *,
    labels: bool,
    background: float = 0.0,
) -> np.ndarray:
    """Sample an image that hangs under `parent` at the voxels of `grid`, which is in world space.

    `image_data` holds voxels only, its own spacing and origin are ignored; `ijk_to_ras` (4, 4) leads to the node's
    own space. Nearest neighbor for `labels`, else linear; `background` outside the image. Returns an array (z, y, x).
    """
    indexed = vtk.vtkImageData()
    indexed.ShallowCopy(image_data)
    indexed.SetOrigin(0, 0, 0)
    indexed.SetSpacing(1, 1, 1)
    indexed.SetDirectionMatrix(1, 0, 0, 0, 1, 0, 0, 0, 1)
    ras_to_ijk = np.linalg.inv(ijk_to_ras)
    transform: vtk.vtkAbstractTransform
    if parent.matrix is not None:
        transform = vtk.vtkTransform()
        transform.SetMatrix(vtk_from_matrix(ras_to_ijk @ np.linalg.inv(parent.matrix) @ grid.ijk_to_ras))
    else:
        transform = vtk.vtkGeneralTransform()
        transform.PostMultiply()
        transform.Concatenate(vtk_from_matrix(grid.ijk_to_ras))
        transform.Concatenate(parent.from_world())
        transform.Concatenate(vtk_from_matrix(ras_to_ijk))
    filter_ = vtk.vtkImageReslice()
    filter_.SetInputData(indexed)
    filter_.SetResliceTransform(transform)
    filter_.SetOutputSpacing(1, 1, 1)
    filter_.SetOutputOrigin(0, 0, 0)
    filter_.SetOutputExtent(0, grid.size[0] - 1, 0, grid.size[1] - 1, 0, grid.size[2] - 1)
    filter_.SetBackgroundLevel(background)
    if labels:
        filter_.SetInterpolationModeToNearestNeighbor()
    else:
        filter_.SetInterpolationModeToLinear()
    filter_.Update()
    scalars = numpy_support.vtk_to_numpy(filter_.GetOutput().GetPointData().GetScalars())
    return scalars.reshape(grid.size[::-1]).copy()
