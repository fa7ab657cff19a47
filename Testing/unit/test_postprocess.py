"""Thresholds, the lesion-size filter, the largest component."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import BundleError
from LightSegLib.postprocess import apply, largest_component, threshold_and_filter


def image_of(array: np.ndarray, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    return image


def voxels(labelmap: sitk.Image) -> int:
    return int(sitk.GetArrayViewFromImage(labelmap).sum())


def blobs() -> np.ndarray:
    """Probability 0.9 in groups of 1, 8 and 12 voxels."""
    array = np.zeros((12, 12, 12), np.float32)
    array[1, 1, 1] = array[3:5, 3:5, 3:5] = array[8:10, 8:10, 8:11] = 0.9
    return array


@pytest.mark.parametrize(("smallest_ml", "kept"), [(0.0, 21), (0.0079, 20), (0.008, 20), (0.0081, 12), (0.02, 0)])
def test_groups_below_the_smallest_volume_are_dropped(smallest_ml: float, kept: int) -> None:
    labelmap = threshold_and_filter(image_of(blobs()), threshold=0.5, min_lesion_ml=smallest_ml)
    assert voxels(labelmap) == kept
    assert labelmap.GetPixelID() == sitk.sitkUInt8


def test_the_size_filter_counts_milliliters_and_not_voxels() -> None:
    labelmap = threshold_and_filter(image_of(blobs(), (2.0, 2.0, 2.0)), threshold=0.5, min_lesion_ml=0.064)
    assert voxels(labelmap) == 20


def test_voxels_that_share_a_corner_are_one_lesion() -> None:
    array = np.zeros((4, 4, 4), np.float32)
    array[1, 1, 1] = array[2, 2, 2] = 1
    assert voxels(threshold_and_filter(image_of(array), threshold=0.5, min_lesion_ml=0.002)) == 2


def test_a_probability_of_just_the_threshold_counts() -> None:
    assert voxels(threshold_and_filter(image_of(blobs()), threshold=float(np.float32(0.9)), min_lesion_ml=0)) == 21


def test_the_largest_component_is_kept_and_its_holes_are_filled() -> None:
    array = np.zeros((12, 12, 12), np.uint8)
    array[1:6, 1:6, 1:6] = 1
    array[3, 3, 3] = 0
    array[9, 9, 9] = 1
    assert voxels(largest_component(image_of(array))) == 125


def test_an_empty_mask_stays_empty() -> None:
    assert voxels(largest_component(image_of(np.zeros((4, 4, 4), np.uint8)))) == 0


def test_nothing_is_labeled_outside_the_mask() -> None:
    mask = np.zeros((12, 12, 12), np.uint8)
    mask[:6] = 1
    settings = {"kind": "lesions", "threshold": 0.5, "min_lesion_ml": 0}
    assert voxels(apply(settings, [image_of(blobs())], image_of(mask))) == 9


def test_unknown_settings_are_refused() -> None:
    with pytest.raises(
        BundleError, match="Unknown postprocessing kind 'magic'; known: 'lesions', 'brain', 'organ', 'nested_tumor'"
    ):
        apply({"kind": "magic"}, [image_of(blobs())])
    with pytest.raises(BundleError, match="takes one class, but the network gave 2"):
        apply({"kind": "brain", "threshold": 0.5}, [image_of(blobs())] * 2)
    with pytest.raises(BundleError, match="incomplete or malformed .*min_lesion_ml"):
        apply({"kind": "lesions", "threshold": 0.5}, [image_of(blobs())])
