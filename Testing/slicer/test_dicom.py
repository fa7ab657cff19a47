"""Volumes that came from DICOM: their files and descriptions, and segmentations of them exported as DICOM SEG."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer
from places import add_transform, add_warp, rotation

from LightSegLib.bundles import load_bundle
from LightSegLib.errors import InputError, OutputError
from LightSegLib.slicer_bridge.dicom_sources import dicom_description, dicom_files, likely_input, why_no_dicom_seg
from LightSegLib.slicer_bridge.start import start_export
from LightSegLib.slicer_bridge.volumes import node_grid

FLAIR = slicer.vtkMRMLScalarVolumeNode
SEGMENTATION = slicer.vtkMRMLSegmentationNode
UID = "1.2.826.0.1.3680043.2.1125"
TAGS = {"0008,0060": "MR", "0008,103e": "t1_mprage_sag", "0018,1030": "Head", "0018,0010": ""}


class Database:
    """The DICOM database's functions that we call, over a dictionary."""

    def __init__(self) -> None:
        self.isOpen = True
        self.files: dict[str, str] = {}
        self.tags = dict(TAGS)

    def fileForInstance(self, uid: str) -> str:
        return self.files.get(uid, "")

    def instanceValue(self, uid: str, tag: str) -> str:
        return self.tags[tag] if uid in self.files else ""


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    database = Database()
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    return database


@pytest.fixture
def dicom_flair(flair: FLAIR, database: Database, tmp_path: Path) -> FLAIR:
    """`flair` as it would be after loading from DICOM; its slices are files in the database."""
    image = node_grid(flair).image(slicer.util.arrayFromVolume(flair))
    x, y, _ = np.array(image.GetDirection()).reshape(3, 3).T
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    (tmp_path / "dicom").mkdir()
    for index in range(image.GetSize()[2]):
        part, uid = image[:, :, index], f"{UID}.1.{index + 1}"
        for key, value in {
            "0008|0060": "MR",
            "0008|0018": uid,
            "0020|000d": f"{UID}.77",
            "0020|000e": f"{UID}.1",
            "0020|0052": f"{UID}.9",
            "0020|0032": "\\".join(map(str, image.TransformIndexToPhysicalPoint((0, 0, index)))),
            "0020|0037": "\\".join(map(str, (*x, *y))),
        }.items():
            part.SetMetaData(key, value)
        database.files[uid] = str(tmp_path / "dicom" / f"{index:03d}.dcm")
        writer.SetFileName(database.files[uid])
        writer.Execute(part)
    flair.SetAttribute("DICOM.instanceUIDs", " ".join(database.files))
    return flair


@pytest.fixture
def segmentation(dicom_flair: FLAIR, bundle: Path, logic: Any) -> SEGMENTATION:
    return logic.segment(model=bundle, volumes={"FLAIR": dicom_flair}).segmentation


def exported_points(path: Path) -> np.ndarray:
    """Where the first segment's voxels lie, (n, 3) in LPS, mm, as highdicom reads the file."""
    highdicom = pytest.importorskip("highdicom", reason="DICOM SEG is written with highdicom")
    volume = highdicom.seg.segread(path).get_volume(combine_segments=True)
    points = np.argwhere(volume.array == 1) @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    return points[np.lexsort(points.round(3).T)]


def own_points(volume: FLAIR, mask: np.ndarray) -> np.ndarray:
    """Where the voxels of `mask` (k, j, i) lie in the volume's own space, (n, 3) in LPS, mm."""
    image = node_grid(volume).image(mask.astype(np.uint8))
    indices = np.argwhere(mask)[:, ::-1].tolist()
    points = np.array([image.TransformIndexToPhysicalPoint(index) for index in indices])
    return points[np.lexsort(points.round(3).T)]


def test_the_files_of_a_volume_are_known(dicom_flair: FLAIR, database: Database) -> None:
    assert [str(file) for file in dicom_files(dicom_flair)] == list(database.files.values())
    assert why_no_dicom_seg(dicom_flair) is None


def test_it_is_told_why_there_is_no_export(dicom_flair: FLAIR, database: Database, scene: Any) -> None:
    assert why_no_dicom_seg(None) == "Choose a volume first"
    other = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "Phantom")
    assert why_no_dicom_seg(other) == '"Phantom" was not loaded from DICOM' and dicom_files(other) == ()
    Path(next(iter(database.files.values()))).unlink()
    assert "are not in the DICOM database any more" in (why_no_dicom_seg(dicom_flair) or "")
    assert dicom_files(dicom_flair) == ()


def test_without_a_database_there_are_no_files(dicom_flair: FLAIR, database: Database) -> None:
    database.isOpen = False
    assert dicom_files(dicom_flair) == () and why_no_dicom_seg(dicom_flair) is not None


def test_a_volume_says_what_it_is(dicom_flair: FLAIR, database: Database) -> None:
    description = dicom_description(dicom_flair)
    assert description is not None and not description.has_contrast
    assert (description.modality, description.series, description.protocol) == ("MR", "t1_mprage_sag", "Head")
    database.tags["0018,0010"] = "GADOVIST"
    assert dicom_description(dicom_flair).has_contrast


def test_a_volume_that_is_no_dicom_says_nothing(flair: FLAIR, database: Database) -> None:
    assert dicom_description(flair) is None


def test_the_subject_hierarchy_remembers_without_the_database(flair: FLAIR, scene: Any) -> None:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)
    item = hierarchy.CreateItem(hierarchy.GetSceneItemID(), flair)
    constants = slicer.vtkMRMLSubjectHierarchyConstants
    hierarchy.SetItemAttribute(item, constants.GetDICOMSeriesModalityAttributeName(), "MR")
    hierarchy.SetItemAttribute(item, constants.GetDICOMAttributePrefix() + "SeriesDescription", "t2 dark fluid")
    description = dicom_description(flair)
    assert description is not None and (description.modality, description.series) == ("MR", "t2 dark fluid")


@pytest.mark.parametrize(
    ("name", "series", "agent", "channel"),
    [
        ("5: ax", "t1_mprage_sag", "", "T1"),
        ("5: ax", "t1_mprage_sag", "GADOVIST", "T1ce"),
        ("5: ax", "t1_mprage_sag", "NONE", "T1"),
        ("T1", "", "Dotarem", "T1ce"),
        ("5: ax", "t2_tirm_tra_dark-fluid", "Dotarem", "FLAIR"),
        ("FLAIR", "t1_mprage_sag", "", "FLAIR"),
        ("5: ax", "localizer", "", None),
    ],
)
def test_an_input_is_suggested_by_name_and_tags(
    dicom_flair: FLAIR, database: Database, name: str, series: str, agent: str, channel: str | None
) -> None:
    dicom_flair.SetName(name)
    database.tags |= {"0008,103e": series, "0018,0010": agent}
    assert likely_input(load_bundle("tumor-acu").inputs, dicom_flair) == channel


def test_an_input_of_another_modality_is_not_suggested(dicom_flair: FLAIR, database: Database) -> None:
    liver = load_bundle("liver-pocket").inputs
    assert likely_input(liver, dicom_flair) is None
    database.tags["0008,0060"] = "CT"
    assert likely_input(liver, dicom_flair) == "CT"


def test_a_segmentation_is_exported_where_it_was_made(
    dicom_flair: FLAIR, segmentation: SEGMENTATION, bundle: Path, tmp_path: Path
) -> None:
    run = start_export(segmentation, tmp_path / "seg.dcm")
    assert run.wait() == tmp_path / "seg.dcm"
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "Segment_1", dicom_flair) > 0
    assert mask.sum() > 100
    np.testing.assert_allclose(exported_points(run.result()), own_points(dicom_flair, mask), atol=1e-3)
    assert not run._task._files.folder.exists()


def test_a_moved_volume_is_exported_where_dicom_has_it(
    dicom_flair: FLAIR, segmentation: SEGMENTATION, bundle: Path, scene: Any, tmp_path: Path
) -> None:
    mask = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, "Segment_1", dicom_flair) > 0
    add_transform(scene, rotation(25, shift=(5, -7, 9)), dicom_flair, segmentation)
    run = start_export(segmentation, tmp_path / "seg.dcm")
    np.testing.assert_allclose(exported_points(run.wait()), own_points(dicom_flair, mask), atol=1e-3)


def test_what_cannot_be_exported_is_refused_at_once(
    dicom_flair: FLAIR, segmentation: SEGMENTATION, bundle: Path, database: Database, scene: Any, tmp_path: Path
) -> None:
    with pytest.raises(OutputError, match=r"use the extension \.dcm"):
        start_export(segmentation, tmp_path / "seg.nrrd")
    add_warp(scene, dicom_flair, segmentation)
    with pytest.raises(InputError, match='bends or shears the volume "Case 7 FLAIR"'):
        start_export(segmentation, tmp_path / "seg.dcm")
    database.files.clear()
    with pytest.raises(InputError, match="import them again; only segmentations of DICOM volumes"):
        start_export(segmentation, tmp_path / "seg.dcm")


def test_an_error_of_the_worker_names_the_problem(
    dicom_flair: FLAIR, segmentation: SEGMENTATION, bundle: Path, tmp_path: Path
) -> None:
    voxels = segmentation.GetSegmentation().GetSegment("Segment_1").GetRepresentation("Binary labelmap")
    voxels.GetPointData().GetScalars().Fill(0)
    run = start_export(segmentation, tmp_path / "seg.dcm")
    with pytest.raises(InputError, match="The segmentation is empty"):
        run.wait()
    assert not (tmp_path / "seg.dcm").exists()
