"""Accuracy and mean IoU of label images: values computed by hand, and the masks' Dice."""

import numpy as np
import pytest

from LightSegLib.measures import dice, mean_iou, pixel_accuracy

MEASURES = [pixel_accuracy, mean_iou]


def test_two_classes_give_the_values_of_their_formulas():
    reference = np.array([[True, True, True, False], [False, False, False, False]])
    segmentation = np.array([[True, True, False, True], [False, False, False, False]])
    # TP 2, FP 1, FN 1, TN 4: accuracy 6/8; IoU of the mask 2/4, of the background 4/6.
    assert pixel_accuracy(segmentation, reference) == pytest.approx(6 / 8)
    assert mean_iou(segmentation, reference) == pytest.approx((2 / 4 + 4 / 6) / 2)


def test_the_iou_of_a_mask_follows_from_its_dice():
    rng = np.random.default_rng(0)
    segmentation, reference = rng.random((2, 4, 6, 5)) > 0.4
    ious = [d / (2 - d) for d in (dice(segmentation, reference), dice(~segmentation, ~reference))]
    assert mean_iou(segmentation, reference) == pytest.approx(np.mean(ious))


def test_a_class_that_only_one_image_has_counts_as_nothing():
    reference = np.array([0, 0, 1, 1])
    segmentation = np.array([0, 0, 1, 7])
    # IoU of class 0: 1, of class 1: 1/2, of class 7: 0.
    assert mean_iou(segmentation, reference) == pytest.approx(0.5)
    assert mean_iou(reference, segmentation) == pytest.approx(0.5)
    assert pixel_accuracy(segmentation, reference) == pytest.approx(0.75)


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("image", [np.array([[0, 3], [3, 9]]), np.zeros((2, 2), dtype=bool)])
def test_perfect_agreement_is_one_also_without_any_foreground(measure, image):
    assert measure(image, image) == 1


@pytest.mark.parametrize("measure", MEASURES)
def test_images_of_different_shapes_and_empty_images_are_refused(measure):
    with pytest.raises(ValueError, match=r"two images of one shape, not empty, got \(2, 1\) and \(1, 2\)"):
        measure(np.ones((2, 1), dtype=int), np.ones((1, 2), dtype=int))
    with pytest.raises(ValueError, match=r"not empty, got \(0,\) and \(0,\)"):
        measure(np.ones(0, dtype=int), np.ones(0, dtype=int))
