"""The measures against independent implementations, on random and on degenerate masks."""

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.ndimage import gaussian_filter
from scipy.spatial.distance import cdist

from LightSegLib.errors import GeometryError
from LightSegLib.measures import (
    assd_mm,
    avd_percent,
    compare,
    count_lesions,
    dice,
    fpr,
    hausdorff_mm,
    hd95_mm,
    lesion_count,
    lesion_f1,
    lesion_precision,
    lesion_recall,
    ppv,
    tpr,
    volume_ml,
)

SHAPE = (9, 20, 17)
SPACINGS = [(1.0, 1.0, 1.0), (6.5, 0.9, 0.45)]
EMPTY = np.zeros(SHAPE, dtype=bool)
FULL = np.ones(SHAPE, dtype=bool)


def mask_of(*voxels: tuple[int, int, int]) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    for voxel in voxels:
        mask[voxel] = True
    return mask


ONE_VOXEL = mask_of((4, 10, 8))
CORNERS = mask_of((0, 0, 0), (8, 19, 16))


def random_blobs(rng: np.random.Generator) -> np.ndarray:
    return gaussian_filter(rng.normal(size=SHAPE), 1.2) > 0.12


def mask_pairs() -> list:
    """Random pairs, and pairs of one voxel, of the image's corners, of everything, and of masks cut by the border."""
    rng = np.random.default_rng(7)
    pairs = [
        pytest.param(random_blobs(rng), random_blobs(rng) | random_blobs(rng), id=f"random-{number}")
        for number in range(6)
    ]
    border = np.zeros(SHAPE, dtype=bool)
    border[:3, :, :5] = True
    pairs += [
        pytest.param(ONE_VOXEL, random_blobs(rng), id="one-voxel"),
        pytest.param(ONE_VOXEL, mask_of((0, 0, 0)), id="one-voxel-each"),
        pytest.param(ONE_VOXEL, ONE_VOXEL, id="same-voxel"),
        pytest.param(CORNERS, ONE_VOXEL, id="corners"),
        pytest.param(border, random_blobs(rng), id="touching-the-border"),
        pytest.param(FULL, random_blobs(rng), id="filling-the-grid"),
    ]
    return pairs


@pytest.fixture(params=SPACINGS, ids=["isotropic", "thick-slices"])
def spacing(request: pytest.FixtureRequest) -> tuple[float, float, float]:
    return request.param


def image_of(mask: np.ndarray, spacing: tuple[float, float, float]) -> sitk.Image:
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    return image


def brute_force_surface(mask: np.ndarray) -> np.ndarray:
    """Indices of voxels that lack at least one of their six neighbors, written as a plain loop over shifts."""
    padded = np.pad(mask, 1)
    inner = np.ones_like(padded)
    for axis in range(3):
        for step in (-1, 1):
            inner &= np.roll(padded, step, axis)
    return np.argwhere((padded & ~inner)[1:-1, 1:-1, 1:-1])


@pytest.mark.parametrize(("segmentation", "reference"), mask_pairs())
def test_overlap_agrees_with_simpleitk(segmentation, reference, spacing):
    overlap = sitk.LabelOverlapMeasuresImageFilter()
    overlap.Execute(image_of(segmentation, spacing), image_of(reference, spacing))
    assert dice(segmentation, reference) == pytest.approx(overlap.GetDiceCoefficient())
    # SimpleITK: false negative error = FN / reference, false discovery rate = FP / segmentation.
    assert tpr(segmentation, reference) == pytest.approx(1 - overlap.GetFalseNegativeError())
    assert ppv(segmentation, reference) == pytest.approx(1 - overlap.GetFalseDiscoveryRate())
    similarity = (segmentation.sum() - reference.sum()) / reference.sum()
    assert avd_percent(segmentation, reference) == pytest.approx(100 * abs(similarity))


@pytest.mark.parametrize(("segmentation", "reference"), mask_pairs())
def test_false_positive_rate_agrees_with_counting_voxel_by_voxel(segmentation, reference):
    wrong = sum(1 for s, r in zip(segmentation.flat, reference.flat, strict=True) if s and not r)
    background = sum(1 for r in reference.flat if not r)
    assert fpr(segmentation, reference) == pytest.approx(wrong / background)


@pytest.mark.parametrize(("segmentation", "reference"), mask_pairs())
def test_surface_distances_agree_with_brute_force(segmentation, reference, spacing):
    apart = cdist(brute_force_surface(segmentation) * spacing, brute_force_surface(reference) * spacing)
    there, back = apart.min(axis=1), apart.min(axis=0)
    assert hd95_mm(segmentation, reference, spacing) == pytest.approx(
        max(np.percentile(there, 95), np.percentile(back, 95))
    )
    assert hausdorff_mm(segmentation, reference, spacing) == pytest.approx(max(there.max(), back.max()))
    assert assd_mm(segmentation, reference, spacing) == pytest.approx(np.concatenate([there, back]).mean())


@pytest.mark.filterwarnings("ignore:.*always_return_as_numpy:FutureWarning")
@pytest.mark.parametrize(("segmentation", "reference"), mask_pairs())
def test_surface_distances_agree_with_monai(segmentation, reference, spacing):
    torch = pytest.importorskip("torch", reason="MONAI checks the surface distances where it is installed")
    metrics = pytest.importorskip("monai.metrics", reason="MONAI checks the surface distances where it is installed")
    masks = [torch.from_numpy(mask)[None, None] for mask in (segmentation, reference)]
    hausdorff = metrics.compute_hausdorff_distance(*masks, include_background=True, percentile=95, spacing=spacing)
    average = metrics.compute_average_surface_distance(*masks, include_background=True, symmetric=True, spacing=spacing)
    assert hd95_mm(segmentation, reference, spacing) == pytest.approx(float(hausdorff), rel=1e-5)
    assert assd_mm(segmentation, reference, spacing) == pytest.approx(float(average), rel=1e-5)


@pytest.mark.parametrize(("segmentation", "reference"), mask_pairs())
def test_the_hausdorff_distance_is_that_of_simpleitk_and_hd95_is_at_most_that(segmentation, reference, spacing):
    hausdorff = sitk.HausdorffDistanceImageFilter()
    hausdorff.Execute(image_of(brute_force_mask(segmentation), spacing), image_of(brute_force_mask(reference), spacing))
    largest = hausdorff_mm(segmentation, reference, spacing)
    assert largest == pytest.approx(hausdorff.GetHausdorffDistance(), abs=1e-4)
    assert hd95_mm(segmentation, reference, spacing) <= largest


def brute_force_mask(mask: np.ndarray) -> np.ndarray:
    surface = np.zeros_like(mask)
    surface[tuple(brute_force_surface(mask).T)] = True
    return surface


@pytest.mark.parametrize(("segmentation", "reference"), mask_pairs())
def test_lesion_measures_agree_with_the_challenge_s_way_in_simpleitk(segmentation, reference, spacing):
    found, lesions = challenge_count(reference, segmentation)
    right, segmented = challenge_count(segmentation, reference)
    assert count_lesions(reference) == lesions
    assert lesion_recall(segmentation, reference) == pytest.approx(found / lesions)
    assert lesion_precision(segmentation, reference) == pytest.approx(right / segmented)
    recall, precision = found / lesions, right / segmented
    f1 = 2 * recall * precision / (recall + precision) if recall + precision else 0.0
    assert lesion_f1(segmentation, reference) == pytest.approx(f1)


def challenge_count(mask: np.ndarray, other: np.ndarray) -> tuple[int, int]:
    """Fully connected components of `mask` that the other touches, and all of them, counted through SimpleITK."""
    components = sitk.ConnectedComponent(sitk.GetImageFromArray(mask.astype(np.uint8)), True)
    touched = sitk.GetArrayFromImage(components) * other
    return len(np.unique(touched[touched > 0])), int(sitk.GetArrayFromImage(components).max())


def test_voxels_that_share_only_a_corner_are_one_lesion():
    assert count_lesions(mask_of((1, 1, 1), (2, 2, 2))) == 1
    assert count_lesions(mask_of((1, 1, 1), (3, 2, 2))) == 2


def test_one_shared_voxel_makes_a_lesion_found():
    reference = np.zeros(SHAPE, dtype=bool)
    reference[1:4, 1:8, 1:8] = True
    reference[6, 15, 15] = True
    assert lesion_recall(mask_of((3, 7, 7)), reference) == 0.5


BEST = {"dice": 1, "ppv": 1, "tpr": 1, "fpr": 0, "avd_percent": 0, "hd95_mm": 0, "hausdorff_mm": 0, "assd_mm": 0}
BEST |= {"lesion_recall": 1, "lesion_precision": 1, "lesion_f1": 1}
UNDEFINED = math.nan


@pytest.mark.parametrize(
    ("segmentation", "reference", "expected"),
    [
        pytest.param(EMPTY, EMPTY, BEST, id="both-empty"),
        pytest.param(ONE_VOXEL, ONE_VOXEL, BEST, id="equal"),
        pytest.param(
            EMPTY,
            ONE_VOXEL,
            {
                **dict.fromkeys(["dice", "tpr", "fpr", "lesion_recall", "lesion_f1"], 0),
                **dict.fromkeys(["ppv", "hd95_mm", "hausdorff_mm", "assd_mm", "lesion_precision"], UNDEFINED),
                "avd_percent": 100,
            },
            id="nothing-segmented",
        ),
        pytest.param(
            ONE_VOXEL,
            EMPTY,
            {
                **dict.fromkeys(["dice", "ppv", "lesion_precision", "lesion_f1"], 0),
                **dict.fromkeys(
                    ["tpr", "avd_percent", "hd95_mm", "hausdorff_mm", "assd_mm", "lesion_recall"], UNDEFINED
                ),
                "fpr": 1 / EMPTY.size,
            },
            id="empty-reference",
        ),
        pytest.param(FULL, FULL, {**BEST, "fpr": UNDEFINED}, id="no-background"),
    ],
)
def test_degenerate_masks_have_the_documented_values(segmentation, reference, expected, spacing):
    agreement = compare(image_of(segmentation, spacing), image_of(reference, spacing))
    measured = {name: getattr(agreement, name) for name in expected}
    assert measured == pytest.approx(expected, nan_ok=True)


def test_undefined_measures_are_null_in_json(spacing):
    agreement = compare(image_of(ONE_VOXEL, spacing), image_of(EMPTY, spacing))
    values = json.loads(json.dumps(agreement.to_json(), allow_nan=False))
    assert values["hd95_mm"] is None
    assert values["dice"] == 0
    assert values["reference_lesion_count"] == 0


@pytest.mark.parametrize(("segmentation", "reference"), mask_pairs())
def test_compare_gives_what_the_single_functions_give(segmentation, reference, spacing):
    agreement = compare(image_of(segmentation, spacing), image_of(reference, spacing))
    assert agreement.dice == dice(segmentation, reference)
    assert agreement.hd95_mm == pytest.approx(hd95_mm(segmentation, reference, spacing))
    assert agreement.hausdorff_mm == pytest.approx(hausdorff_mm(segmentation, reference, spacing))
    assert agreement.assd_mm == pytest.approx(assd_mm(segmentation, reference, spacing))
    assert agreement.avd_percent == avd_percent(segmentation, reference)
    assert agreement.fpr == fpr(segmentation, reference)
    assert agreement.lesion_f1 == lesion_f1(segmentation, reference)
    assert agreement.lesion_count == count_lesions(segmentation)


def test_compare_measures_only_the_chosen_value(spacing):
    labels = ONE_VOXEL.astype(np.uint8) * 2 + CORNERS.astype(np.uint8)
    assert compare(image_of(labels, spacing), image_of(ONE_VOXEL, spacing) * 2, value=2).dice == 1
    assert compare(image_of(labels, spacing), image_of(ONE_VOXEL, spacing) * 2, value=1).dice == 0


def test_compare_measures_the_union_of_several_values(spacing):
    labels = image_of(ONE_VOXEL.astype(np.uint8) * 2 + CORNERS.astype(np.uint8), spacing)
    union = image_of(ONE_VOXEL | CORNERS, spacing)
    assert compare(labels, union, value=(1,)).dice < 1
    both = compare(labels, union * 2, value=(1, 2))
    assert both.dice == 1 and both.volume_ml == both.reference_volume_ml == volume_ml(union)
    assert volume_ml(labels, (1, 2)) == pytest.approx(volume_ml(labels, 1) + volume_ml(labels, 2))


def test_compare_refuses_another_grid_and_says_both(spacing):
    moved = image_of(ONE_VOXEL, spacing)
    moved.SetSpacing((2, 2, 2))
    with pytest.raises(GeometryError, match=r"17 x 20 x 9 voxels of 2 x 2 x 2 mm.*resample the reference"):
        compare(image_of(ONE_VOXEL, spacing), moved)


def test_volume_is_in_milliliters():
    image = sitk.Image([10, 10, 10], sitk.sitkUInt8)
    image.SetSpacing((1, 2, 5))
    image[0:5, 0:10, 0:10] = 1
    assert volume_ml(image) == pytest.approx(5.0)
    assert volume_ml(image, 2) == 0
    assert lesion_count(image) == 1
