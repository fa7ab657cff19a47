"""Scalar volume nodes as images in world space, and images as volume nodes."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
import slicer
import vtk
from vtk.util import numpy_support

from LightSegLib.errors import InputError
from LightSegLib.slicer_bridge.grids import Grid, matrix_from_vtk, vtk_from_matrix, world_grid
from LightSegLib.slicer_bridge.transforms import parent_transform, reslice

__all__ = ["WorldVolume", "node_grid", "show_image", "world_volume"]


@dataclass(frozen=True, eq=False)
class WorldVolume:
    """A volume node's voxels on a grid in world space (RAS), and where results on that grid belong in the scene.

    `array` (z, y, x) is the node's own memory where nothing had to be interpolated. `result_grid` and
    `result_transform`: the grid and the parent transform of a node that is to cover `world_grid` voxel by voxel. Under
    a rigid transform, or none, they are the input's own, so that the result moves along with it. Any other transform
    changes distances: there the result stays in world space, under no transform, and its volumes are those that the
    user sees. `resampled` tells whether the voxels are interpolated (shear, warp).
    """

    array: np.ndarray
    world_grid: Grid
    result_grid: Grid
    result_transform: "slicer.vtkMRMLTransformNode | None"
    resampled: bool

    @property
    def image(self) -> sitk.Image:
        """A copy of the voxels as an image in world space (LPS); for a large scan that takes a while."""
        return self.world_grid.image(self.array)


def node_grid(node: "slicer.vtkMRMLVolumeNode") -> Grid:
    """Return the grid of a volume node in the node's own space."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return Grid(tuple(node.GetImageData().GetDimensions()), matrix_from_vtk(matrix))


def world_volume(node: "slicer.vtkMRMLScalarVolumeNode") -> WorldVolume:
    """Return the voxels of a scalar volume node in world space, transforms above it applied.

    Without a transform, or under a linear one that keeps the axes at right angles, the voxels are untouched and only
    the geometry moves; under shear or a warp they are interpolated linearly on a grid of the same spacing.
    Errors: InputError if the node is no scalar volume or empty, GeometryError if the transform is degenerate.
    """
    image_data = scalar_image_data(node)
    own, parent = node_grid(node), parent_transform(node)
    if parent.matrix is not None:
        moved = own.moved_by(parent.matrix)
        if moved.is_orthogonal:
            array = _voxels(image_data)
            if parent.is_rigid:
                return WorldVolume(array, moved, own, parent.node, resampled=False)
            return WorldVolume(array, moved, moved, None, resampled=False)
    grid = world_grid(own, parent.points_to_world(), name=f'volume "{node.GetName()}"')
    lowest = image_data.GetScalarRange()[0]
    array = reslice(image_data, own.ijk_to_ras, parent, grid, labels=False, background=lowest)
    return WorldVolume(array, grid, grid, None, resampled=True)


def scalar_image_data(node: "slicer.vtkMRMLVolumeNode") -> vtk.vtkImageData:
    """Return the voxels of a volume node; InputError unless it holds one number per voxel."""
    if node is None or not node.IsA("vtkMRMLScalarVolumeNode"):
        what = "nothing" if node is None else f'{node.GetNodeTagName()} "{node.GetName()}"'
        raise InputError(f"A scalar volume is needed, got {what}: choose a volume node")
    image_data = node.GetImageData()
    if image_data is None or image_data.GetPointData().GetScalars() is None or 0 in image_data.GetDimensions():
        raise InputError(f'The volume "{node.GetName()}" has no voxels: load its image first')
    components = image_data.GetNumberOfScalarComponents()
    if components != 1:
        raise InputError(f'The volume "{node.GetName()}" has {components} values per voxel: choose a scalar volume')
    return image_data


def show_image(node: "slicer.vtkMRMLVolumeNode", image: sitk.Image, volume: WorldVolume) -> None:
    """Give a volume node the voxels of an image that covers `volume` voxel by voxel, at the place of a result."""
    place(node, volume.result_transform)
    node.SetIJKToRASMatrix(vtk_from_matrix(volume.result_grid.ijk_to_ras))
    slicer.util.updateVolumeFromArray(node, sitk.GetArrayFromImage(image))


def place(node: "slicer.vtkMRMLTransformableNode", transform: "slicer.vtkMRMLTransformNode | None") -> None:
    """Put a node under a transform, or under none."""
    node.SetAndObserveTransformNodeID(transform.GetID() if transform is not None else None)


def _voxels(image_data: vtk.vtkImageData) -> np.ndarray:
    scalars = numpy_support.vtk_to_numpy(image_data.GetPointData().GetScalars())
    return scalars.reshape(image_data.GetDimensions()[::-1])
