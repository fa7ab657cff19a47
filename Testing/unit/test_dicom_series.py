"""DICOM series: slices in order of their place, and one clear error for what makes no regular grid."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import GeometryError, InputError
from LightSegLib.volumes import read_volume, same_grid

SHAPE = (12, 20, 16)
Move = Callable[[int, np.ndarray], np.ndarray]


@pytest.fixture
def image(rng: np.random.Generator) -> sitk.Image:
    image = sitk.GetImageFromArray(rng.integers(-1000, 1000, SHAPE).astype(np.int16))
    image.SetSpacing((0.9, 0.9, 6.5))
    image.SetOrigin((-71.5, 33.25, 12.0))
    return image


def write_dicom_series(
    image: sitk.Image,
    folder: Path,
    *,
    number: int = 1,
    skip: tuple[int, ...] = (),
    move: Move = lambda index, position: position,
    tags: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """Write each slice of an image as a file; `move` says where its first voxel lies instead, in mm."""
    folder.mkdir(exist_ok=True)
    writer = sitk.ImageFileWriter()
    writer.KeepOriginalImageUIDOn()
    x, y, _ = np.array(image.GetDirection()).reshape(3, 3).T
    for index in range(image.GetSize()[2]):
        if index in skip:
            continue
        part = image[:, :, index]
        position = move(index, np.array(image.TransformIndexToPhysicalPoint((0, 0, index))))
        written = {
            "0008|0060": "MR",
            "0008|0018": f"1.2.826.0.1.3680043.2.1125.{number}.{index + 1}",
            "0020|000d": "1.2.826.0.1.3680043.2.1125.77",
            "0020|000e": f"1.2.826.0.1.3680043.2.1125.{number}",
            "0020|0013": str(index + 1),
            "0020|0032": "\\".join(f"{value:.6f}" for value in position),
            "0020|0037": "\\".join(f"{value:.6f}" for value in (*x, *y)),
            "0010|0010": "Secret^Name",
            **tags,
        }
        for key, value in written.items():
            part.SetMetaData(key, value)
        writer.SetFileName(str(folder / f"{number}-{index:03d}.dcm"))
        writer.Execute(part)
    return folder


def test_a_dicom_folder_with_one_series_is_read(image, tmp_path):
    folder = write_dicom_series(image, tmp_path / "dicom")
    (folder / "README.txt").write_text("not an image")
    volume = read_volume(folder)
    assert same_grid(volume, image)
    assert np.array_equal(sitk.GetArrayFromImage(volume), sitk.GetArrayFromImage(image))


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "README.txt").write_text("not an image")
    with pytest.raises(InputError, match="is a folder without DICOM images; give an image file or the folder of one"):
        read_volume(tmp_path)


def test_a_folder_with_several_series_is_refused(image, tmp_path):
    write_dicom_series(image, tmp_path / "dicom")
    folder = write_dicom_series(image, tmp_path / "dicom", number=2)
    with pytest.raises(InputError, match="holds 2 DICOM series; give a folder that holds only the wanted one"):
        read_volume(folder)


def test_slices_are_sorted_by_their_place_and_not_by_their_names(image, tmp_path):
    turned = write_dicom_series(image[:, :, ::-1], tmp_path / "dicom")
    assert same_grid(read_volume(turned), image)


def test_a_rescaled_series_is_in_hounsfield_units(image, tmp_path):
    image = sitk.Cast(
        sitk.Round(sitk.Cast(image, sitk.sitkFloat32) / 2) * 2, sitk.sitkInt16
    )  # what ITK can store with this slope
    folder = write_dicom_series(image, tmp_path / "dicom", tags={"0028|1052": "-1000", "0028|1053": "2"})
    assert np.array_equal(sitk.GetArrayFromImage(read_volume(folder)), sitk.GetArrayFromImage(image))


def test_a_series_that_lacks_slices_is_refused(image, tmp_path):
    folder = write_dicom_series(image, tmp_path / "dicom", skip=(4, 5))
    with pytest.raises(
        GeometryError, match=r"missing or not equally spaced: 19\.5 mm between slices 4 and 5, where 6\.5"
    ):
        read_volume(folder)


def test_two_slices_at_one_place_are_refused(image, tmp_path):
    folder = write_dicom_series(image, tmp_path / "dicom", move=lambda i, at: at - [0, 0, 6.5 * (i == 7)])
    with pytest.raises(GeometryError, match="holds 12 slices, but 1 of them lie where another one lies"):
        read_volume(folder)


def test_two_phases_in_one_series_are_refused(image, tmp_path):
    folder = write_dicom_series(image, tmp_path / "dicom", move=lambda i, at: at - [0, 0, 6.5 * (i % 6)])
    with pytest.raises(GeometryError, match="several phases or echoes in one series"):
        read_volume(folder)


def test_a_tilted_gantry_is_refused_by_its_angle(image, tmp_path):
    folder = write_dicom_series(image, tmp_path / "dicom", move=lambda i, at: at + [0, 6.5 * i * np.tan(0.2), 0])
    with pytest.raises(GeometryError, match=r"tilted gantry: .* by 11\.5 degrees"):
        read_volume(folder)


def test_positions_that_are_rounded_make_an_even_grid(image, tmp_path):
    image.SetSpacing((0.9, 0.9, 0.625))
    folder = write_dicom_series(image, tmp_path / "dicom", move=lambda i, at: at.round(1))
    first, last = (np.round(image.GetOrigin()[2] + 0.625 * i, 1) for i in (0, 11))
    assert read_volume(folder).GetSpacing()[2] == pytest.approx((last - first) / 11, abs=1e-6)


def test_a_single_dicom_file_asks_for_the_folder(image, tmp_path):
    folder = write_dicom_series(image, tmp_path / "dicom")
    with pytest.raises(InputError, match="is a single slice .*for DICOM the folder that holds all slices"):
        read_volume(next(folder.iterdir()))


def test_a_real_dicom_series_is_read(shared_data):
    volume = read_volume(shared_data / "liver" / "dicom_series")
    assert volume.GetSize() == (512, 512, 20)
