"""DICOM SEG: what is written is read back by highdicom, voxel by voxel, on the frames of the source series."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("highdicom", reason="DICOM SEG is written with highdicom: pip install lightseg[dicom]")
import highdicom
import pydicom

from LightSegLib.cli.main import main
from LightSegLib.dicom_seg import write_dicom_seg
from LightSegLib.errors import GeometryError, InputError, OutputError
from LightSegLib.job import DicomSegJob, write_job
from LightSegLib.segments import Code, Segment, Terminology
from LightSegLib.volumes import read_volume
from LightSegLib.worker.__main__ import main as work
from LightSegLib.writers import write_labelmap

from .pipeline_toys import all_orientations, install_toys, make_head
from .test_dicom_series import Move, write_dicom_series

ALTERED = Code("SCT", "49755003", "Morphologically Altered Structure")
BRAIN = Code("SCT", "12738006", "Brain")
SEGMENTS = (
    Segment(1, "Necrosis", (255, 0, 51), Terminology(ALTERED, Code("SCT", "6574001", "Necrosis"), None, BRAIN)),
    Segment(2, "Ödem", (0, 102, 255), Terminology(ALTERED, Code("SCT", "79654002", "Edema"))),
    Segment(
        4,
        "Enhancing",
        (0, 255, 0),
        Terminology(ALTERED, Code("SCT", "108369006", "Neoplasm"), Code("SCT", "255503000", "Entire")),
    ),
)
FRAME_OF_REFERENCE = {"0020|0052": "1.2.826.0.1.3680043.2.1125.9"}
OBLIQUE = (0.8, -0.36, 0.48, 0.6, 0.48, -0.64, 0.0, 0.8, 0.6)
Write = Callable[..., Path]


@pytest.fixture(params=["straight", "oblique"])
def image(request: pytest.FixtureRequest, rng: np.random.Generator) -> sitk.Image:
    image = sitk.GetImageFromArray(rng.integers(0, 1000, (6, 11, 9)).astype(np.int16))
    image.SetSpacing((0.8, 0.9, 3.5))
    image.SetOrigin((-71.5, 33.25, 12.0))
    if request.param == "oblique":
        image.SetDirection(OBLIQUE)
    return image


@pytest.fixture
def labelmap(image: sitk.Image) -> sitk.Image:
    """Necrosis and enhancement, no edema, and nothing on the first and the last slice."""
    array = np.zeros((6, 11, 9), np.uint8)
    array[1:4, 2:7, 1:6] = 4
    array[2, 3:5, 2:4] = 1
    array[4, 8, 7] = 1
    labelmap = sitk.GetImageFromArray(array)
    labelmap.CopyInformation(image)
    return labelmap


@pytest.fixture
def series(image: sitk.Image, tmp_path: Path) -> list[Path]:
    return sorted(write_dicom_series(image, tmp_path / "series", tags=FRAME_OF_REFERENCE).iterdir())


@pytest.fixture
def write(tmp_path: Path, labelmap: sitk.Image, series: list[Path]) -> Write:
    def write(labelmap: sitk.Image = labelmap, files: list[Path] = series, **more: Any) -> Path:
        path = tmp_path / "seg.dcm"
        write_dicom_seg(labelmap, SEGMENTS, files, path, algorithm_name="toy", algorithm_version="1.2", **more)
        return path

    return write


def voxels(path: Path) -> dict[int, set[tuple[float, ...]]]:
    """Where the voxels of each segment number lie, mm in LPS, as highdicom reads the file."""
    volume = highdicom.seg.segread(path).get_volume(combine_segments=True)
    return {number: _points(volume.affine, np.argwhere(volume.array == number)) for number in (1, 2)}


def expected_voxels(labelmap: sitk.Image) -> dict[int, set[tuple[float, ...]]]:
    affine = np.eye(4)
    affine[:3, :3] = np.array(labelmap.GetDirection()).reshape(3, 3) * labelmap.GetSpacing()
    affine[:3, 3] = labelmap.GetOrigin()
    array = sitk.GetArrayFromImage(labelmap)
    return {
        number: _points(affine, np.argwhere(array == value)[:, ::-1]) for number, value in enumerate((1, 4), start=1)
    }


def _points(affine: np.ndarray, indices: np.ndarray) -> set[tuple[float, ...]]:
    points = indices @ affine[:3, :3].T + affine[:3, 3]
    return set(map(tuple, (points.round(2) + 0.0).tolist()))


def read_headers(files: list[Path]) -> Iterator[pydicom.Dataset]:
    return map(pydicom.dcmread, files)


def change(file: Path, **values: Any) -> None:
    """Set attributes of a DICOM file, or delete those that are None."""
    header = pydicom.dcmread(file)
    for key, value in values.items():
        if value is None:
            delattr(header, key)
        else:
            setattr(header, key, value)
    header.save_as(file)


def make_enhanced(series: list[Path], path: Path, *, order: list[int], place_in_frames: bool) -> Path:
    """Write the slices of a series as one Enhanced MR file, frames in the given order."""
    slices = [pydicom.dcmread(file) for file in series]
    enhanced = slices[0]
    del enhanced.InstanceNumber
    enhanced.SOPClassUID = enhanced.file_meta.MediaStorageSOPClassUID = pydicom.uid.EnhancedMRImageStorage
    enhanced.PixelData = b"".join(slices[index].PixelData for index in order)
    enhanced.NumberOfFrames = len(order)
    orientation, measures = pydicom.Dataset(), pydicom.Dataset()
    orientation.ImageOrientationPatient = enhanced.ImageOrientationPatient
    measures.PixelSpacing, measures.SliceThickness = enhanced.PixelSpacing, 3
    same = {"PlaneOrientationSequence": [orientation], "PixelMeasuresSequence": [measures]}
    frames = []
    for index in order:
        groups, position = pydicom.Dataset(), pydicom.Dataset()
        position.ImagePositionPatient = pydicom.dcmread(series[index]).ImagePositionPatient
        groups.PlanePositionSequence = [position]
        frames.append(groups)
    shared = pydicom.Dataset()
    for groups in frames if place_in_frames else [shared]:
        for key, value in same.items():
            setattr(groups, key, value)
    enhanced.SharedFunctionalGroupsSequence = [shared]
    enhanced.PerFrameFunctionalGroupsSequence = frames
    for key in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
        delattr(enhanced, key)
    enhanced.save_as(path)
    return path


def test_voxels_lie_where_they_were(write, labelmap):
    path = write()
    assert voxels(path) == expected_voxels(labelmap)
    assert len(expected_voxels(labelmap)[1]) == 5


def test_the_file_is_a_binary_segmentation_without_empty_slices(write):
    seg = highdicom.seg.segread(write())
    assert seg.SOPClassUID == pydicom.uid.SegmentationStorage
    assert (seg.Modality, seg.SegmentationType, seg.SegmentsOverlap) == ("SEG", "BINARY", "NO")
    assert seg.NumberOfFrames == 2 + 3  # slices with necrosis, slices with enhancement


def test_segments_carry_names_codes_and_colors(write):
    seg = highdicom.seg.segread(write())
    descriptions = [seg.get_segment_description(number) for number in seg.segment_numbers]
    assert [description.segment_label for description in descriptions] == ["Necrosis", "Enhancing"]
    for description, segment in zip(descriptions, (SEGMENTS[0], SEGMENTS[2]), strict=True):
        category, kind = description.segmented_property_category, description.segmented_property_type
        assert (category.scheme_designator, category.value) == ("SCT", "49755003")
        assert (kind.value, kind.meaning) == (segment.terminology.type.value, segment.terminology.type.meaning)
        color = highdicom.color.CIELabColor.from_dicom_value(description.RecommendedDisplayCIELabValue)
        assert np.abs(np.array(color.to_rgb()) - segment.color).max() <= 1
    assert [region.value for region in descriptions[0].anatomic_regions] == ["12738006"]
    modifier = descriptions[1].segmented_property_type.SegmentedPropertyTypeModifierCodeSequence[0]
    assert modifier.CodeValue == "255503000"


def test_the_algorithm_is_named_and_a_correction_told(write):
    for corrected, kind in ((False, "AUTOMATIC"), (True, "SEMIAUTOMATIC")):
        description = highdicom.seg.segread(write(corrected=corrected)).get_segment_description(1)
        assert description.SegmentAlgorithmType == kind
        algorithm = description.SegmentationAlgorithmIdentificationSequence[0]
        assert (algorithm.AlgorithmName, algorithm.AlgorithmVersion, algorithm.AlgorithmSource) == (
            "toy",
            "1.2",
            "LightSeg",
        )


def test_it_refers_to_its_source_slices(write, series):
    seg = highdicom.seg.segread(write())
    sources = {header.SOPInstanceUID: header for header in read_headers(series)}
    source = next(iter(sources.values()))
    assert seg.StudyInstanceUID == source.StudyInstanceUID
    assert seg.FrameOfReferenceUID == source.FrameOfReferenceUID
    assert seg.SeriesInstanceUID != source.SeriesInstanceUID
    assert seg.PatientName == source.PatientName == "Secret^Name"
    referred = seg.ReferencedSeriesSequence[0]
    assert referred.SeriesInstanceUID == source.SeriesInstanceUID
    assert {item.ReferencedSOPInstanceUID for item in referred.ReferencedInstanceSequence} == set(sources)
    for frame in seg.PerFrameFunctionalGroupsSequence:
        of = frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        position = frame.PlanePositionSequence[0].ImagePositionPatient
        assert position == sources[of].ImagePositionPatient


def test_files_may_come_in_any_order(write, labelmap, series):
    assert voxels(write(files=[series[index] for index in (3, 0, 5, 2, 1, 4)])) == expected_voxels(labelmap)


def test_a_labelmap_may_have_its_axes_in_any_order_and_direction(write, labelmap):
    expected = expected_voxels(labelmap)
    for turned in all_orientations(labelmap)[::9]:
        assert voxels(write(turned)) == expected


@pytest.mark.parametrize("place_in_frames", [False, True])
def test_a_file_of_several_frames_is_a_source_too(write, labelmap, series, tmp_path, place_in_frames: bool):
    order = [4, 5, 0, 1, 3, 2]
    enhanced = make_enhanced(series, tmp_path / "enhanced.dcm", order=order, place_in_frames=place_in_frames)
    path = write(files=[enhanced])
    assert voxels(path) == expected_voxels(labelmap)
    seg = highdicom.seg.segread(path)
    numbers = {
        float(frame.PlanePositionSequence[0].ImagePositionPatient[2]): order[
            frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber - 1
        ]
        for frame in seg.PerFrameFunctionalGroupsSequence
    }
    assert [numbers[place] for place in sorted(numbers)] == [1, 2, 3, 4]


def test_a_file_of_frames_that_lie_nowhere_is_refused(write, series, tmp_path):
    enhanced = make_enhanced(series, tmp_path / "enhanced.dcm", order=[0, 1, 2], place_in_frames=True)
    header = pydicom.dcmread(enhanced)
    del header.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence
    del header.SharedFunctionalGroupsSequence
    header.save_as(enhanced)
    with pytest.raises(InputError, match=r"enhanced\.dcm does not say where its frames lie; export the series again"):
        write(files=[enhanced])


def test_positions_that_are_rounded_still_fit(write, labelmap, image, tmp_path):
    labelmap.SetSpacing((0.8, 0.9, 0.625))
    image.SetSpacing((0.8, 0.9, 0.625))
    rounded: Move = lambda index, position: position.round(1)  # noqa: E731
    folder = write_dicom_series(image, tmp_path / "rounded", tags=FRAME_OF_REFERENCE, move=rounded)
    seg = highdicom.seg.segread(write(files=sorted(folder.iterdir())))
    assert seg.NumberOfFrames == 5


@pytest.mark.parametrize(
    "moved",
    [
        lambda labelmap: labelmap[:, :, 1:],
        lambda labelmap: sitk.Resample(labelmap, (9, 11, 6), sitk.Transform(), 1, labelmap.GetOrigin(), (0.8, 0.9, 4)),
        lambda labelmap: shifted(labelmap, 0.5),
        lambda labelmap: shifted(labelmap, 3.5),
    ],
    ids=["cropped", "resampled", "shifted by half a voxel", "shifted by a slice"],
)
def test_a_labelmap_on_another_grid_is_refused(write, labelmap, moved, tmp_path):
    with pytest.raises(
        GeometryError, match=r"does not lie on the slices .* \(9 x 11 x 6\).* or save .* as \.seg\.nrrd"
    ):
        write(moved(labelmap))
    assert not (tmp_path / "seg.dcm").exists()


def shifted(labelmap: sitk.Image, mm: float) -> sitk.Image:
    shifted = sitk.Image(labelmap)
    axis = np.array(labelmap.GetDirection()).reshape(3, 3)[:, 0 if mm < 1 else 2]
    shifted.SetOrigin((np.array(labelmap.GetOrigin()) + mm * axis).tolist())
    return shifted


def test_a_series_with_slices_at_one_place_is_refused(write, labelmap, image, tmp_path):
    twice: Move = lambda index, position: position if index != 3 else np.array(image.GetOrigin())  # noqa: E731
    folder = write_dicom_series(image, tmp_path / "double", tags=FRAME_OF_REFERENCE, move=twice)
    with pytest.raises(GeometryError, match="does not lie on the slices"):
        write(files=sorted(folder.iterdir()))


def test_an_empty_labelmap_is_refused(write, labelmap):
    with pytest.raises(InputError, match="is empty: there is nothing to write"):
        write(labelmap * 0)


def test_unknown_values_are_refused(write, labelmap):
    with pytest.raises(InputError, match=r"has values \[3, 12\] that are no segments"):
        write(labelmap * 3)


@pytest.mark.parametrize(
    ("key", "name"),
    [
        ("StudyInstanceUID", "Study Instance UID"),
        ("FrameOfReferenceUID", "Frame of Reference UID"),
        ("ImagePositionPatient", r"Image Position \(Patient\)"),
    ],
)
def test_what_a_source_lacks_is_named(write, series, key: str, name: str):
    for file in series:
        change(file, **{key: None})
    with pytest.raises(InputError, match=rf"0\.dcm has no {name}: .* export the series again"):
        write()


def test_a_source_may_leave_out_what_may_be_empty(write, series):
    for file in series:
        change(file, PatientName=None, PatientID="42")
    seg = highdicom.seg.segread(write())
    assert seg.PatientName == "" and seg.PatientID == "42"


def test_names_in_any_script_survive(write, labelmap, series):
    for file in series:
        change(file, SpecificCharacterSet="ISO_IR 144", PatientName="Иванов^Иван")
    seg = highdicom.seg.segread(write(sitk.Cast(labelmap == 1, sitk.sitkUInt8) * 2))
    assert seg.PatientName == "Иванов^Иван"
    assert seg.get_segment_description(1).segment_label == "Ödem"


def test_a_header_against_the_standard_is_one_error(write, series):
    for file in series:
        change(file, PatientSex="X")
    with pytest.raises(InputError, match="No DICOM SEG can be made of the DICOM series .*series.*X"):
        write()


def test_files_of_several_series_are_refused(write, series):
    change(series[-1], SeriesInstanceUID="1.2.3")
    with pytest.raises(InputError, match=r"005\.dcm belongs to another DICOM series than .*000\.dcm"):
        write()


def test_a_file_that_is_no_dicom_is_refused(write, series):
    series[2].write_text("nothing")
    with pytest.raises(InputError, match=r"002\.dcm cannot be read as DICOM"):
        write()


def test_the_name_must_end_in_dcm(labelmap, series, tmp_path):
    with pytest.raises(OutputError, match=r"use the extension \.dcm"):
        write_dicom_seg(labelmap, SEGMENTS, series, tmp_path / "s.nii", algorithm_name="toy", algorithm_version="1")


def test_a_source_is_never_overwritten(labelmap, series):
    with pytest.raises(OutputError, match="is an input of this run"):
        write_dicom_seg(labelmap, SEGMENTS, series, series[0], algorithm_name="toy", algorithm_version="1")


def test_the_worker_exports_a_file(labelmap, image, tmp_path, series, capsys):
    labels = sitk.Cast(labelmap == 4, sitk.sitkUInt8)
    write_labelmap(labels, tmp_path / "seg.nrrd")
    sources = [str(file) for file in series]
    models = ["liver-pocket", "liver-acu"]
    output = str(tmp_path / "out.dcm")
    write_job(
        DicomSegJob(models=models, segmentation=str(tmp_path / "seg.nrrd"), sources=sources, output=output),
        tmp_path / "job.json",
    )
    assert work([str(tmp_path / "job.json")]) == 0
    told = json.loads(capsys.readouterr().out.splitlines()[-1].partition(" ")[2])
    assert told == {"type": "result", "result": {"segments": ["Liver"]}, "outputs": {"dicom_seg": output}}
    seg = highdicom.seg.segread(output)
    assert seg.SeriesDescription == "liver-pocket + liver-acu segmentation"
    assert seg.get_segment_description(1).segmented_property_type.value == "10200004"


@pytest.fixture
def dicom_head(tmp_path: Path) -> Path:
    head = sitk.Cast(make_head(), sitk.sitkInt16)
    return write_dicom_series(head, tmp_path / "head", tags=FRAME_OF_REFERENCE)


def segment(source: Path, folder: Path, *more: object) -> int:
    command = ["segment", "--model", "toy", "--input", f"FLAIR={source}", "--output", folder / "seg.nrrd", *more]
    return main([str(part) for part in command])


def test_the_command_line_exports_a_dicom_folder(monkeypatch, dicom_head, tmp_path, capsys):
    install_toys(monkeypatch)
    assert segment(dicom_head, tmp_path, "--dicom-seg", tmp_path / "seg.dcm", "--json") == 0
    assert json.loads(capsys.readouterr().out)["outputs"]["dicom_seg"] == str(tmp_path / "seg.dcm")
    labels = read_volume(tmp_path / "seg.nrrd")
    assert voxels(tmp_path / "seg.dcm")[1] == expected_voxels(labels)[1]


def test_the_command_line_refuses_to_export_what_is_no_dicom(monkeypatch, tmp_path, capsys):
    install_toys(monkeypatch)
    sitk.WriteImage(make_head(), str(tmp_path / "head.nrrd"))
    assert segment(tmp_path / "head.nrrd", tmp_path, "--dicom-seg", tmp_path / "seg.dcm") == 2
    assert "a DICOM SEG needs FLAIR as a DICOM folder" in capsys.readouterr().err
    assert not (tmp_path / "seg.nrrd").exists()


def test_the_command_line_looks_at_the_headers_first(monkeypatch, dicom_head, tmp_path, capsys):
    engine = install_toys(monkeypatch)
    for file in dicom_head.iterdir():
        change(file, FrameOfReferenceUID=None)
    assert segment(dicom_head, tmp_path, "--dicom-seg", tmp_path / "seg.dcm") == 2
    assert "has no Frame of Reference UID" in capsys.readouterr().err
    assert engine.calls == 0
