"""Files appear whole under their names or not at all, and 3D Slicer's segmentations carry what Slicer shows."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from LightSegLib.errors import OutputError
from LightSegLib.segments import Code, Segment, Terminology
from LightSegLib.volumes import read_labelmap, read_volume
from LightSegLib.writers import check_writable, output_format, write_labelmap, write_volume

ENDINGS = ["nii.gz", "nrrd", "seg.nrrd", "mha"]
VOLUME_ENDINGS = ["nii.gz", "nrrd", "mha"]
ABNORMAL = Code("SCT", "49755003", "Morphologically Altered Structure")
LESION = Code("SCT", "52988006", "Lesion")
BRAIN = Code("SCT", "12738006", "Brain")
SEGMENTS = (
    Segment(1, "White matter hyperintensities", (230, 20, 5), Terminology(ABNORMAL, LESION, anatomic_region=BRAIN)),
    Segment(300, "Never seen", (0, 128, 255), Terminology(ABNORMAL, LESION, modifier=Code("SCT", "7771000", "Left"))),
)


@pytest.fixture
def labelmap(rng: np.random.Generator) -> sitk.Image:
    """An oblique labelmap as it comes from a NIfTI file, with values 0 and 1."""
    image = sitk.GetImageFromArray((rng.random((7, 11, 9)) > 0.8).astype(np.uint8))
    image.SetSpacing((0.9, 0.75, 6.5))
    image.SetOrigin((-71.5, 33.25, 12.0))
    image.SetDirection(Rotation.from_euler("zyx", [11, -17, 23], degrees=True).as_matrix().ravel().tolist())
    return image


@pytest.fixture
def volume(rng: np.random.Generator) -> sitk.Image:
    """Float noise, which hardly can be compressed: 0.5 MB."""
    return sitk.GetImageFromArray(rng.random((50, 50, 50)).astype(np.float32))


def same_voxels(a: sitk.Image, b: sitk.Image) -> bool:
    return np.array_equal(sitk.GetArrayViewFromImage(a), sitk.GetArrayViewFromImage(b))


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_labelmap_comes_back_as_it_was_written(labelmap, tmp_path, ending):
    path = tmp_path / f"seg.{ending}"
    write_labelmap(labelmap, path, segments=SEGMENTS)
    read = read_labelmap(path)
    assert same_voxels(read, labelmap)
    # NIfTI stores geometry in 32 bits, NRRD stores spacing and direction as one product.
    np.testing.assert_allclose(read.GetOrigin(), labelmap.GetOrigin(), rtol=1e-6)
    np.testing.assert_allclose(read.GetSpacing(), labelmap.GetSpacing(), rtol=1e-6)
    np.testing.assert_allclose(read.GetDirection(), labelmap.GetDirection(), atol=1e-6)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("ending", VOLUME_ENDINGS)
def test_a_volume_comes_back_as_it_was_written(volume, tmp_path, ending):
    write_volume(volume, tmp_path / f"p.{ending}")
    assert same_voxels(read_volume(tmp_path / f"p.{ending}"), volume)


def test_a_nifti_labelmap_has_the_geometry_of_its_nifti_input(labelmap, tmp_path):
    write_labelmap(labelmap, tmp_path / "input.nii.gz")
    image = read_labelmap(tmp_path / "input.nii.gz")
    write_labelmap(image, tmp_path / "output.nii.gz")
    output = read_labelmap(tmp_path / "output.nii.gz")
    assert output.GetOrigin() == image.GetOrigin()
    assert output.GetSpacing() == image.GetSpacing()
    # NIfTI stores sines and cosines in 32 bits, from which ITK works out the direction anew each time.
    np.testing.assert_allclose(output.GetDirection(), image.GetDirection(), rtol=0, atol=1e-7)


def test_an_empty_labelmap_can_be_written(labelmap, tmp_path):
    for ending in ENDINGS:
        write_labelmap(labelmap * 0, tmp_path / f"seg.{ending}", segments=SEGMENTS)
        assert not sitk.GetArrayFromImage(read_labelmap(tmp_path / f"seg.{ending}")).any()


def test_labels_above_255_can_be_written(labelmap, tmp_path):
    labels = sitk.Cast(labelmap, sitk.sitkUInt16) * 300
    write_labelmap(labels, tmp_path / "seg.seg.nrrd", segments=SEGMENTS)
    assert same_voxels(read_labelmap(tmp_path / "seg.seg.nrrd"), labels)


def test_metadata_of_the_input_is_not_written(labelmap, tmp_path):
    labelmap.SetMetaData("0010|0010", "Secret^Name")
    for ending in ENDINGS:
        write_labelmap(labelmap, tmp_path / f"seg.{ending}", segments=SEGMENTS)
        assert "Secret" not in (tmp_path / f"seg.{ending}").read_bytes().decode("latin-1")
    assert labelmap.GetMetaData("0010|0010") == "Secret^Name"


def test_a_float_image_is_no_labelmap(volume, tmp_path):
    with pytest.raises(ValueError, match="must be uint8 or uint16, got 32-bit float"):
        write_labelmap(volume, tmp_path / "seg.nii.gz")


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("a.nii.gz", "nii.gz"),
        ("A.NII.GZ", "nii.gz"),
        ("a.seg.nrrd", "seg.nrrd"),
        ("a.b.nrrd", "nrrd"),
        ("a.mha", "mha"),
    ],
)
def test_the_format_follows_from_the_name(name, expected):
    assert output_format(name) == expected


@pytest.mark.parametrize("name", ["seg.png", "seg", "seg.nii", "seg.gz", "nrrd", "seg.nii.gz.txt", "seg.seg"])
def test_an_unknown_format_is_refused_with_the_known_ones(labelmap, tmp_path, name):
    with pytest.raises(OutputError, match=r"has an unknown image format; .* \.nii\.gz, \.seg\.nrrd, \.nrrd, \.mha"):
        write_labelmap(labelmap, tmp_path / name)
    assert os.listdir(tmp_path) == []


def test_checking_leaves_nothing_behind_and_changes_no_file(tmp_path):
    existing = tmp_path / "old.nii.gz"
    existing.write_bytes(b"old")
    check_writable(existing)
    check_writable(tmp_path / "new.nii.gz")
    assert os.listdir(tmp_path) == ["old.nii.gz"]
    assert existing.read_bytes() == b"old"


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(OutputError, match=r"the folder .*nowhere does not exist; create it first"):
        check_writable(tmp_path / "nowhere" / "seg.nii.gz")


def test_a_file_cannot_be_written_below_another_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"the folder .*file does not exist"):
        check_writable(tmp_path / "file" / "seg.nii.gz")


def test_a_folder_is_no_file_name(tmp_path):
    (tmp_path / "seg.nii.gz").mkdir()
    with pytest.raises(OutputError, match=r"seg\.nii\.gz is a folder; give the name of a file"):
        check_writable(tmp_path / "seg.nii.gz")


def test_a_folder_without_write_permission_is_refused(labelmap, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir()
    folder.chmod(0o555)
    if os.access(folder, os.W_OK):
        pytest.skip("this user, such as root, may write everywhere; the next tests stand in for this one")
    with pytest.raises(OutputError, match=r"cannot be written \(Permission denied\); choose another folder"):
        write_labelmap(labelmap, folder / "seg.nii.gz")


def test_a_folder_that_refuses_new_files_is_refused(labelmap, tmp_path, monkeypatch):
    def refuse(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "touch", refuse)
    with pytest.raises(
        OutputError, match=r"seg\.nii\.gz cannot be written \(Permission denied\); choose another folder"
    ):
        write_labelmap(labelmap, tmp_path / "seg.nii.gz")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc exists on Linux only")
def test_a_system_folder_in_which_nobody_may_write_is_refused(labelmap):
    with pytest.raises(OutputError, match=r"/proc/self/seg\.nii\.gz cannot be written"):
        write_labelmap(labelmap, "/proc/self/seg.nii.gz")


def test_a_write_protected_file_is_not_replaced(labelmap, tmp_path):
    path = tmp_path / "seg.nii.gz"
    path.write_bytes(b"old")
    path.chmod(0o444)
    if os.access(path, os.W_OK):
        pytest.skip("this user, such as root, may write every file")
    with pytest.raises(OutputError, match=r"seg\.nii\.gz is write-protected; choose another name"):
        write_labelmap(labelmap, path)


WRITE_ON_A_FULL_DISK = """
import resource, signal, sys
import numpy as np, SimpleITK as sitk
from LightSegLib.errors import OutputError
from LightSegLib.writers import write_volume
image = sitk.GetImageFromArray(np.random.default_rng(0).random((50, 50, 50)).astype(np.float32))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    write_volume(image, sys.argv[1])
except OutputError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="a process's file size can be limited on POSIX only")
@pytest.mark.parametrize("limit", [0, 100, 100_000])
@pytest.mark.parametrize("ending", VOLUME_ENDINGS)
def test_a_disk_that_fills_up_is_an_error_and_leaves_the_old_file(tmp_path, repository, ending, limit):
    """A limit on the size of files stands in for the full disk: writing beyond it fails in the same way."""
    path = tmp_path / f"p.{ending}"
    path.write_bytes(b"old")
    run = subprocess.run(
        [sys.executable, "-c", WRITE_ON_A_FULL_DISK, str(path), str(limit)],
        capture_output=True,
        text=True,
        cwd=repository,
    )
    assert f"p.{ending} could not be written (the file is not complete after writing); free some space" in run.stdout
    assert len(run.stdout.splitlines()) == 1
    assert os.listdir(tmp_path) == [path.name]
    assert path.read_bytes() == b"old"


@pytest.mark.parametrize("failure", [RuntimeError("ITK"), OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_whatever_interrupts_the_writing_leaves_no_file(labelmap, tmp_path, monkeypatch, failure):
    def write_half(image, name, **options):
        Path(name).write_bytes(b"half of it")
        raise failure

    monkeypatch.setattr(sitk, "WriteImage", write_half)
    expected = KeyboardInterrupt if isinstance(failure, KeyboardInterrupt) else OutputError
    with pytest.raises(expected):
        write_labelmap(labelmap, tmp_path / "seg.nii.gz")
    assert os.listdir(tmp_path) == []


def test_a_full_disk_is_called_so(labelmap, tmp_path, monkeypatch):
    def write_nothing(*arguments, **options):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sitk, "WriteImage", write_nothing)
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("Usage", (), {"free": 0}))
    with pytest.raises(OutputError, match=r"seg\.nii\.gz could not be written \(the disk is full\); free some space"):
        write_labelmap(labelmap, tmp_path / "seg.nii.gz")


def header_of(path: Path) -> dict[str, str]:
    """Fields and key/value pairs of a NRRD header, parsed by the file format's rules and not by ITK."""
    text = path.read_bytes().partition(b"\n\n")[0].decode("utf-8")
    lines = [line for line in text.split("\n")[1:] if not line.startswith("#")]
    return dict(line.split(":=" if ":=" in line else ": ", 1) for line in lines)


def test_a_segmentation_has_the_header_that_slicer_writes(labelmap, tmp_path):
    write_labelmap(labelmap, tmp_path / "wmh.seg.nrrd", segments=SEGMENTS)
    header = header_of(tmp_path / "wmh.seg.nrrd")
    assert header["space"] == "left-posterior-superior"
    assert header["encoding"] == "gzip"
    assert header["type"] == "unsigned char"
    assert header["kinds"] == "domain domain domain"
    assert header["Segmentation_MasterRepresentation"] == "Binary labelmap"
    assert header["Segmentation_ContainedRepresentationNames"] == "Binary labelmap|"
    assert header["Segmentation_ReferenceImageExtentOffset"] == "0 0 0"
    first = {key.removeprefix("Segment0_"): value for key, value in header.items() if key.startswith("Segment0_")}
    assert first == {
        "ID": "Segment_1",
        "Name": "White matter hyperintensities",
        "NameAutoGenerated": "0",
        "Color": "0.901961 0.0784314 0.0196078",
        "ColorAutoGenerated": "0",
        "LabelValue": "1",
        "Layer": "0",
        "Extent": "0 8 0 10 0 6",
        "Tags": "TerminologyEntry:Segmentation category and type - 3D Slicer General Anatomy list"
        "~SCT^49755003^Morphologically Altered Structure~SCT^52988006^Lesion~^^"
        "~Anatomic codes - DICOM master list~SCT^12738006^Brain~^^|",
    }
    assert header["Segment1_LabelValue"] == "300"
    assert "~SCT^52988006^Lesion~SCT^7771000^Left~" in header["Segment1_Tags"]
    assert "Segment2_ID" not in header


def test_a_segmentation_keeps_the_grid_of_the_image_in_ras(labelmap, tmp_path):
    write_labelmap(labelmap, tmp_path / "wmh.seg.nrrd", segments=SEGMENTS)
    parameters = header_of(tmp_path / "wmh.seg.nrrd")["Segmentation_ConversionParameters"]
    name, geometry, description = parameters.split("|")
    assert (name, description) == ("Reference image geometry", "&")
    numbers = [float(number) for number in geometry.rstrip(";").split(";")]
    assert numbers[16:] == [0, 8, 0, 10, 0, 6]
    position = np.array(numbers[:16]).reshape(4, 4) @ [3, 2, 5, 1]
    x, y, z = labelmap.TransformIndexToPhysicalPoint((3, 2, 5))
    np.testing.assert_allclose(position, [-x, -y, z, 1])


@pytest.mark.parametrize(
    ("segments", "message"),
    [
        pytest.param((), r"needs segments with different values, got \[\]", id="none"),
        pytest.param(SEGMENTS[:1] * 2, r"different values, got \[1, 1\]", id="twice"),
        pytest.param(SEGMENTS[1:], r"has values \[1\], but the segments have only \[300\]", id="unexplained"),
    ],
)
def test_segments_must_explain_the_labelmap(labelmap, tmp_path, segments, message):
    with pytest.raises(ValueError, match=message):
        write_labelmap(labelmap, tmp_path / "wmh.seg.nrrd", segments=segments)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"value": 0}, "expected 1 to 65535, as 0 is background"),
        ({"value": 65536}, "expected 1 to 65535"),
        ({"name": ""}, "expected one line of text"),
        ({"name": "two\nlines"}, "expected one line of text"),
        ({"color": (0, 0, 256)}, r"expected three numbers in 0\.\.255"),
    ],
)
def test_a_segment_that_cannot_be_stored_is_refused(change, message):
    valid = {"value": 1, "name": "WMH", "color": (1, 2, 3), "terminology": SEGMENTS[0].terminology}
    with pytest.raises(ValueError, match=message):
        Segment(**(valid | change))


@pytest.mark.parametrize("part", ["", "a~b", "a^b", "a|b", "a\nb"])
def test_a_code_that_would_break_slicer_s_text_is_refused(part):
    with pytest.raises(ValueError, match="must be text without any of"):
        Code("SCT", "1", part)
