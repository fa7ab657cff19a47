"""A .seg.nrrd file that the library wrote, read and saved again by 3D Slicer's own segmentation storage."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
import vtk
from vtk.util.numpy_support import vtk_to_numpy

from LightSegLib.segments import Code, Segment, Terminology
from LightSegLib.volumes import read_labelmap, same_grid
from LightSegLib.writers import write_labelmap

TISSUE = Terminology(Code("SCT", "85756007", "Tissue"), Code("SCT", "85756007", "Tissue"))
SEGMENTS = (
    Segment(1, "Läsionen", (255, 0, 51), TISSUE),
    Segment(3, "Brain", (0, 102, 255), TISSUE),
    Segment(7, "Empty", (0, 255, 0), TISSUE),
)


@pytest.fixture
def labelmap() -> sitk.Image:
    """Two segments on an oblique, left-handed grid."""
    array = np.zeros((6, 7, 8), np.uint8)
    array[1:3, 2:4, 3:6] = 1
    array[4, 5, 6] = 3
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((0.9, 0.8, 3.3))
    image.SetOrigin((10, -20, 33.3))
    image.SetDirection((0.8, -0.6, 0, 0.6, 0.8, 0, 0, 0, -1))
    return image


@pytest.fixture
def loaded(scene: "slicer.vtkMRMLScene", labelmap: sitk.Image, tmp_path: Path) -> "slicer.vtkMRMLSegmentationNode":
    """The segmentation node that Slicer makes of the file."""
    write_labelmap(labelmap, tmp_path / "seg.seg.nrrd", segments=SEGMENTS)
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage(scene, tmp_path / "seg.seg.nrrd").ReadData(node)
    return node


def storage(scene: "slicer.vtkMRMLScene", path: Path) -> "slicer.vtkMRMLSegmentationStorageNode":
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    node.SetFileName(str(path))
    return node


def test_slicer_shows_the_segments(loaded):
    segmentation = loaded.GetSegmentation()
    assert segmentation.GetNumberOfSegments() == len(SEGMENTS)
    for number, expected in enumerate(SEGMENTS):
        segment = segmentation.GetNthSegment(number)
        assert segment.GetName() == expected.name
        assert segment.GetLabelValue() == expected.value
        assert segment.GetTerminology() == expected.terminology_tag()
        np.testing.assert_allclose(segment.GetColor(), np.array(expected.color) / 255, atol=1e-5)


def test_slicer_reads_the_voxels_where_they_are(loaded, labelmap):
    shared = loaded.GetSegmentation().GetNthSegment(0).GetRepresentation("Binary labelmap")
    array = vtk_to_numpy(shared.GetPointData().GetScalars()).reshape(labelmap.GetSize()[::-1])
    assert np.array_equal(array, sitk.GetArrayFromImage(labelmap))
    matrix = vtk.vtkMatrix4x4()
    shared.GetImageToWorldMatrix(matrix)
    x, y, z = labelmap.TransformIndexToPhysicalPoint((3, 2, 5))
    np.testing.assert_allclose(matrix.MultiplyPoint((3, 2, 5, 1))[:3], (-x, -y, z), atol=1e-9)


def test_slicer_saves_it_on_the_same_grid(scene, loaded, labelmap, tmp_path):
    assert storage(scene, tmp_path / "again.seg.nrrd").WriteData(loaded)
    again = read_labelmap(tmp_path / "again.seg.nrrd")
    assert same_grid(again, labelmap)
    assert np.array_equal(sitk.GetArrayFromImage(again), sitk.GetArrayFromImage(labelmap))
