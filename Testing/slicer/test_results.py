"""What appears in the scene: segmentation, table, their places, and what happens to nodes that are there already."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
import vtk
from conftest import head_arrays, head_matrix
from places import grid_matrix, rotation, set_matrix

from LightSegLib.errors import BundleError, ChannelError, InputError

SCENE = slicer.vtkMRMLScene
FLAIR = slicer.vtkMRMLScalarVolumeNode


@pytest.fixture
def result(logic: Any, bundle: Path, flair: FLAIR, truth: slicer.vtkMRMLLabelMapVolumeNode) -> Any:
    return logic.segment(model=bundle, volumes={"FLAIR": flair}, reference=truth)


def only_segment(node: slicer.vtkMRMLSegmentationNode) -> slicer.vtkSegment:
    assert node.GetSegmentation().GetNumberOfSegments() == 1
    return node.GetSegmentation().GetNthSegment(0)


def test_the_segment_has_name_color_and_terminology(result: Any) -> None:
    segment = only_segment(result.segmentation)
    assert segment.GetName() == "White matter hyperintensity"
    assert np.round(np.array(segment.GetColor()) * 255).tolist() == [230, 90, 60]
    tag = vtk.reference("")
    assert segment.GetTag("TerminologyEntry", tag)
    parts = str(tag).split("~")
    assert parts[1] == "SCT^49755003^Morphologically Altered Structure"
    assert parts[2] == "SCT^6103006^White matter lesion"
    assert parts[5] == "SCT^12738006^Brain"


def test_slicer_s_own_terminology_logic_reads_the_tag(result: Any) -> None:
    tag = vtk.reference("")
    only_segment(result.segmentation).GetTag("TerminologyEntry", tag)
    entry = slicer.vtkSlicerTerminologyEntry()
    assert slicer.vtkSlicerTerminologiesModuleLogic.DeserializeTerminologyEntry(str(tag), entry)
    assert entry.GetTypeObject().GetCodeMeaning() == "White matter lesion"
    assert entry.GetAnatomicRegionObject().GetCodeValue() == "12738006"


def test_the_reference_geometry_is_the_input_s(logic: Any, bundle: Path, flair: FLAIR) -> None:
    set_matrix(flair, rotation(20) @ head_matrix())
    node = logic.segment(model=bundle, volumes={"FLAIR": flair}).segmentation
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert node.GetNodeReference(role) is flair
    name = slicer.vtkSegmentationConverter.GetReferenceImageGeometryParameterName()
    geometry = slicer.vtkOrientedImageData()
    text = node.GetSegmentation().GetConversionParameter(name)
    slicer.vtkSegmentationConverter.DeserializeImageGeometry(text, geometry, False)
    matrix = vtk.vtkMatrix4x4()
    geometry.GetImageToWorldMatrix(matrix)
    assert slicer.util.arrayFromVTKMatrix(matrix) == pytest.approx(grid_matrix(flair), abs=1e-4)
    assert geometry.GetDimensions() == flair.GetImageData().GetDimensions()


def test_slicer_exports_the_segment_to_the_voxels_of_the_input(result: Any, flair: FLAIR) -> None:
    node = result.segmentation
    array = slicer.util.arrayFromSegmentBinaryLabelmap(node, node.GetSegmentation().GetNthSegmentID(0), flair)
    assert np.array_equal(array, head_arrays()[1])


def test_surfaces_can_be_made_of_it(result: Any) -> None:
    assert result.segmentation.CreateClosedSurfaceRepresentation()


def test_it_is_saved_and_loaded_with_its_meaning(result: Any, scene: SCENE, tmp_path: Path) -> None:
    path = str(tmp_path / "result.seg.nrrd")
    storage = scene.AddNewNodeByClass("vtkMRMLSegmentationStorageNode")
    storage.SetFileName(path)
    assert storage.WriteData(result.segmentation)
    loaded = scene.AddNewNodeByClass("vtkMRMLSegmentationNode")
    assert storage.ReadData(loaded)
    assert only_segment(loaded).GetName() == "White matter hyperintensity"


def test_the_table_has_numbers_in_columns(result: Any) -> None:
    table = result.volumes_table
    columns = {table.GetColumnName(i): table.GetTable().GetValue(0, i) for i in range(table.GetNumberOfColumns())}
    assert columns["Segment"].ToString() == "White matter hyperintensity"
    assert columns["Volume [ml]"].ToDouble() == pytest.approx(result.volumes_ml["White matter hyperintensity"])
    assert columns["Lesions"].ToInt() == 3
    table = result.agreement_table
    columns = {table.GetColumnName(i): table.GetTable().GetValue(0, i) for i in range(table.GetNumberOfColumns())}
    assert columns["Dice"].ToDouble() == 1
    assert columns["HD95 [mm]"].ToDouble() == 0


def test_without_a_reference_the_table_has_no_agreement(logic: Any, bundle: Path, flair: FLAIR) -> None:
    result = logic.segment(model=bundle, volumes={"FLAIR": flair})
    assert result.agreement is None
    names = [result.volumes_table.GetColumnName(i) for i in range(result.volumes_table.GetNumberOfColumns())]
    assert names == ["Segment", "Volume [ml]", "Lesions"]


def test_results_are_under_the_input_in_its_study(logic: Any, bundle: Path, scene: SCENE, flair: FLAIR) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    patient = hierarchy.CreateSubjectItem(hierarchy.GetSceneItemID(), "Patient")
    study = hierarchy.CreateStudyItem(patient, "Study")
    hierarchy.CreateItem(study, flair)
    result = logic.segment(model=bundle, volumes={"FLAIR": flair})
    above = {result.volumes_table: result.segmentation, result.segmentation: flair}
    for node, parent in above.items():
        item = hierarchy.GetItemByDataNode(node)
        assert hierarchy.GetItemDataNode(hierarchy.GetItemParent(item)) is parent
        assert hierarchy.GetItemAncestorAtLevel(item, "Study") == study


def test_a_chosen_output_is_replaced_with_its_table(logic: Any, bundle: Path, scene: SCENE, flair: FLAIR) -> None:
    mine = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
    mine.GetSegmentation().AddEmptySegment("old", "Old")
    first = logic.segment(model=bundle, volumes={"FLAIR": flair}, output=mine)
    second = logic.segment(model=bundle, volumes={"FLAIR": flair}, output=mine)
    assert first.segmentation is mine and second.segmentation is mine
    assert second.volumes_table is first.volumes_table
    assert mine.GetName() == "Mine"
    assert only_segment(mine).GetName() == "White matter hyperintensity"


def test_without_an_output_every_run_makes_a_new_one(logic: Any, bundle: Path, flair: FLAIR) -> None:
    first = logic.segment(model=bundle, volumes={"FLAIR": flair})
    second = logic.segment(model=bundle, volumes={"FLAIR": flair})
    assert first.segmentation is not second.segmentation
    assert first.segmentation.GetName() == "Case 7 FLAIR toy-wmh segmentation"
    assert second.segmentation.GetName() != first.segmentation.GetName()


def test_an_input_without_lesions_gives_an_empty_segment(logic: Any, bundle: Path, scene: SCENE) -> None:
    array = head_arrays()[0]
    array[array > 200] = 100
    flair = slicer.util.addVolumeFromArray(array, ijkToRAS=head_matrix(), name="Healthy")
    result = logic.segment(model=bundle, volumes={"FLAIR": flair})
    assert result.volumes_ml == {"White matter hyperintensity": 0}
    assert result.lesion_count == 0
    assert only_segment(result.segmentation).GetName() == "White matter hyperintensity"


def test_probabilities_fill_a_volume_node(logic: Any, bundle: Path, scene: SCENE, flair: FLAIR) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Probabilities")
    result = logic.segment(model=bundle, volumes={"FLAIR": flair}, probabilities=node)
    assert result.probabilities is node
    array = slicer.util.arrayFromVolume(node)
    assert array.dtype == np.float32 and array.min() >= 0 and 0.9 < array.max() <= 1
    assert np.array_equal(grid_matrix(node), grid_matrix(flair))


def test_provenance_names_nodes_and_travels_with_the_segmentation(result: Any) -> None:
    stored = json.loads(result.segmentation.GetAttribute("LightSeg.Provenance"))
    assert stored == result.provenance
    assert stored["inputs"]["FLAIR"]["name"] == "Case 7 FLAIR"
    assert stored["reference"] == "Expert"
    assert stored["model"]["sha256"]


def test_an_error_of_the_worker_names_the_node(logic: Any, bundle: Path, scene: SCENE) -> None:
    flat = slicer.util.addVolumeFromArray(np.full((20, 20, 20), 7, np.int16), name="Flat")
    with pytest.raises(InputError, match='the volume "Flat"') as caught:
        logic.segment(model=bundle, volumes={"FLAIR": flat})
    assert "\n" not in str(caught.value) and "lightseg-" not in str(caught.value)
    assert not slicer.util.getNodesByClass("vtkMRMLSegmentationNode", scene)


def test_a_ct_is_refused(logic: Any, bundle: Path, scene: SCENE) -> None:
    head = head_arrays()[0].astype(np.int16)
    ct = slicer.util.addVolumeFromArray(np.where(head == 0, -1000, head), name="CT", ijkToRAS=head_matrix())
    with pytest.raises(ChannelError, match='the volume "CT" looks like a CT'):
        logic.segment(model=bundle, volumes={"FLAIR": ct})


def test_wrong_choices_are_refused_before_any_work(logic: Any, bundle: Path, scene: SCENE, flair: FLAIR) -> None:
    model_node = scene.AddNewNodeByClass("vtkMRMLModelNode", "Skull")
    cases: list[tuple[type[Exception], str, dict[str, Any]]] = [
        (BundleError, "Unknown model 'nonsense'", {"model": "nonsense"}),
        (ChannelError, "Input FLAIR is missing", {"volumes": {"T1": flair}}),
        (ChannelError, "Unknown input 'PET'", {"volumes": {"FLAIR": flair, "PET": flair}}),
        (ChannelError, 'FLAIR and T1 are both "Case 7 FLAIR"', {"volumes": {"FLAIR": flair, "T1": flair}}),
        (InputError, 'got Model "Skull"', {"volumes": {"FLAIR": model_node}}),
        (InputError, 'The output "Case 7 FLAIR" is no segmentation', {"output": flair}),
        (InputError, "Probabilities need a volume node of their own", {"probabilities": flair}),
        (InputError, 'got Model "Skull"', {"reference": model_node}),
    ]
    for kind, text, change in cases:
        with pytest.raises(kind, match=text):
            logic.start_segment(**{"model": bundle, "volumes": {"FLAIR": flair}, **change})


def test_a_labelmap_is_no_input(logic: Any, bundle: Path, truth: slicer.vtkMRMLLabelMapVolumeNode) -> None:
    with pytest.raises(InputError, match='"Expert" is a labelmap, FLAIR must be an image'):
        logic.start_segment(model=bundle, volumes={"FLAIR": truth})


def test_output_and_reference_cannot_be_one_node(logic: Any, bundle: Path, scene: SCENE, flair: FLAIR) -> None:
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Both")
    with pytest.raises(InputError, match='"Both" is output and reference at once'):
        logic.start_segment(model=bundle, volumes={"FLAIR": flair}, output=node, reference=node)


def test_optional_inputs_may_be_none(logic: Any, bundle: Path, flair: FLAIR) -> None:
    assert logic.segment(model=bundle, volumes={"FLAIR": flair, "T1": None}).lesion_count == 3


def test_an_input_removed_during_the_run_ends_it_with_an_error(
    logic: Any, bundle: Path, scene: SCENE, flair: FLAIR
) -> None:
    run = logic.start_segment(model=bundle, volumes={"FLAIR": flair})
    scene.RemoveNode(flair)
    with pytest.raises(InputError, match='"Case 7 FLAIR" was removed from the scene'):
        run.wait()
