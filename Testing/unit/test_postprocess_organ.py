"""The clean-up strategies of an organ's mask."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import BundleError
from LightSegLib.postprocess import apply
from LightSegLib.postprocess.organ import clean_organ

SPACING = (1.0, 1.0, 2.0)


def organ() -> np.ndarray:
    """A block with a hole, a block beside it on a thin bridge, and a far crumb, (z, y, x)."""
    array = np.zeros((30, 60, 60), np.float32)
    array[5:25, 10:40, 10:40] = 0.9
    array[14:16, 24:26, 24:26] = 0.1
    array[14:15, 25:26, 40:46] = 0.9
    array[12:18, 20:32, 46:56] = 0.9
    array[2:4, 55:57, 2:4] = 0.9
    return array


def cleaned(**settings: object) -> np.ndarray:
    image = sitk.GetImageFromArray(organ())
    image.SetSpacing(SPACING)
    return sitk.GetArrayFromImage(clean_organ(image, threshold=0.5, **settings)) > 0  # type: ignore[arg-type]


def test_nothing_is_cleaned_up_where_that_is_asked_for() -> None:
    assert np.array_equal(cleaned(cleanup="none"), organ() > 0.5)


def test_the_largest_component_keeps_what_hangs_on_a_bridge_and_fills_holes() -> None:
    mask = cleaned(cleanup="largest_component")
    assert mask[15, 25, 50] and mask[15, 25, 25] and not mask[2, 55, 2]


def test_the_morphological_clean_up_cuts_the_bridge() -> None:
    mask = cleaned(cleanup="morphological", erode_mm=2.0, dilate_mm=2.0)
    assert not mask[15, 25, 50] and not mask[14, 25, 43] and mask[15, 25, 25]
    assert mask[5:25, 10:40, 10:40].mean() > 0.95 and not mask[:, :, 42:].any()


def test_eroding_more_than_dilating_makes_it_smaller_by_millimeters() -> None:
    mask = cleaned(cleanup="morphological", erode_mm=4.0, dilate_mm=2.0)
    assert not mask[:14, :, 38].any() and not mask[15:, :, 38].any()  # but for the root of the bridge
    mask[:, :, 38] = False
    z, y, x = (np.flatnonzero(mask.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1)))
    # 2 mm less on each side: two voxels in plane, one slice
    assert (y[0], y[-1]) == (12, 37) and (x[0], x[-1]) == (12, 37) and (z[0], z[-1]) == (6, 23)


@pytest.mark.parametrize("millimeters", [1.0, 1.5, 3.0, 5.0])
@pytest.mark.parametrize("spacing", [(1.5, 1.5, 2.0), (0.7, 0.8, 5.0)])
def test_as_much_dilation_as_erosion_brings_a_block_back(millimeters: float, spacing: tuple[float, ...]) -> None:
    block = np.zeros((24, 60, 60), np.float32)
    block[4:20, 10:50, 10:50] = 0.9
    image = sitk.GetImageFromArray(block)
    image.SetSpacing(spacing)
    opened = clean_organ(image, threshold=0.5, cleanup="morphological", erode_mm=millimeters, dilate_mm=millimeters)
    kept = sitk.GetArrayFromImage(opened) > 0
    # All but what a ball does not reach: edges and corners.
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        assert np.array_equal(kept.any(axis=others), (block > 0).any(axis=others))
    assert kept.sum() > 0.9 * (block > 0).sum() and not kept[block == 0].any()


def test_a_mask_that_fills_the_image_is_not_eroded() -> None:
    full = sitk.Image((9, 9, 9), sitk.sitkFloat32) + 1
    mask = clean_organ(full, threshold=0.5, cleanup="morphological", erode_mm=2, dilate_mm=1)
    assert sitk.GetArrayViewFromImage(mask).all()


@pytest.mark.parametrize("cleanup", ["morphological", "largest_component", "none"])
def test_an_empty_mask_stays_empty(cleanup: str) -> None:
    empty = sitk.Image((9, 9, 9), sitk.sitkFloat32)
    mask = clean_organ(empty, threshold=0.5, cleanup=cleanup, erode_mm=2, dilate_mm=1)
    assert mask.GetPixelID() == sitk.sitkUInt8 and not sitk.GetArrayViewFromImage(mask).any()


def test_all_that_erodes_away_leaves_nothing() -> None:
    assert not cleaned(cleanup="morphological", erode_mm=40.0, dilate_mm=1.0).any()


@pytest.mark.parametrize("change", [{"cleanup": "magic"}, {"erode_mm": 1.0, "dilate_mm": 2.0}, {"threshold": None}])
def test_settings_that_no_clean_up_can_have_are_refused(change: dict) -> None:
    settings = {"kind": "organ", "threshold": 0.5, "cleanup": "morphological", "erode_mm": 2.0, "dilate_mm": 1.0}
    with pytest.raises(BundleError, match="incomplete or malformed"):
        apply({**settings, **change}, [sitk.Image((9, 9, 9), sitk.sitkFloat32)])
