"""Reading of good files, and one clear error for each kind of bad one."""

import gzip
import os
import struct
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import GeometryError, InputError
from LightSegLib.volumes import check_volume, read_labelmap, read_volume, same_grid

SHAPE = (12, 20, 16)
ENDINGS = ["nii.gz", "nii", "nrrd", "mha"]


@pytest.fixture
def image(rng: np.random.Generator) -> sitk.Image:
    image = sitk.GetImageFromArray(rng.integers(0, 1000, SHAPE).astype(np.int16))
    image.SetSpacing((0.9, 0.9, 6.5))
    image.SetOrigin((-71.5, 33.25, 12.0))
    return image


def write(image: sitk.Image, path: Path) -> Path:
    sitk.WriteImage(image, str(path), useCompression=True)
    return path


def with_voxel(image: sitk.Image, value: float) -> sitk.Image:
    image = sitk.Cast(image, sitk.sitkFloat32)
    image[3, 4, 5] = value
    return image


def sheared_direction() -> tuple[float, ...]:
    return (1, 0.2, 0, 0, 1, 0, 0, 0, 1)


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize("pixel_type", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkFloat32, sitk.sitkFloat64])
def test_a_volume_is_read_with_its_voxels_type_and_grid(image, tmp_path, ending, pixel_type):
    image = sitk.Cast(image, pixel_type)
    volume = read_volume(write(image, tmp_path / f"flair.{ending}"))
    assert volume.GetPixelID() == pixel_type
    assert same_grid(volume, image)
    assert np.array_equal(sitk.GetArrayViewFromImage(volume), sitk.GetArrayViewFromImage(image))


def test_a_path_may_be_text_and_hold_spaces_and_accents(image, tmp_path):
    path = write(image, tmp_path / "mein fläir 1.nii.gz")
    assert same_grid(read_volume(str(path)), image)


def test_a_fourth_axis_of_length_one_is_dropped(image, tmp_path):
    for ending in ("nrrd", "mha", "nii.gz"):
        volume = read_volume(write(sitk.JoinSeries([image]), tmp_path / f"flair.{ending}"))
        assert volume.GetSize() == image.GetSize()


def test_an_uncompressed_file_with_the_name_of_a_compressed_one_is_read_if_it_is_whole(image, tmp_path):
    path = write(image, tmp_path / "plain.nii").rename(tmp_path / "plain.nii.gz")
    assert same_grid(read_volume(path), image)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(InputError, match="is truncated"):
        read_volume(path)


def test_a_gzip_file_of_several_streams_is_read(image, tmp_path):
    data = write(image, tmp_path / "plain.nii").read_bytes()
    path = tmp_path / "parts.nii.gz"
    path.write_bytes(gzip.compress(data[:1000]) + gzip.compress(data[1000:]))
    assert np.array_equal(sitk.GetArrayFromImage(read_volume(path)), sitk.GetArrayFromImage(image))


def test_a_large_compressed_volume_is_read_in_well_under_a_second(rng, tmp_path):
    array = np.zeros((182, 218, 182), dtype=np.int16)
    array[30:150, 40:180, 30:150] = rng.integers(0, 1000, (120, 140, 120))
    path = write(sitk.GetImageFromArray(array), tmp_path / "flair.nii.gz")
    start = time.perf_counter()
    read_volume(path)
    # Takes 0.1 s; the bound leaves room for a busy machine.
    assert time.perf_counter() - start < 2


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"flair\.nii\.gz does not exist; check the path"):
        read_volume(tmp_path / "flair.nii.gz")


@pytest.mark.parametrize("ending", [*ENDINGS, "txt", "png"])
def test_a_text_file_is_no_image_whatever_its_name(tmp_path, ending):
    path = tmp_path / f"notes.{ending}"
    path.write_text("These are my notes.\n")
    with pytest.raises(InputError, match=rf"notes\.{ending} is not an image that can be read; give a complete NIfTI"):
        read_volume(path)


@pytest.mark.parametrize("ending", ENDINGS)
def test_an_empty_file_is_refused(tmp_path, ending):
    path = tmp_path / f"flair.{ending}"
    path.touch()
    with pytest.raises(InputError, match="is an empty file; copy or export it again"):
        read_volume(path)


@pytest.mark.parametrize("kept", [0.05, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("ending", ENDINGS)
def test_a_truncated_file_is_refused_although_itk_reads_it(image, tmp_path, ending, kept):
    path = write(image, tmp_path / f"flair.{ending}")
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * kept)])
    with pytest.raises(InputError, match=rf"flair\.{ending} is (truncated|not an image that can be read).*(copy|give)"):
        read_volume(path)


@pytest.mark.parametrize("missing", [1, 4, 8, 9])
def test_a_gzip_file_that_lacks_only_its_last_bytes_is_refused(image, tmp_path, missing):
    path = write(image, tmp_path / "flair.nii.gz")
    path.write_bytes(path.read_bytes()[:-missing])
    with pytest.raises(InputError, match=r"flair\.nii\.gz is truncated: .*copy or download it again"):
        read_volume(path)


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "mha"])
def test_a_file_with_a_flipped_bit_is_refused(image, tmp_path, ending):
    path = write(image, tmp_path / f"flair.{ending}")
    data = bytearray(path.read_bytes())
    data[-100] ^= 0x10
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"flair\.{ending} is (damaged|truncated|not an image that can be read)"):
        read_volume(path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("pixel_type", [sitk.sitkFloat32, sitk.sitkFloat64])
@pytest.mark.parametrize("ending", ENDINGS)
def test_nan_and_infinity_are_refused_and_counted(image, tmp_path, ending, pixel_type, value):
    image = sitk.Cast(image, pixel_type)
    image[3, 4, 5] = value
    image[15, 19, 11] = value
    with pytest.raises(InputError, match=rf"flair\.{ending} holds NaN or infinity in 2 of 3840 voxels; replace"):
        read_volume(write(image, tmp_path / f"flair.{ending}"))


def test_nan_is_found_in_a_large_nifti_of_the_other_byte_order(tmp_path):
    array = np.ones((110, 120, 130), dtype=np.float32)
    array[-1, -1, -1] = np.nan
    array[0, 0, 0] = 2
    data = write(sitk.GetImageFromArray(array), tmp_path / "little.nii").read_bytes()
    header = bytearray(352)
    struct.pack_into(">i", header, 0, 348)
    struct.pack_into(">4h", header, 40, 3, 130, 120, 110)
    struct.pack_into(">hh", header, 70, 16, 32)
    struct.pack_into(">4f", header, 76, 1, 1, 1, 1)
    struct.pack_into(">f", header, 108, 352)
    header[344:348] = b"n+1\0"
    path = tmp_path / "big.nii.gz"
    path.write_bytes(gzip.compress(bytes(header) + np.frombuffer(data[352:], "<f4").astype(">f4").tobytes()))
    with pytest.raises(InputError, match=r"big\.nii\.gz holds NaN or infinity in 1 of 1716000 voxels"):
        read_volume(path)


def test_nan_in_an_image_in_memory_is_refused(image):
    with pytest.raises(InputError, match="The FLAIR holds NaN or infinity in 1 of 3840 voxels"):
        check_volume(with_voxel(image, np.nan), name="The FLAIR")


@pytest.mark.parametrize("value", [0, 7])
def test_an_image_of_one_value_is_refused(image, tmp_path, value):
    path = write(image * 0 + value, tmp_path / "flair.nii.gz")
    with pytest.raises(InputError, match=rf"flair\.nii\.gz is empty: all of its voxels have the value {value}; give"):
        read_volume(path)


def test_a_4d_image_is_refused(image, tmp_path):
    path = write(sitk.JoinSeries([image, image]), tmp_path / "series.nii.gz")
    with pytest.raises(InputError, match=r"has 4 dimensions \(16 x 20 x 12 x 2\); extract one 3D volume"):
        read_volume(path)


@pytest.mark.parametrize("ending", ["nrrd", "mha", "nii.gz"])
def test_an_image_with_colors_is_refused(image, tmp_path, ending):
    color = sitk.Compose([sitk.Cast(image, sitk.sitkUInt8)] * 3)
    path = write(color, tmp_path / f"color.{ending}")
    with pytest.raises(InputError, match="has 3 components per voxel .*give an image with one value per voxel"):
        read_volume(path)


def test_a_complex_image_is_refused(image):
    pair = sitk.RealAndImaginaryToComplex(sitk.Cast(image, sitk.sitkFloat32), sitk.Cast(image, sitk.sitkFloat32))
    with pytest.raises(InputError, match="complex numbers"):
        check_volume(pair, name="k-space")


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_refused_along_any_axis(image, tmp_path, axis):
    part = [slice(None)] * 3
    part[axis] = slice(3, 4)
    path = write(image[tuple(part)], tmp_path / "slice.nii.gz")
    with pytest.raises(InputError, match=r"slice\.nii\.gz is a single slice .*give a whole volume"):
        read_volume(path)


def test_a_2d_picture_is_refused(image, tmp_path):
    path = write(sitk.Cast(image[:, :, 0], sitk.sitkUInt8), tmp_path / "picture.png")
    with pytest.raises(InputError, match=r"picture\.png is a single slice \(16 x 20\)"):
        read_volume(path)


def test_an_image_without_voxels_is_refused():
    with pytest.raises(InputError, match=r"The FLAIR has no voxels \(0 x 4 x 5\)"):
        check_volume(sitk.Image([0, 4, 5], sitk.sitkInt16), name="The FLAIR")


def test_a_file_whose_header_claims_no_voxels_is_refused(image, tmp_path):
    path = write(image, tmp_path / "flair.nii")
    data = bytearray(path.read_bytes())
    struct.pack_into("<4h", data, 40, 3, 0, 20, 12)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"flair\.nii is not an image that can be read"):
        read_volume(path)


def test_a_nifti_with_sheared_axes_that_itk_refuses_gets_the_remedy(image, tmp_path):
    path = write(image, tmp_path / "flair.nii")
    data = bytearray(path.read_bytes())
    struct.pack_into("<2h", data, 252, 0, 1)
    struct.pack_into("<12f", data, 280, 1, 0.3, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0)
    path.write_bytes(data)
    with pytest.raises(GeometryError, match=r"flair\.nii has axes that are not perpendicular .*resample it"):
        read_volume(path)


@pytest.mark.parametrize("ending", ["nrrd", "mha"])
def test_a_file_with_sheared_axes_that_itk_accepts_is_refused(image, tmp_path, ending):
    image.SetDirection(sheared_direction())
    path = write(image, tmp_path / f"flair.{ending}")
    with pytest.raises(GeometryError, match=rf"flair\.{ending} has axes that are not perpendicular .*resample it"):
        read_volume(path)


def test_a_direction_that_is_off_by_rounding_is_accepted(image):
    image.SetDirection(np.round(np.linalg.qr(np.array([[9, 1, 2], [3, 8, 1], [1, 2, 7]]))[0], 5).ravel().tolist())
    check_volume(image, name="rounded")


def test_a_header_that_claims_too_many_voxels_is_refused_before_reading(image, tmp_path):
    path = write(image, tmp_path / "bomb.nii")
    data = bytearray(path.read_bytes())
    struct.pack_into("<4h", data, 40, 3, 30000, 30000, 30000)
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"bomb\.nii claims to hold 27000\.0 billion voxels .*crop or resample"):
        read_volume(path)


def test_a_decompression_bomb_is_refused_before_reading(image, tmp_path):
    header = bytearray(write(image, tmp_path / "plain.nii").read_bytes()[:352])
    struct.pack_into("<4h", header, 40, 3, 1000, 1000, 1000)
    path = tmp_path / "bomb.nii.gz"
    path.write_bytes(gzip.compress(bytes(header) + bytes(2**20)))
    with pytest.raises(InputError, match=r"bomb\.nii\.gz would grow more than 200-fold to 1907 MiB when read"):
        read_volume(path)


def test_a_stream_that_goes_on_after_the_image_is_refused(image, tmp_path):
    data = write(image, tmp_path / "plain.nii").read_bytes()
    path = tmp_path / "endless.nii.gz"
    path.write_bytes(gzip.compress(data + bytes(2**27), compresslevel=1))
    with pytest.raises(InputError, match=r"endless\.nii\.gz holds far more data than its header says"):
        read_volume(path)


def test_what_is_no_regular_file_is_refused():
    with pytest.raises(InputError, match="is not a regular file"):
        read_volume(os.devnull)


def test_a_file_that_may_not_be_read_is_named(image, tmp_path):
    path = write(image, tmp_path / "flair.nii.gz")
    path.chmod(0)
    if os.access(path, os.R_OK):
        pytest.skip("this user, such as root, may read every file")
    with pytest.raises(InputError, match=r"flair\.nii\.gz cannot be read \(Permission denied\); check its permissions"):
        read_volume(path)


def test_errors_are_one_line_and_itk_stays_silent(image, tmp_path):
    image.SetDirection(sheared_direction())
    path = write(image, tmp_path / "sheared.nrrd")
    code = (
        f"from LightSegLib.volumes import read_volume\ntry: read_volume({str(path)!r})\nexcept Exception as e: print(e)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert len(run.stdout.splitlines()) == 1
    assert run.stderr == ""


@pytest.mark.parametrize(
    "pixel_type", [sitk.sitkUInt8, sitk.sitkInt16, sitk.sitkUInt32, sitk.sitkFloat32, sitk.sitkFloat64]
)
def test_a_labelmap_of_any_type_becomes_uint8(image, tmp_path, pixel_type):
    labels = sitk.Cast(image > 500, pixel_type)
    labelmap = read_labelmap(write(labels, tmp_path / "labels.nrrd"))
    assert labelmap.GetPixelID() == sitk.sitkUInt8
    assert np.array_equal(sitk.GetArrayFromImage(labelmap), sitk.GetArrayFromImage(labels))


def test_values_above_255_make_a_uint16_labelmap(image, tmp_path):
    assert read_labelmap(write(image, tmp_path / "labels.nii.gz")).GetPixelID() == sitk.sitkUInt16


def test_an_empty_labelmap_and_one_of_a_single_slice_are_accepted(image, tmp_path):
    empty = read_labelmap(write(sitk.Cast(image * 0, sitk.sitkUInt8), tmp_path / "empty.nii.gz"))
    assert empty.GetSize() == image.GetSize()
    part = read_labelmap(write(sitk.Cast(image[:, :, 3:4] > 500, sitk.sitkUInt8), tmp_path / "part.nrrd"))
    assert part.GetSize() == (16, 20, 1)


@pytest.mark.parametrize("value", [0.5, -1, 70000])
def test_values_that_are_no_labels_are_refused(image, tmp_path, value):
    path = write(with_voxel(image, value), tmp_path / "labels.nii.gz")
    with pytest.raises(InputError, match=r"labels\.nii\.gz is not a labelmap: .*give the mask, not the image"):
        read_labelmap(path)


def test_a_segmentation_with_overlapping_segments_is_refused(image, tmp_path):
    layers = sitk.Compose([sitk.Cast(image > 500, sitk.sitkUInt8)] * 2)
    path = write(layers, tmp_path / "layers.seg.nrrd")
    with pytest.raises(InputError, match="has 2 components per voxel .*overlapping segments"):
        read_labelmap(path)


def test_real_cases_are_read(shared_data):
    for path in sorted((shared_data / "wmh").glob("*_01/*.nii.gz")):
        read = read_labelmap if path.name.startswith(("lesion", "brain", "vent", "all", "normal")) else read_volume
        assert read(path).GetDimension() == 3
