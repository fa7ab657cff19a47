"""Inputs under transforms: the result lies where the lesions are seen, and volumes are those that are seen."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from conftest import SPACING, head_arrays, head_matrix
from places import (
    add_transform,
    add_warp,
    grid_matrix,
    largest_distance,
    rotation,
    set_matrix,
    volume_points,
    world_points,
)

from LightSegLib.errors import GeometryError

TRUE_ML = float(head_arrays()[1].sum() * np.prod(SPACING) / 1000)
FLAIR = slicer.vtkMRMLScalarVolumeNode


def lesions_in_world(flair: FLAIR) -> np.ndarray:
    return volume_points(flair, head_arrays()[1] > 0)


def segment(logic: Any, bundle: Path, **nodes: Any) -> Any:
    reference = nodes.pop("reference", None)
    return logic.segment(model=bundle, volumes=nodes, reference=reference)


def test_without_a_transform_the_voxels_are_those_of_the_input(logic: Any, bundle: Path, flair: FLAIR) -> None:
    set_matrix(flair, rotation(20) @ head_matrix())
    result = segment(logic, bundle, FLAIR=flair)
    assert result.segmentation.GetParentTransformNode() is None
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair)) < 1e-6


def test_under_a_rigid_transform_the_result_hangs_under_it_voxel_by_voxel(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    transform = add_transform(scene, rotation(30, shift=(12, -20, 8)), flair)
    result = segment(logic, bundle, FLAIR=flair)
    assert result.segmentation.GetParentTransformNode() is transform
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair)) < 1e-6
    assert result.volumes_ml["White matter hyperintensity"] == pytest.approx(TRUE_ML)
    # and it moves along with the input
    transform.SetMatrixTransformToParent(slicer.vtkMRMLLinearTransformNode().GetMatrixTransformToParent())
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair)) < 1e-6


def test_nested_rigid_transforms_count_together(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    inner = add_transform(scene, rotation(30), flair)
    add_transform(scene, rotation(-50, shift=(0, 30, 0)), inner)
    result = segment(logic, bundle, FLAIR=flair)
    assert result.segmentation.GetParentTransformNode() is inner
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair)) < 1e-6


def test_under_a_scaling_transform_volumes_are_those_in_the_world(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    add_transform(scene, np.diag([1.1, 0.9, 1.2, 1]), flair)
    result = segment(logic, bundle, FLAIR=flair)
    assert result.segmentation.GetParentTransformNode() is None
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair), 99) < 1.5
    assert result.volumes_ml["White matter hyperintensity"] == pytest.approx(TRUE_ML * 1.1 * 0.9 * 1.2, rel=0.1)
    assert "The result is in world space" in " ".join(result.provenance["notes"])


def test_under_a_shearing_transform_the_result_is_in_the_world(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    shear = np.eye(4)
    shear[0, 1], shear[1, 2] = 0.15, -0.1
    add_transform(scene, shear, flair)
    result = segment(logic, bundle, FLAIR=flair)
    assert result.segmentation.GetParentTransformNode() is None
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair), 99) < 2
    assert result.volumes_ml["White matter hyperintensity"] == pytest.approx(TRUE_ML, rel=0.15)
    assert "FLAIR was interpolated in world space" in " ".join(result.provenance["notes"])


def test_under_a_warp_the_result_is_in_the_world(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    add_warp(scene, flair)
    moved = np.linalg.norm(lesions_in_world(flair) - volume_points_without_transform(flair), axis=1)
    assert moved.max() > 6, "a warp that does nothing tests nothing"
    result = segment(logic, bundle, FLAIR=flair)
    assert result.segmentation.GetParentTransformNode() is None
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair), 99) < 2.5


def test_a_warp_over_a_rigid_transform_counts_too(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    inner = add_transform(scene, rotation(25, shift=(4, 5, 6)), flair)
    add_warp(scene, inner)
    result = segment(logic, bundle, FLAIR=flair)
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair), 99) < 2.5


def test_a_second_channel_under_another_transform_is_brought_along(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    """T1 is stored elsewhere; only with its own transform does it lie on the FLAIR."""
    away = rotation(35, shift=(300, 0, 0))
    t1 = slicer.util.addVolumeFromArray(head_arrays()[0], ijkToRAS=np.linalg.inv(away) @ head_matrix(), name="T1")
    with pytest.raises(GeometryError, match='T1 .the volume "T1". covers only 0%'):
        segment(logic, bundle, FLAIR=flair, T1=t1)
    add_transform(scene, away, t1)
    result = segment(logic, bundle, FLAIR=flair, T1=t1)
    assert list(result.provenance["inputs"]) == ["FLAIR", "T1"]
    assert largest_distance(world_points(result.segmentation), lesions_in_world(flair)) < 1e-6


def test_a_transform_that_flattens_is_refused(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    flat = np.diag([1, 1, 1e-9, 1])
    flat[0, 1] = 0.5
    add_transform(scene, flat, flair)
    with pytest.raises(GeometryError, match='The transform above volume "Case 7 FLAIR" flattens it'):
        segment(logic, bundle, FLAIR=flair)


def test_the_input_is_left_as_it_was(logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR) -> None:
    transform = add_warp(scene, flair)
    before = slicer.util.arrayFromVolume(flair).copy(), grid_matrix(flair)
    segment(logic, bundle, FLAIR=flair)
    assert flair.GetParentTransformNode() is transform
    assert np.array_equal(slicer.util.arrayFromVolume(flair), before[0])
    assert np.array_equal(grid_matrix(flair), before[1])


def volume_points_without_transform(flair: FLAIR) -> np.ndarray:
    matrix = grid_matrix(flair)
    return np.argwhere(head_arrays()[1] > 0)[:, ::-1] @ matrix[:3, :3].T + matrix[:3, 3]
