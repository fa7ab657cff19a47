"""Nested tumor regions: each inside the one around it, and no specks of enhancing tumor."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import BundleError
from LightSegLib.postprocess import apply

SETTINGS = {
    "kind": "nested_tumor",
    "thresholds": {"WT": 0.5, "TC": 0.5, "ET": 0.5},
    "min_whole_tumor_ml": 0.0,
    "min_share_of_largest": 0.0,
    "min_enhancing_ml": 0.0,
    "core_reach_mm": 200.0,
}
SHAPE = (10, 12, 14)


def images(*arrays: np.ndarray) -> list[sitk.Image]:
    made = []
    for array in arrays:
        image = sitk.GetImageFromArray(array.astype(np.float32))
        image.SetSpacing((2.0, 2.0, 2.0))
        image.SetOrigin((3.0, -4.0, 5.0))
        made.append(image)
    return made


def box(z: slice, y: slice, x: slice, probability: float = 0.9) -> np.ndarray:
    array = np.zeros(SHAPE, np.float32)
    array[z, y, x] = probability
    return array


WHOLE = box(slice(1, 9), slice(1, 9), slice(1, 9))
INNER = box(slice(2, 7), slice(2, 7), slice(2, 7))
RIM = box(slice(3, 5), slice(3, 5), slice(3, 5))


def label(settings: dict, *arrays: np.ndarray, mask: np.ndarray | None = None) -> np.ndarray:
    probabilities = images(*arrays)
    inside = None if mask is None else sitk.Cast(images(mask)[0], sitk.sitkUInt8)
    labelmap = apply(settings, probabilities, inside)
    assert labelmap.GetPixelID() == sitk.sitkUInt8
    assert labelmap.GetOrigin() == probabilities[0].GetOrigin()
    assert labelmap.GetSpacing() == probabilities[0].GetSpacing()
    return sitk.GetArrayFromImage(labelmap)


@pytest.mark.parametrize("settings", [SETTINGS, {"kind": "argmax_tumor"}], ids=["nested", "argmax"])
def test_regions_become_edema_core_and_enhancing_tumor(settings) -> None:
    labels = label(settings, WHOLE, INNER, RIM)
    assert np.array_equal(labels > 0, WHOLE > 0.5)
    assert np.array_equal((labels == 1) | (labels == 3), INNER > 0.5)
    assert np.array_equal(labels == 3, RIM > 0.5)


def test_a_core_outside_of_the_whole_tumor_does_not_count() -> None:
    everywhere = np.full(SHAPE, 0.9, np.float32)
    labels = label(SETTINGS, INNER, everywhere, everywhere)
    assert np.array_equal(labels, 3 * (INNER > 0.5))
    assert not label(SETTINGS, WHOLE, INNER * 0, everywhere)[WHOLE <= 0.5].any()
    assert np.array_equal(label(SETTINGS, WHOLE, INNER * 0, everywhere), 2 * (WHOLE > 0.5))


def test_each_region_has_its_own_threshold() -> None:
    settings = {**SETTINGS, "thresholds": {"WT": 0.3, "TC": 0.6, "ET": 0.8}}
    low, middle, high = (np.full(SHAPE, p, np.float32) for p in (0.31, 0.61, 0.81))
    assert (label(settings, low, middle, high) == 3).all()
    assert (label(settings, low, middle, high - 0.02) == 1).all()
    assert (label(settings, low, middle - 0.02, high) == 2).all()
    assert (label(settings, low - 0.02, middle, high) == 0).all()


@pytest.mark.parametrize(("smallest_ml", "kept"), [(0.063, True), (0.064, True), (0.065, False)])
def test_little_enhancing_tumor_in_all_becomes_core(smallest_ml: float, kept: bool) -> None:
    """Eight voxels of 8 mm3 are 0.064 ml, here in two places."""
    specks = box(slice(2, 3), slice(2, 4), slice(2, 4)) + box(slice(6, 7), slice(5, 7), slice(5, 7))
    labels = label({**SETTINGS, "min_enhancing_ml": smallest_ml}, WHOLE, INNER, specks)
    assert (labels == 3).any() == kept
    assert np.array_equal((labels == 1) | (labels == 3), INNER > 0.5), "the core keeps its extent"


def test_small_pieces_of_whole_tumor_are_dropped_with_what_is_in_them() -> None:
    speck = box(slice(9, 10), slice(10, 12), slice(12, 14))
    labels = label({**SETTINGS, "min_whole_tumor_ml": 0.1}, WHOLE + speck, INNER + speck, RIM + speck)
    assert not labels[speck > 0].any()
    assert np.array_equal(labels > 0, WHOLE > 0.5)


@pytest.mark.parametrize(("share", "kept"), [(0.0, 3), (0.05, 2), (0.1, 2), (0.11, 1), (1.0, 1)])
def test_pieces_far_smaller_than_the_largest_are_dropped(share: float, kept: int) -> None:
    """40 voxels, 4, and a single one that touches none of them by a corner."""
    large, small, speck = (np.zeros(SHAPE, np.float32) for _ in range(3))
    large[2:4, 2:6, 2:7], small[7, 2:4, 2:4], speck[7, 9, 10] = 0.9, 0.9, 0.9
    labels = label({**SETTINGS, "min_share_of_largest": share}, large + small + speck, speck, speck)
    assert [bool(labels[part > 0].any()) for part in (large, small, speck)] == [kept >= n for n in (1, 2, 3)]


@pytest.mark.parametrize(("reach_mm", "kept"), [(1.9, 0), (2.0, 1), (4.1, 2), (200, 5)])
def test_core_far_from_enhancing_tumor_is_edema(reach_mm: float, kept: int) -> None:
    """A row of core of five voxels of 2 mm beside an enhancing one."""
    row, bright = (np.zeros(SHAPE, np.float32) for _ in range(2))
    row[4, 4, 2:8], bright[4, 4, 2] = 0.9, 0.9
    labels = label({**SETTINGS, "core_reach_mm": reach_mm}, WHOLE, row, bright)
    assert labels[4, 4, 2:8].tolist() == [3, *[1] * kept, *[2] * (5 - kept)]


def test_core_stays_where_the_tumor_hardly_enhances() -> None:
    speck = np.zeros(SHAPE, np.float32)
    speck[2, 2, 2] = 0.9
    for settings in ({"core_reach_mm": 2.0}, {"core_reach_mm": 2.0, "min_enhancing_ml": 1.0}):
        labels = label({**SETTINGS, **settings}, WHOLE, INNER, speck)
        assert np.array_equal((labels == 1) | (labels == 3), INNER > 0.5)


def test_no_tumor_is_an_empty_labelmap() -> None:
    nothing = np.zeros(SHAPE, np.float32)
    for settings in (SETTINGS, {**SETTINGS, "min_share_of_largest": 0.1}, {"kind": "argmax_tumor"}):
        assert not label(settings, nothing, nothing, nothing).any()


@pytest.mark.parametrize("settings", [SETTINGS, {"kind": "argmax_tumor"}], ids=["nested", "argmax"])
def test_nothing_is_labeled_outside_the_mask(settings) -> None:
    mask = np.zeros(SHAPE)
    mask[:4] = 1
    labels = label(settings, WHOLE, INNER, RIM, mask=mask)
    assert labels[:4].any() and not labels[4:].any()


def test_argmax_takes_the_most_probable_label() -> None:
    """Where nesting finds a whole tumor without core, argmax may still find none: 0.4 + 0.3 + 0.3."""
    whole, core, enhancing = (np.full(SHAPE, p, np.float32) for p in (0.6, 0.3, 0.1))
    assert (label({"kind": "argmax_tumor"}, whole, core, enhancing) == 0).all()
    assert (label(SETTINGS, whole, core, enhancing) == 2).all()
    generator = np.random.default_rng(5)
    nested = np.sort(generator.random((3, *SHAPE)).astype(np.float32), axis=0)[::-1]
    wt, tc, et = nested
    expected = np.argmax(np.stack([1 - wt, tc - et, wt - tc, et]), axis=0)
    assert np.array_equal(label({"kind": "argmax_tumor"}, wt, tc, et), expected)


def test_incomplete_settings_are_a_broken_bundle() -> None:
    with pytest.raises(BundleError, match="incomplete or malformed .*min_enhancing_ml"):
        label({key: value for key, value in SETTINGS.items() if key != "min_enhancing_ml"}, WHOLE, INNER, RIM)
    with pytest.raises(BundleError, match="incomplete or malformed .*'ET'"):
        label({**SETTINGS, "thresholds": {"WT": 0.5, "TC": 0.5}}, WHOLE, INNER, RIM)
    with pytest.raises(BundleError, match=r"takes three classes \(WT, TC and ET\), but the network gave 1"):
        label(SETTINGS, WHOLE)
