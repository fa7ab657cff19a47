"""Volume nodes become images in LPS and come back, oblique ones too."""

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from conftest import head_arrays, head_matrix
from places import grid_matrix, rotation, set_matrix

from LightSegLib.errors import InputError
from LightSegLib.slicer_bridge.volumes import show_image, world_volume


def test_a_point_is_at_the_same_place_in_lps_and_ras(flair: slicer.vtkMRMLScalarVolumeNode) -> None:
    oblique = rotation(25, shift=(5, -7, 9)) @ head_matrix()
    set_matrix(flair, oblique)
    image = world_volume(flair).image
    index = (10, 20, 30)
    ras = (oblique @ [*index, 1])[:3]
    assert image.TransformIndexToPhysicalPoint(index) == pytest.approx((-ras[0], -ras[1], ras[2]), abs=1e-9)
    assert image[index] == slicer.util.arrayFromVolume(flair)[index[::-1]]
    assert image.GetSpacing() == pytest.approx((1.5, 1.5, 2.0))


def test_a_left_handed_grid_stays_left_handed(flair: slicer.vtkMRMLScalarVolumeNode) -> None:
    set_matrix(flair, head_matrix() @ np.diag([-1, 1, 1, 1]))
    direction = np.reshape(world_volume(flair).image.GetDirection(), (3, 3))
    assert np.linalg.det(direction) == pytest.approx(-1)


@pytest.mark.parametrize("kind", [np.uint8, np.int16, np.uint16, np.int32, np.float32, np.float64])
def test_the_pixel_type_is_kept(scene: slicer.vtkMRMLScene, kind: type) -> None:
    node = slicer.util.addVolumeFromArray(head_arrays()[0].clip(0).astype(kind), ijkToRAS=head_matrix())
    assert sitk.GetArrayFromImage(world_volume(node).image).dtype == kind


def test_an_image_comes_back_to_the_grid_it_came_from(
    scene: slicer.vtkMRMLScene, flair: slicer.vtkMRMLScalarVolumeNode
) -> None:
    set_matrix(flair, rotation(40) @ head_matrix())
    volume = world_volume(flair)
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    show_image(node, volume.image, volume)
    assert np.array_equal(slicer.util.arrayFromVolume(node), slicer.util.arrayFromVolume(flair))
    assert grid_matrix(node) == pytest.approx(grid_matrix(flair), abs=1e-12)


def test_a_color_volume_is_refused(scene: slicer.vtkMRMLScene) -> None:
    node = slicer.util.addVolumeFromArray(
        np.zeros((4, 5, 6, 3), np.uint8), name="Photo", nodeClassName="vtkMRMLVectorVolumeNode"
    )
    with pytest.raises(InputError, match='"Photo" has 3 values per voxel: choose a scalar volume'):
        world_volume(node)


def test_an_empty_volume_is_refused(scene: slicer.vtkMRMLScene) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Nothing")
    with pytest.raises(InputError, match='"Nothing" has no voxels'):
        world_volume(node)


def test_what_is_no_volume_is_refused(scene: slicer.vtkMRMLScene) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLModelNode", "Skull")
    with pytest.raises(InputError, match='A scalar volume is needed, got Model "Skull"'):
        world_volume(node)
