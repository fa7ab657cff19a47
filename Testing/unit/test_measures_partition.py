"""V-Rand and V-Info: values computed by hand, and by counting pairs of pixels one by one."""

import math

import numpy as np
import pytest

from LightSegLib.measures import segments_between_membranes, v_info, v_rand

SCORES = [v_rand, v_info]


def random_labels(rng: np.random.Generator, *, count: int) -> np.ndarray:
    """A small label image with background, whose labels are neither small nor in order."""
    return rng.choice([0, *rng.integers(1, 100_000, size=count)], size=(5, 7))


def pairwise(segmentation: np.ndarray, reference: np.ndarray) -> tuple[float, float]:
    """V-Rand and V-Info by a loop over all pairs of foreground pixels, a pixel with itself among them."""
    pixels = [(int(s), int(t)) for s, t in zip(segmentation.flat, reference.flat, strict=True) if t]
    count = len(pixels)
    same_s, same_t, same_both = (np.zeros(count) for _ in range(3))  # by pixel: how many others go with it
    for a, (s, t) in enumerate(pixels):
        for b, (other_s, other_t) in enumerate(pixels):
            in_s = a == b or (s == other_s and s != 0)
            in_t = t == other_t
            same_s[a] += in_s
            same_t[a] += in_t
            same_both[a] += in_s and in_t
    rand = same_both.sum() / (0.5 * same_s.sum() + 0.5 * same_t.sum())
    entropy_s, entropy_t, joint = (-np.log(same / count).mean() for same in (same_s, same_t, same_both))
    return rand, (entropy_s + entropy_t - joint) / (0.5 * entropy_s + 0.5 * entropy_t)


@pytest.mark.parametrize("seed", range(20))
def test_scores_agree_with_counting_pairs_of_pixels(seed):
    rng = np.random.default_rng(seed)
    segmentation = random_labels(rng, count=4)
    reference = random_labels(rng, count=3)
    if seed % 2:  # related images, not only independent ones, whose V-Info is near 0
        segmentation = np.where(rng.random(reference.shape) < 0.3, segmentation, reference)
    rand, info = pairwise(segmentation, reference)
    # Both are sums of at most 35 numbers; only their order differs.
    assert v_rand(segmentation, reference) == pytest.approx(rand, abs=1e-12)
    assert v_info(segmentation, reference) == pytest.approx(info, abs=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_perfect_agreement_is_one_whatever_the_labels_are_called(score):
    reference = np.array([[1, 1, 0, 2], [1, 0, 2, 2], [0, 3, 3, 3]])
    names = np.array([0, 70_000, 5, 1])
    assert score(reference, reference) == pytest.approx(1)
    assert score(names[reference], reference) == pytest.approx(1)


@pytest.mark.parametrize("score", SCORES)
def test_renaming_labels_changes_nothing(score):
    rng = np.random.default_rng(0)
    segmentation, reference = rng.integers(0, 5, (2, 8, 9))
    renamed = np.array([0, 4, 1, 9, 2])[segmentation]
    assert score(renamed, reference) == pytest.approx(score(segmentation, reference))


def test_one_split_costs_what_the_definition_says():
    reference = np.array([1, 1, 1, 1, 2, 2, 2, 2])
    split = np.array([1, 1, 3, 3, 2, 2, 2, 2])
    # p = 1/4, 1/4, 1/2 and so is s; t = 1/2, 1/2. Sums of squares: 3/8, 3/8, 1/2, and 3/8 / (3/16 + 1/4) = 6/7.
    assert v_rand(split, reference) == pytest.approx(6 / 7)
    # In bits: H(p) = H(S) = 3/2, H(T) = 1, so I = 1, and 1 / (3/4 + 1/2) = 4/5.
    assert v_info(split, reference) == pytest.approx(4 / 5)


def test_one_merge_costs_what_the_definition_says():
    reference = np.array([1, 2, 2, 2, 3, 3, 3, 3])
    merged = np.array([1, 1, 1, 1, 3, 3, 3, 3])
    # p = 1/8, 3/8, 1/2 and so is t; s = 1/2, 1/2. Sums of squares: 13/32, 13/32, 16/32, and 2 * 13 / (13 + 16).
    assert v_rand(merged, reference) == pytest.approx(26 / 29)
    # In bits: H(p) = H(T) = 3/8 + 3/8 log2(8/3) + 1/2 = 1.405639, H(S) = 1, so I = 1, and 2 / 2.405639 = 0.831380.
    assert v_info(merged, reference) == pytest.approx(0.831380, abs=1e-6)


def test_merging_everything_leaves_no_information():
    reference = np.array([1, 1, 2, 2])
    # p = 1/2, 1/2; s = 1; t = 1/2, 1/2: 1/2 / (1/2 + 1/4) = 2/3. H(S) = 0, so I = 0.
    assert v_rand(np.ones(4, dtype=int), reference) == pytest.approx(2 / 3)
    assert v_info(np.ones(4, dtype=int), reference) == pytest.approx(0, abs=1e-12)


def test_membrane_inside_a_segment_of_the_reference_falls_apart_into_single_pixels():
    reference = np.array([1, 1, 1, 1])
    segmentation = np.array([1, 1, 0, 0])
    # p = s = 1/2, 1/4, 1/4; t = 1: 3/8 / (3/16 + 1/2) = 6/11. H(T) = 0, so I = 0.
    assert v_rand(segmentation, reference) == pytest.approx(6 / 11)
    assert v_info(segmentation, reference) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("score", SCORES)
def test_what_the_reference_has_as_background_does_not_count(score):
    rng = np.random.default_rng(1)
    segmentation, other, reference = rng.integers(0, 4, (3, 9, 9))
    elsewhere = np.where(reference == 0, other, segmentation)
    assert not np.array_equal(elsewhere, segmentation)
    assert score(elsewhere, reference) == score(segmentation, reference)


@pytest.mark.parametrize("score", SCORES)
def test_one_segment_found_as_one_is_perfect_and_an_empty_reference_is_undefined(score):
    one, empty = np.full((3, 3), 5), np.zeros((3, 3), dtype=int)
    assert score(one, one) == 1
    assert math.isnan(score(one, empty))
    assert math.isnan(score(empty, empty))


@pytest.mark.parametrize("score", SCORES)
def test_images_of_different_shapes_are_refused(score):
    with pytest.raises(ValueError, match=r"two label images of one shape, got \(2, 3\) and \(3, 2\)"):
        score(np.ones((2, 3), dtype=int), np.ones((3, 2), dtype=int))


def test_segments_are_what_membranes_separate():
    membrane = np.array(
        [
            [0.1, 0.2, 0.9, 0.0],
            [0.3, 0.5, 0.1, 0.2],
            [0.7, 0.1, 0.0, 0.4],
        ]
    )
    # 0.5 is membrane; the diagonal membrane of one pixel's width has no gap.
    assert segments_between_membranes(membrane).tolist() == [[1, 1, 0, 2], [1, 0, 2, 2], [0, 2, 2, 2]]
    assert segments_between_membranes(membrane, 0.3).tolist() == [[1, 1, 0, 2], [0, 0, 2, 2], [0, 2, 2, 0]]


def test_a_mask_is_as_good_as_probabilities():
    membrane = np.random.default_rng(2).random((12, 12)) > 0.6
    segments = segments_between_membranes(membrane)
    assert np.array_equal(segments, segments_between_membranes(membrane.astype(np.float32)))
    assert np.array_equal(segments == 0, membrane)
