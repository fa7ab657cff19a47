"""A labelmap as a segmentation node: segments with names, colors and terminology, on the input's grid."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import SimpleITK as sitk
import slicer
from vtk.util import numpy_support

from LightSegLib.errors import InputError
from LightSegLib.segments import Segment
from LightSegLib.slicer_bridge.grids import vtk_from_matrix
from LightSegLib.slicer_bridge.volumes import WorldVolume, place

__all__ = ["check_output", "show_segmentation"]

BINARY = "Binary labelmap"


def check_output(node: Any, *, reference: Any) -> None:
    """Raise InputError unless `node` can take the result: a segmentation node, or None for a new one."""
    if node is None:
        return
    if not node.IsA("vtkMRMLSegmentationNode"):
        raise InputError(f'The output "{node.GetName()}" is no segmentation: choose a segmentation node')
    if node is reference:
        raise InputError(f'"{node.GetName()}" is output and reference at once: choose another output')


def show_segmentation(
    node: "slicer.vtkMRMLSegmentationNode",
    labelmap: sitk.Image,
    segments: Sequence[Segment],
    volume: WorldVolume,
    input_node: "slicer.vtkMRMLScalarVolumeNode",
) -> None:
    """Replace the content of a segmentation node by `segments` of a labelmap that covers `volume` voxel by voxel.

    The node goes under the transform where results on `volume` belong; its reference geometry is the input's grid,
    unless that was resampled. Segments without a voxel are there too, empty.
    """
    image_data = _oriented(labelmap, volume)
    modified = node.StartModify()
    segmentation = node.GetSegmentation()
    segmentation.RemoveAllSegments()
    segmentation.SetSourceRepresentationName(BINARY)
    place(node, volume.result_transform)
    for segment in segments:
        entry = slicer.vtkSegment()
        entry.SetName(segment.name)
        entry.SetColor(*(channel / 255 for channel in segment.color))
        entry.SetLabelValue(segment.value)
        entry.SetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), segment.terminology_tag())
        entry.AddRepresentation(BINARY, image_data)
        segmentation.AddSegment(entry, f"Segment_{segment.value}")
    _set_reference_geometry(node, volume, input_node)
    node.CreateDefaultDisplayNodes()
    node.EndModify(modified)


def _oriented(labelmap: sitk.Image, volume: WorldVolume) -> "slicer.vtkOrientedImageData":
    array = sitk.GetArrayFromImage(labelmap)
    image_data = slicer.vtkOrientedImageData()
    image_data.SetDimensions(*volume.result_grid.size)
    image_data.SetImageToWorldMatrix(vtk_from_matrix(volume.result_grid.ijk_to_ras))
    scalars = numpy_support.numpy_to_vtk(np.ascontiguousarray(array).ravel(), deep=True)
    scalars.SetName("ImageScalars")
    image_data.GetPointData().SetScalars(scalars)
    return image_data


def _set_reference_geometry(
    node: "slicer.vtkMRMLSegmentationNode", volume: WorldVolume, input_node: "slicer.vtkMRMLScalarVolumeNode"
) -> None:
    # This also sets the reference to the volume node that Segment Editor starts from.
    node.SetReferenceImageGeometryParameterFromVolumeNode(input_node)
    if volume.result_transform is input_node.GetParentTransformNode() and not volume.resampled:
        return
    size = volume.result_grid.size
    geometry = slicer.vtkSegmentationConverter.SerializeImageGeometry(
        vtk_from_matrix(volume.result_grid.ijk_to_ras), [0, size[0] - 1, 0, size[1] - 1, 0, size[2] - 1]
    )
    parameter = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    node.GetSegmentation().SetConversionParameter(parameter, geometry)
