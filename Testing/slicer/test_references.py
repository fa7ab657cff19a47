"""References of every kind, on other grids and under transforms, are compared in world space."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from conftest import head_arrays, head_matrix
from places import add_transform, add_warp, rotation, set_matrix

from LightSegLib.errors import GeometryError, InputError
from LightSegLib.segments import Code, Segment, Terminology
from LightSegLib.slicer_bridge.grids import Grid
from LightSegLib.slicer_bridge.references import labelmap_of

SCENE = slicer.vtkMRMLScene
LABELMAP = slicer.vtkMRMLLabelMapVolumeNode
WMH = Segment(
    value=1,
    name="White matter hyperintensity",
    color=(230, 90, 60),
    terminology=Terminology(Code("SCT", "49755003", "Altered"), Code("SCT", "6103006", "White matter lesion")),
)
CORE = Segment(
    value=2,
    name="Core",
    color=(9, 9, 9),
    terminology=Terminology(Code("SCT", "49755003", "Altered"), Code("SCT", "86049000", "Neoplasm")),
)


def grid() -> Grid:
    lesions = head_arrays()[1]
    return Grid(lesions.shape[::-1], head_matrix())


def dice(labels: sitk.Image, expected: np.ndarray) -> float:
    array = sitk.GetArrayFromImage(labels) > 0
    return float(2 * np.sum(array & (expected > 0)) / (array.sum() + np.sum(expected > 0)))


def as_segmentation(scene: SCENE, labelmap: LABELMAP) -> slicer.vtkMRMLSegmentationNode:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Expert segmentation")
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labelmap, node)
    return node


def test_a_labelmap_on_the_same_grid_is_taken_voxel_by_voxel(truth: LABELMAP) -> None:
    labels = labelmap_of(truth, grid(), [WMH])
    assert np.array_equal(sitk.GetArrayViewFromImage(labels), head_arrays()[1])


def test_a_segmentation_is_taken_voxel_by_voxel(scene: SCENE, truth: LABELMAP) -> None:
    labels = labelmap_of(as_segmentation(scene, truth), grid(), [WMH])
    assert np.array_equal(sitk.GetArrayViewFromImage(labels), head_arrays()[1])


@pytest.mark.parametrize("as_node", [lambda scene, node: node, as_segmentation], ids=["labelmap", "segmentation"])
def test_a_rotated_finer_grid_gives_the_same_lesions(scene: SCENE, as_node: Any) -> None:
    """The lesions sampled on a 1 mm grid that stands at an angle."""
    matrix = rotation(33) @ np.diag([1, 1, 1, 1.0])
    matrix[:3, 3] = matrix[:3, :3] @ [-60, -60, -60]
    ijk = np.stack(np.meshgrid(*(np.arange(120),) * 3, indexing="ij"), axis=-1)
    inverse = np.linalg.inv(head_matrix()) @ matrix
    there = np.rint(ijk @ inverse[:3, :3].T + inverse[:3, 3]).astype(int)
    inside = np.all((there >= 0) & (there < grid().size), axis=-1)
    fine = np.zeros((120, 120, 120), np.uint8)
    fine[inside] = head_arrays()[1][there[inside][:, 2], there[inside][:, 1], there[inside][:, 0]]
    node = slicer.util.addVolumeFromArray(
        fine.transpose(2, 1, 0).copy(), ijkToRAS=matrix, nodeClassName="vtkMRMLLabelMapVolumeNode"
    )
    assert dice(labelmap_of(as_node(scene, node), grid(), [WMH]), head_arrays()[1]) > 0.9


@pytest.mark.parametrize("as_node", [lambda scene, node: node, as_segmentation], ids=["labelmap", "segmentation"])
def test_a_linear_transform_above_the_reference_counts(scene: SCENE, truth: LABELMAP, as_node: Any) -> None:
    away = rotation(60, shift=(80, -40, 30))
    set_matrix(truth, np.linalg.inv(away) @ head_matrix())
    node = as_node(scene, truth)
    add_transform(scene, away, node)
    labels = labelmap_of(node, grid(), [WMH])
    assert np.array_equal(sitk.GetArrayViewFromImage(labels), head_arrays()[1])


@pytest.mark.parametrize("as_node", [lambda scene, node: node, as_segmentation], ids=["labelmap", "segmentation"])
def test_a_warp_above_the_reference_counts(
    logic: Any, bundle: Path, scene: SCENE, flair: slicer.vtkMRMLScalarVolumeNode, truth: LABELMAP, as_node: Any
) -> None:
    """Input and reference under one warp agree; the reference alone under it does not."""
    node = as_node(scene, truth)
    warp = add_warp(scene, node)
    apart = logic.segment(model=bundle, volumes={"FLAIR": flair}, reference=node)
    assert apart.agreement.dice < 0.6
    flair.SetAndObserveTransformNodeID(warp.GetID())
    together = logic.segment(model=bundle, volumes={"FLAIR": flair}, reference=node)
    assert together.agreement.dice > 0.85


def test_surfaces_alone_are_filled(scene: SCENE, truth: LABELMAP) -> None:
    away = rotation(15, shift=(0, 0, 50))
    set_matrix(truth, np.linalg.inv(away) @ head_matrix())
    node = as_segmentation(scene, truth)
    node.CreateClosedSurfaceRepresentation()
    node.GetSegmentation().SetSourceRepresentationName("Closed surface")
    node.RemoveBinaryLabelmapRepresentation()
    add_transform(scene, away, node)
    assert dice(labelmap_of(node, grid(), [WMH]), head_arrays()[1]) > 0.85
    assert not node.GetSegmentation().ContainsRepresentation("Binary labelmap"), "the node is left as it was"


def test_any_single_value_stands_for_the_only_segment(scene: SCENE) -> None:
    node = slicer.util.addVolumeFromArray(
        head_arrays()[1] * 255, ijkToRAS=head_matrix(), nodeClassName="vtkMRMLLabelMapVolumeNode"
    )
    assert set(np.unique(sitk.GetArrayFromImage(labelmap_of(node, grid(), [WMH])))) == {0, 1}


def test_a_mask_in_an_ordinary_volume_node_will_do(scene: SCENE) -> None:
    node = slicer.util.addVolumeFromArray(head_arrays()[1].astype(float), ijkToRAS=head_matrix())
    assert dice(labelmap_of(node, grid(), [WMH]), head_arrays()[1]) == 1


def test_of_several_segments_the_one_of_that_name_is_compared(scene: SCENE, truth: LABELMAP) -> None:
    node = as_segmentation(scene, truth)
    node.GetSegmentation().GetNthSegment(0).SetName("white matter HYPERINTENSITY")
    node.GetSegmentation().AddEmptySegment("other", "Ventricles")
    assert dice(labelmap_of(node, grid(), [WMH]), head_arrays()[1]) == 1


def test_of_several_segments_the_one_of_that_terminology_is_compared(scene: SCENE, truth: LABELMAP) -> None:
    node = as_segmentation(scene, truth)
    node.GetSegmentation().GetNthSegment(0).SetName("Läsionen")
    node.GetSegmentation().GetNthSegment(0).SetTag("TerminologyEntry", WMH.terminology_tag())
    node.GetSegmentation().AddEmptySegment("other", "Ventricles")
    assert dice(labelmap_of(node, grid(), [WMH]), head_arrays()[1]) == 1


def test_segments_become_the_values_of_the_model(scene: SCENE, truth: LABELMAP) -> None:
    node = as_segmentation(scene, truth)
    node.GetSegmentation().GetNthSegment(0).SetName("Core")
    node.GetSegmentation().AddEmptySegment("other", WMH.name)
    labels = sitk.GetArrayFromImage(labelmap_of(node, grid(), [WMH, CORE]))
    assert np.array_equal(labels, 2 * head_arrays()[1])


def test_a_missing_segment_is_named(scene: SCENE, truth: LABELMAP) -> None:
    node = as_segmentation(scene, truth)
    node.GetSegmentation().GetNthSegment(0).SetName("Left")
    node.GetSegmentation().AddEmptySegment("right", "Right")
    with pytest.raises(
        InputError, match=r'"Expert segmentation" has no segment for White .* \(its segments: Left, Right\)'
    ):
        labelmap_of(node, grid(), [WMH])


def test_foreign_values_are_refused(scene: SCENE) -> None:
    array = head_arrays()[1].copy()
    array[array > 0] = 7
    array[0, 0, 0] = 9
    node = slicer.util.addVolumeFromArray(
        array, ijkToRAS=head_matrix(), name="Parcels", nodeClassName="vtkMRMLLabelMapVolumeNode"
    )
    with pytest.raises(InputError, match='"Parcels" has 2 values, none of them 1'):
        labelmap_of(node, grid(), [WMH])


def test_a_reference_elsewhere_is_refused(scene: SCENE, truth: LABELMAP) -> None:
    add_transform(scene, rotation(0, shift=(500, 0, 0)), truth)
    with pytest.raises(GeometryError, match='"Expert" lies wholly outside the input volume'):
        labelmap_of(truth, grid(), [WMH])


@pytest.mark.parametrize("as_node", [lambda scene, node: node, as_segmentation], ids=["labelmap", "segmentation"])
def test_an_empty_reference_is_a_reference(scene: SCENE, truth: LABELMAP, as_node: Any) -> None:
    node = as_node(scene, truth)
    if node is truth:
        slicer.util.updateVolumeFromArray(truth, np.zeros_like(head_arrays()[1]))
    else:
        node.GetSegmentation().RemoveAllSegments()
        node.GetSegmentation().AddEmptySegment("none", "No lesions")
    assert not sitk.GetArrayFromImage(labelmap_of(node, grid(), [WMH])).any()


def test_what_is_no_reference_is_refused(scene: SCENE) -> None:
    model = scene.AddNewNodeByClass("vtkMRMLModelNode", "Skull")
    with pytest.raises(InputError, match='must be a segmentation or a labelmap volume, got Model "Skull"'):
        labelmap_of(model, grid(), [WMH])


def test_agreement_is_measured_against_a_reference_on_another_grid(
    logic: Any, bundle: Path, scene: SCENE, flair: slicer.vtkMRMLScalarVolumeNode, truth: LABELMAP
) -> None:
    """Both under one rigid transform, the reference also stored with flipped axes."""
    flipped = head_matrix() @ np.diag([-1, 1, 1, 1.0])
    flipped[:3, 3] += head_matrix()[:3, 0] * (grid().size[0] - 1)
    slicer.util.updateVolumeFromArray(truth, head_arrays()[1][:, :, ::-1].copy())
    set_matrix(truth, flipped)
    add_transform(scene, rotation(12, shift=(3, 4, 5)), flair, truth)
    result = logic.segment(model=bundle, volumes={"FLAIR": flair}, reference=truth)
    assert result.agreement.dice == 1
    assert result.agreement.hd95_mm == 0
