"""The generator of patients with brain tumors: repeatable, anatomically right, and no copy of a real case.

Most tests use a small toy head; those named "real" use ../shared/data and are skipped where it is absent.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from scipy import ndimage

pytest.importorskip("torch", reason="the generator needs PyTorch: pip install lightseg[pytorch]")

from LightSegLib.training.synthesis import TumorCase, TumorLibrary
from LightSegLib.training.synthesis.anatomy import Head, Tissue, brain_mask
from LightSegLib.training.synthesis.lesions import Lesions
from LightSegLib.training.synthesis.tumor_cases import KINDS
from LightSegLib.training.synthesis.tumor_contrast import CHANNELS, Patient, paint
from LightSegLib.training.synthesis.tumor_growth import draw_cavity, infiltrate, push_aside, signed_distance, to_fine
from LightSegLib.training.synthesis.tumor_masks import (
    MOST_OVERLAP,
    TumorMasks,
    common_space,
    largest_overlap,
    place,
    read_labels,
)
from LightSegLib.training.synthesis.tumor_shapes import grow, thin_out

from .synthesis_toys import toy_head, toy_tumor, write_toy_library

SHAPE = (64, 72, 60)
MIDDLE = np.array([32.0, 36.0, 30.0])


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_library(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def library(labels: Path) -> TumorLibrary:
    return TumorLibrary(labels)


@pytest.fixture(scope="module")
def cases(library: TumorLibrary) -> dict[str, TumorCase]:
    return {kind: library.case(np.random.default_rng(3), kind=kind) for kind in KINDS}


@pytest.fixture(scope="module")
def real_labels(shared_data: Path) -> Path:
    folder = shared_data / "labels"
    if not (folder / "tumor_masks").is_dir() or not (shared_data / "tumor").is_dir():
        pytest.skip("tumor masks and cases are absent: no folders labels/tumor_masks and tumor in ../shared/data")
    return folder


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


def ball(radius: float, shape: tuple[int, ...] = SHAPE, center: Sequence[float] | np.ndarray = MIDDLE) -> np.ndarray:
    axes = np.meshgrid(*(np.arange(n) - c for n, c in zip(shape, center, strict=True)), indexing="ij", sparse=True)
    return sum(axis**2 for axis in axes) < radius**2


def white_head() -> tuple[Head, np.ndarray]:
    """A ball of white matter, 28 mm in radius, with its mask."""
    brain = ball(28)
    return Head(np.where(brain, np.uint8(Tissue.WHITE_MATTER), np.uint8(0)), np.zeros(SHAPE, np.float32)), brain


def patient(labels: np.ndarray, **changes) -> Patient:
    head, brain = white_head()
    nothing = np.zeros(SHAPE, np.float32)
    tissues = np.where(ball(28) & ~ball(25), np.uint8(Tissue.CORTEX), head.tissues)
    known = {"lesions": Lesions(nothing, nothing, nothing), "cavity": None, "low_grade": False, "visibility": 1.0}
    return Patient(**{"tissues": tissues, "labels": labels, "brain": brain} | known | changes)


# --- whole cases ------------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_case_again(library, cases):
    again = library.case(np.random.default_rng(3), kind="mask")
    assert np.array_equal(array(again.labels), array(cases["mask"].labels))
    for name in CHANNELS:
        assert np.array_equal(array(again.images[name]), array(cases["mask"].images[name]))


@pytest.mark.parametrize("kind", KINDS)
def test_the_four_images_share_one_grid_and_end_at_the_brain(cases, kind):
    case = cases[kind]
    brain = array(case.brain) > 0
    assert tuple(case.images) == CHANNELS
    for image in (*case.images.values(), case.labels):
        assert image.GetSize() == case.brain.GetSize() and image.GetSpacing() == (1.0, 1.0, 1.0)
        assert image.GetOrigin() == case.brain.GetOrigin()
        assert not array(image)[~brain].any()
    for image in case.images.values():
        assert np.isfinite(array(image)).all() and array(image).min() >= 0
        assert array(image)[brain].std() > 10  # of 400 in white matter


def test_a_kind_has_the_labels_that_it_should_have(cases):
    found = {kind: set(np.unique(array(case.labels))) for kind, case in cases.items()}
    assert found["none"] == {0}
    assert found["mask"] == found["ring"] == {0, 1, 2, 3}
    assert 3 not in found["low_grade"] and found["low_grade"] & {1, 2}
    assert found["small"] - {0}


def test_other_seeds_give_other_tumors(library):
    patients = [library.patient(np.random.default_rng(seed), kind="mask") for seed in range(3)]
    assert len({patient.labels.tobytes() for patient in patients}) == 3


def test_a_folder_without_heads_or_masks_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no head_\*\.nii\.gz in .*brain"):
        TumorLibrary(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no \*\.nii\.gz in "):
        TumorMasks(tmp_path)


# --- shapes -----------------------------------------------------------------------------------------------------


def test_a_ring_encloses_its_core():
    labels = grow("ring", SHAPE, MIDDLE, np.random.default_rng(1))
    core = labels == 1
    touching = ndimage.binary_dilation(core) & ~core
    assert core.any() and (labels[touching] == 3).mean() > 0.9


def test_a_low_grade_tumor_does_not_enhance_and_a_small_one_is_small(rng):
    for _ in range(6):
        assert not (grow("low_grade", SHAPE, MIDDLE, rng) == 3).any()
        small = grow("small", SHAPE, MIDDLE, rng)
        assert 0 < np.isin(small, (1, 3)).sum() + (small == 2).sum() < 60_000
        assert np.isin(small, (1, 3)).sum() < 6_000  # 6 ml


def test_enhancement_may_be_lost_in_patches_or_wholly_but_the_core_stays():
    labels = grow("ring", SHAPE, MIDDLE, np.random.default_rng(1))
    left = [thin_out(labels, np.random.default_rng(seed)) for seed in range(12)]
    for thinned in left:
        assert np.array_equal(np.isin(thinned, (1, 3)), np.isin(labels, (1, 3)))
    shares = [(thinned == 3).sum() / (labels == 3).sum() for thinned in left]
    assert min(shares) == 0 and any(0.1 < share < 0.9 for share in shares)


def test_a_real_mask_keeps_its_layers_and_comes_to_where_it_should(labels):
    brain = brain_mask(toy_head(labels).tissues)
    center = np.argwhere(brain).mean(axis=0)
    sizes = []
    for seed in range(4):
        placed = place(toy_tumor(), brain, center, np.random.default_rng(seed))
        assert placed.shape == brain.shape and set(np.unique(placed)) == {0, 1, 2, 3}
        assert np.abs(np.argwhere(placed > 0).mean(axis=0) - center).max() < 5
        sizes.append(int((placed > 0).sum()))
    assert max(sizes) > 1.15 * min(sizes)


# --- growth -----------------------------------------------------------------------------------------------------


def test_signed_distances_are_negative_inside_and_in_millimeters():
    distance = to_fine(signed_distance(ball(12)), SHAPE)
    assert distance.shape == SHAPE
    assert distance[32, 36, 30] == pytest.approx(-12, abs=2) and distance[32, 36, 55] == pytest.approx(13, abs=2)
    assert (signed_distance(np.zeros(SHAPE, bool)) > 100).all()


def test_a_core_pushes_tissue_outward_and_the_surface_of_the_brain_stays():
    head, brain = white_head()
    tissues = np.where(ball(16) & ~ball(13), np.uint8(Tissue.THALAMUS), head.tissues)
    core = np.where(ball(10), np.uint8(1), np.uint8(0))
    offsets = np.indices(SHAPE) - np.reshape(MIDDLE, (3, 1, 1, 1))
    radius = np.sqrt((offsets**2).sum(axis=0))
    moved = [push_aside(Head(tissues, head.lesions), core, brain, np.random.default_rng(seed)) for seed in range(5)]
    before = radius[tissues == Tissue.THALAMUS].mean()
    shifts = [radius[one.tissues == Tissue.THALAMUS].mean() - before for one in moved]
    assert min(shifts) > -0.2 and max(shifts) > 1.0
    for one in moved:
        assert ((one.tissues > 0) == brain).mean() > 0.995


def test_edema_spreads_in_white_matter_spares_fluid_and_leaves_the_core_alone():
    head, brain = white_head()
    tissues = head.tissues.copy()
    tissues[:, :36] = np.where(brain[:, :36], np.uint8(Tissue.CORTEX), 0)
    tissues[:, :, 34:37] = np.where(brain[:, :, 34:37], np.uint8(Tissue.FLUID), 0)
    planned = np.select([ball(6), ball(14)], [1, 2], 0).astype(np.uint8)
    white, gray = 0, 0
    for seed in range(6):
        fitted = infiltrate(planned, tissues, brain, np.random.default_rng(seed))
        assert np.array_equal(fitted == 1, planned == 1)
        edema = fitted == 2
        assert edema.any() and not edema[tissues == Tissue.FLUID].any() and not edema[~brain].any()
        white, gray = white + int(edema[:, 37:].sum()), gray + int(edema[:, :36].sum())
    assert white > 1.2 * gray


def test_a_cavity_lies_in_the_brain_with_a_border_that_is_no_tumor(labels):
    head = toy_head(labels)
    brain = brain_mask(head.tissues)
    cavity = draw_cavity(head, brain, np.random.default_rng(0))
    assert cavity.inside.any() and cavity.border.any()
    assert not (cavity.inside & cavity.border).any() and not (cavity.inside | cavity.border)[~brain].any()


# --- contrast ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_contrasts_show_a_ring_as_they_should(seed):
    labels = np.select([ball(7), ball(11), ball(18)], [1, 3, 2], 0).astype(np.uint8)
    images = paint(patient(labels), np.random.default_rng(seed))
    level = {
        name: [np.median(image[labels == label]) for label in (1, 2, 3)] + [np.median(image[ball(23) & (labels == 0)])]
        for name, image in images.items()
    }
    core, edema, enhancing, white = range(4)
    assert level["FLAIR"][edema] > 1.05 * level["FLAIR"][white]
    assert level["T2"][edema] > level["T2"][white]
    assert level["T1ce"][enhancing] > 1.05 * max(level["T1ce"][white], level["T1ce"][edema])
    assert level["T1"][core] < level["T1"][white]
    assert level["T1"][enhancing] < level["T1ce"][enhancing]


def test_a_faint_tumor_is_closer_to_white_matter():
    labels = np.where(ball(14), np.uint8(2), np.uint8(0))

    def contrast(visibility: float) -> float:
        flair = paint(patient(labels, low_grade=True, visibility=visibility), np.random.default_rng(2))["FLAIR"]
        return float(np.median(flair[ball(12)]) - np.median(flair[ball(23) & ~ball(17)]))

    assert 0 < contrast(0.3) < 0.6 * contrast(1.0)


def test_vessels_enhance_without_a_tumor():
    healthy = np.zeros(SHAPE, np.uint8)
    brightest = [
        np.percentile(images["T1ce"][ball(28)], 99.8) / np.percentile(images["T1"][ball(28)], 99.8)
        for images in (paint(patient(healthy), np.random.default_rng(seed)) for seed in range(4))
    ]
    assert max(brightest) > 1.2


# --- no copies of real cases ------------------------------------------------------------------------------------


def test_the_overlap_finds_a_copy_also_a_mirrored_one():
    brain = (slice(2, 62), slice(4, 68), slice(3, 57))
    tumor = common_space(ball(12, center=(30.0, 30.0, 20.0)), brain)
    other = common_space(ball(12, center=(30.0, 50.0, 45.0)), brain)
    assert largest_overlap(tumor, [other, tumor]) == 1
    assert largest_overlap(tumor, [tumor[:, :, ::-1]]) == 1
    assert largest_overlap(tumor, [other]) < 0.1
    assert largest_overlap(tumor, []) == 0
    assert largest_overlap(np.zeros_like(tumor), [np.zeros_like(tumor)]) == 0
    grown = common_space(ball(12.4, center=(30.0, 30.0, 20.0)), brain)
    assert MOST_OVERLAP < largest_overlap(tumor, [grown]) < 1


@pytest.fixture(scope="module")
def real_tumors(shared_data: Path, real_labels: Path) -> list[tuple[np.ndarray, tuple[slice, ...]]]:
    """Label map and brain box of every real case."""
    found = []
    for folder in sorted(path.parent for path in (shared_data / "tumor").glob("*/seg.nii.gz")):
        brain = read_labels(folder / "FLAIR.nii.gz") > 0
        found.append((read_labels(folder / "seg.nii.gz"), ndimage.find_objects(brain.view(np.uint8))[0]))
    return found


def test_no_real_mask_for_planting_is_that_of_a_real_case(real_labels, real_tumors):
    sparse = (slice(None, None, 3),) * 3
    known = [labels[sparse] > 0 for labels, _ in real_tumors]
    for path in TumorMasks(real_labels / "tumor_masks").paths:
        overlap = largest_overlap(read_labels(path)[sparse] > 0, known)
        assert overlap <= MOST_OVERLAP, f"{path.name} overlaps a case of ../shared/data/tumor by {overlap:.2f}"


def test_no_planted_tumor_is_that_of_a_real_case(real_labels, real_tumors):
    known = [common_space(labels, box) for labels, box in real_tumors]
    library = TumorLibrary(real_labels)
    for seed in range(3):
        planted = library.patient(np.random.default_rng(seed), kind="mask")
        box = ndimage.find_objects(planted.brain.view(np.uint8))[0]
        assert largest_overlap(common_space(planted.labels, box), known) <= MOST_OVERLAP
