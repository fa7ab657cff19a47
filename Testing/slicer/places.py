"""Where a segmentation lies in world space, whatever node and transform hold it."""

import numpy as np
import slicer
import vtk
from vtk.util import numpy_support


def world_points(node: slicer.vtkMRMLSegmentationNode, segment_id: str | None = None) -> np.ndarray:
    """The centers of a segment's voxels in world space, (n, 3) in RAS, mm; computed point by point."""
    segmentation = node.GetSegmentation()
    segment = segmentation.GetSegment(segment_id or segmentation.GetNthSegmentID(0))
    image = segment.GetRepresentation("Binary labelmap")
    voxels = numpy_support.vtk_to_numpy(image.GetPointData().GetScalars()).reshape(image.GetDimensions()[::-1])
    ijk = np.argwhere(voxels == segment.GetLabelValue())[:, ::-1] + np.array(image.GetExtent()[::2])
    matrix = vtk.vtkMatrix4x4()
    image.GetImageToWorldMatrix(matrix)
    return to_world(node, ijk @ as_array(matrix)[:3, :3].T + as_array(matrix)[:3, 3])


def volume_points(node: slicer.vtkMRMLVolumeNode, mask: np.ndarray) -> np.ndarray:
    """The world positions (n, 3) of the voxels of a volume node that are set in `mask` (k, j, i)."""
    matrix = grid_matrix(node)
    return to_world(node, np.argwhere(mask)[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3])


def to_world(node: slicer.vtkMRMLTransformableNode, points: np.ndarray) -> np.ndarray:
    parent = node.GetParentTransformNode()
    if parent is None:
        return points
    transform = vtk.vtkGeneralTransform()
    parent.GetTransformToWorld(transform)
    return np.array([transform.TransformPoint(point) for point in points])


def largest_distance(points: np.ndarray, others: np.ndarray, percent: float = 100) -> float:
    """The given percentile of the distances from each point to the nearest of the others, both ways, in mm."""
    from scipy.spatial import cKDTree

    there, back = cKDTree(others).query(points)[0], cKDTree(points).query(others)[0]
    return float(max(np.percentile(there, percent), np.percentile(back, percent)))


def as_array(matrix: vtk.vtkMatrix4x4) -> np.ndarray:
    return np.array([[matrix.GetElement(r, c) for c in range(4)] for r in range(4)])


def grid_matrix(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """The matrix (4, 4) from voxels to the node's own space."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return as_array(matrix)


def set_matrix(node: slicer.vtkMRMLVolumeNode, matrix: np.ndarray) -> None:
    elements = vtk.vtkMatrix4x4()
    elements.DeepCopy(np.asarray(matrix, float).ravel().tolist())
    node.SetIJKToRASMatrix(elements)


def rotation(degrees: float, *, shift: tuple[float, float, float] = (0, 0, 0)) -> np.ndarray:
    """A rotation about an oblique axis, and a shift in mm."""
    transform = vtk.vtkTransform()
    transform.Translate(*shift)
    transform.RotateWXYZ(degrees, 0.3, -0.5, 0.8)
    return as_array(transform.GetMatrix())


def add_transform(
    scene: slicer.vtkMRMLScene, matrix: np.ndarray, *children: slicer.vtkMRMLTransformableNode
) -> slicer.vtkMRMLLinearTransformNode:
    """A linear transform node above `children`."""
    node = scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    elements = vtk.vtkMatrix4x4()
    elements.DeepCopy(np.asarray(matrix, float).ravel().tolist())
    node.SetMatrixTransformToParent(elements)
    for child in children:
        child.SetAndObserveTransformNodeID(node.GetID())
    return node


def add_warp(
    scene: slicer.vtkMRMLScene, *children: slicer.vtkMRMLTransformableNode, by_mm: float = 6
) -> slicer.vtkMRMLGridTransformNode:
    """A displacement field above `children`: everything moves along a smooth wave, nothing tears."""
    x, y, z = np.meshgrid(*(np.arange(-100, 101, 10),) * 3, indexing="ij")
    wave = np.stack([np.sin(y / 30), np.cos(z / 35) + 1, np.sin(x / 40)], axis=-1) * by_mm
    field = vtk.vtkImageData()
    field.SetDimensions(21, 21, 21)
    field.SetOrigin(-100, -100, -100)
    field.SetSpacing(10, 10, 10)
    vectors = numpy_support.numpy_to_vtk(wave.transpose(2, 1, 0, 3).reshape(-1, 3).copy(), deep=True)
    field.GetPointData().SetScalars(vectors)
    transform = slicer.vtkOrientedGridTransform()
    transform.SetDisplacementGridData(field)
    transform.SetInterpolationModeToCubic()
    node = scene.AddNewNodeByClass("vtkMRMLGridTransformNode")
    node.SetAndObserveTransformToParent(transform)
    for child in children:
        child.SetAndObserveTransformNodeID(node.GetID())
    return node
