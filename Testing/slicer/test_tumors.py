"""Tumors in the scene: four volume nodes in, three segments and a table of segments and regions out."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import slicer
from conftest import head_arrays, head_matrix
from toy_bundle import make_tumor_bundle

from LightSegLib.errors import BundleError, ChannelError, InputError

SCENE = slicer.vtkMRMLScene
CONTRASTS = {"T1": (-60, 0, -40), "T1ce": (-60, 0, 150), "T2": (150, 120, 100), "FLAIR": (90, 120, 110)}
"""How much brighter than the brain the tumor's core, edema and enhancing rim are."""
VOXEL_ML = 1.5 * 1.5 * 2.0 / 1000


@pytest.fixture(scope="session")
def tumor_bundle(bundle: Path) -> Path:
    return make_tumor_bundle(bundle.parent)


def tumor_labels() -> np.ndarray:
    """The tumor's labels (k, j, i): core 1 within a rim 3, edema 2 around."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in head_arrays()[0].shape), indexing="ij")
    distance = np.sqrt((1.5 * (i - 40)) ** 2 + (1.5 * (j - 30)) ** 2 + (2.0 * (k - 26)) ** 2)
    return np.select([distance <= 6, distance <= 10, distance <= 15], [1, 3, 2], 0).astype(np.uint8)


def tumor_nodes() -> dict[str, Any]:
    labels, brain = tumor_labels(), head_arrays()[0] > 0
    nodes = {}
    for name, (core, edema, rim) in CONTRASTS.items():
        noise = np.random.default_rng(len(name)).normal(0, 2, labels.shape)
        values = 100 + noise + np.select([labels == 1, labels == 2, labels == 3], [core, edema, rim], 0)
        array = np.where(brain, values, 0).astype(np.int16)
        nodes[name] = slicer.util.addVolumeFromArray(array, ijkToRAS=head_matrix(), name=f"Case 8 {name}")
    return nodes


def reference_node(labels: np.ndarray) -> slicer.vtkMRMLLabelMapVolumeNode:
    return slicer.util.addVolumeFromArray(
        labels, ijkToRAS=head_matrix(), name="Expert", nodeClassName="vtkMRMLLabelMapVolumeNode"
    )


def test_three_segments_and_a_table_with_the_regions(logic: Any, tumor_bundle: Path, scene: SCENE) -> None:
    result = logic.segment(model=tumor_bundle, volumes=tumor_nodes())
    segmentation = result.segmentation.GetSegmentation()
    segments = [segmentation.GetNthSegment(i) for i in range(segmentation.GetNumberOfSegments())]
    assert [segment.GetName() for segment in segments] == ["Core", "Edema", "Enhancing tumor"]
    assert [round(segment.GetColor()[0] * 255) for segment in segments] == [80, 160, 240]
    table = result.volumes_table.GetTable()
    names = [table.GetValue(row, 0).ToString() for row in range(table.GetNumberOfRows())]
    assert names == ["Core", "Edema", "Enhancing tumor", "WT", "TC"]
    volumes = [table.GetValue(row, 1).ToDouble() for row in range(table.GetNumberOfRows())]
    assert volumes == pytest.approx(list(result.volumes_ml.values()))
    assert result.volumes_ml["WT"] == pytest.approx(np.count_nonzero(tumor_labels()) * VOXEL_ML, rel=0.1)
    assert result.lesion_count is None


def test_the_probabilities_of_several_models_are_averaged(
    logic: Any, bundle: Path, tumor_bundle: Path, scene: SCENE, tmp_path: Path
) -> None:
    twin = make_tumor_bundle(tmp_path)
    nodes = tumor_nodes()
    result = logic.segment(model=[tumor_bundle, twin], volumes=nodes)
    assert len(result.provenance["further_models"]) == 1
    assert "+" in result.segmentation.GetName()
    assert result.volumes_ml == pytest.approx(logic.segment(model=tumor_bundle, volumes=nodes).volumes_ml)
    with pytest.raises(BundleError, match="cannot be averaged, their inputs differ"):
        logic.segment(model=[tumor_bundle, bundle], volumes=nodes)


def test_argmax_and_thresholds_by_region_reach_the_worker(logic: Any, tumor_bundle: Path, scene: SCENE) -> None:
    nodes = tumor_nodes()
    argmax = logic.segment(model=tumor_bundle, volumes=nodes, postprocessing="argmax")
    assert argmax.provenance["postprocessing"] == {"kind": "argmax_tumor"}
    assert argmax.volumes_ml["WT"] == pytest.approx(np.count_nonzero(tumor_labels()) * VOXEL_ML, rel=0.1)
    strict = logic.segment(model=tumor_bundle, volumes=nodes, threshold={"WT": 0.99})
    assert strict.provenance["postprocessing"]["thresholds"] == {"WT": 0.99, "TC": 0.5, "ET": 0.5}
    assert "threshold of WT 0.99 instead of 0.5" in " ".join(strict.provenance["notes"])


def test_a_labelmap_with_the_values_1_2_4_is_compared(logic: Any, tumor_bundle: Path, scene: SCENE) -> None:
    labels = tumor_labels()
    labels[labels == 3] = 4
    result = logic.segment(model=tumor_bundle, volumes=tumor_nodes(), reference=reference_node(labels))
    assert list(result.agreements) == ["Core", "Edema", "Enhancing tumor", "WT", "TC"]
    assert result.agreements["Enhancing tumor"].dice > 0.9 and result.agreements["WT"].dice > 0.9
    note = "The reference's label values were taken as 1-2-4 for Core, Edema, Enhancing tumor."
    assert note in result.provenance["notes"]


def test_a_labelmap_with_other_values_is_refused_by_its_name(logic: Any, tumor_bundle: Path, scene: SCENE) -> None:
    reference = reference_node(tumor_labels() * 5)
    with pytest.raises(InputError, match='"Expert" has the label values 5, 10, 15, which must be of 1-2-3 or 1-2-4'):
        logic.segment(model=tumor_bundle, volumes=tumor_nodes(), reference=reference)


def test_a_segmentation_is_compared_by_the_names_of_its_segments(logic: Any, tumor_bundle: Path, scene: SCENE) -> None:
    labels = reference_node(tumor_labels())
    node = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Expert segmentation")
    slicer.modules.segmentations.logic().ImportLabelmapToSegmentationNode(labels, node)
    for number, name in enumerate(("core", "edema", "enhancing tumor")):
        node.GetSegmentation().GetNthSegment(number).SetName(name)
    result = logic.segment(model=tumor_bundle, volumes=tumor_nodes(), reference=node)
    assert min(agreement.dice for agreement in result.agreements.values()) > 0.9


def test_without_t1_the_next_contrast_gives_the_grid_and_a_note_says_so(
    logic: Any, tumor_bundle: Path, scene: SCENE
) -> None:
    nodes = tumor_nodes()
    result = logic.segment(model=tumor_bundle, volumes={**nodes, "T1": None})
    role = slicer.vtkMRMLSegmentationNode.GetReferenceImageGeometryReferenceRole()
    assert result.segmentation.GetNodeReference(role) is nodes["T1ce"]
    assert result.provenance["missing_inputs"] == ["T1"]
    assert result.provenance["notes"][0].startswith("T1 was not given")
    assert result.volumes_ml["WT"] > 5


def test_no_volume_at_all_is_refused(logic: Any, tumor_bundle: Path, scene: SCENE) -> None:
    with pytest.raises(ChannelError, match="No input is given"):
        logic.segment(model=tumor_bundle, volumes={"T1": None, "FLAIR": None})
