"""The generator of brains and heads: repeatable, anatomically right, and within its stated ranges.

Most tests use a small toy head; those named "real" use ../shared/data/labels and are skipped where it is absent.
"""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("torch", reason="the generator needs PyTorch: pip install lightseg[pytorch]")

from LightSegLib.training.synthesis import FlairCase, HeadLibrary
from LightSegLib.training.synthesis.acquisition import Protocol, acquire, corrupt, draw_protocol
from LightSegLib.training.synthesis.anatomy import (
    Head,
    Tissue,
    brain_mask,
    crop_to_brain,
    deform,
    load_head,
    smooth_field,
)
from LightSegLib.training.synthesis.contrast import add_choroid_plexus, flair, random_contrast, t1
from LightSegLib.training.synthesis.lesions import WHITE, LesionAtlas, Lesions, draw_lesions, plant

from .synthesis_toys import CANAL_END, toy_head, write_toy_library

THIN = Protocol((1.0, 1.0, 1.0), 0, 1.0)
THICK = Protocol((5.0, 1.0, 1.0), 0, 5.0)
SEEDS = range(8)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_library(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def library(labels: Path) -> HeadLibrary:
    return HeadLibrary(labels)


@pytest.fixture(scope="module")
def head(labels: Path) -> Head:
    return toy_head(labels)


@pytest.fixture(scope="module")
def cases(library: HeadLibrary) -> list[FlairCase]:
    return [library.flair_case(np.random.default_rng(seed)) for seed in SEEDS]


@pytest.fixture(scope="module")
def real_labels(shared_data: Path) -> Path:
    folder = shared_data / "labels"
    if not folder.is_dir():
        pytest.skip("label maps are absent: no folder ../shared/data/labels beside the repository")
    return folder


def images_of(case: FlairCase) -> list[sitk.Image]:
    return [case.flair, case.t1, case.lesion, case.brain]


def array(image: sitk.Image) -> np.ndarray:
    return sitk.GetArrayFromImage(image)


# --- whole cases ------------------------------------------------------------------------------------------------


def test_a_seed_gives_the_same_case_again(library, cases):
    again = library.flair_case(np.random.default_rng(SEEDS[2]))
    for one, other in zip(images_of(again), images_of(cases[2]), strict=True):
        assert np.array_equal(array(one), array(other))


def test_other_seeds_give_other_cases(cases):
    assert len({case.flair.GetSize() + (array(case.flair).sum(),) for case in cases}) == len(cases)


def test_the_images_of_a_case_share_one_grid(cases):
    for case in cases:
        for image in images_of(case)[1:]:
            assert image.GetSize() == case.flair.GetSize()
            assert image.GetSpacing() == case.flair.GetSpacing()
            assert image.GetOrigin() == case.flair.GetOrigin()
            assert image.GetDirection() == case.flair.GetDirection()


def test_masks_are_binary_and_images_finite(cases):
    for case in cases:
        for mask in (case.lesion, case.brain):
            assert mask.GetPixelID() == sitk.sitkUInt8
            assert set(np.unique(array(mask))) <= {0, 1}
        for image in (case.flair, case.t1):
            assert np.isfinite(array(image)).all() and array(image).min() >= 0


def test_a_given_protocol_decides_the_grid(library):
    case = library.flair_case(np.random.default_rng(0), protocol=THICK)
    assert case.flair.GetSpacing() == (1.0, 1.0, 5.0)


def test_a_whole_head_reaches_beyond_its_brain_and_a_crop_does_not(library):
    whole = library.flair_case(np.random.default_rng(1), protocol=THIN, skull=True)
    crop = library.flair_case(np.random.default_rng(1), protocol=THIN)
    assert np.prod(crop.flair.GetSize()) < 0.7 * np.prod(whole.flair.GetSize())
    assert array(whole.brain).mean() < 0.4


def test_a_folder_without_heads_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no head_\*\.nii\.gz in .*brain"):
        HeadLibrary(tmp_path)


def test_heads_of_one_draw_differ_in_contrast_and_have_a_brain(library):
    cases = library.head_cases(np.random.default_rng(4), contrasts=3)
    assert len(cases) == 3
    assert len({array(case.image).mean() for case in cases}) == 3
    for case in cases:
        assert case.image.GetSize() == case.brain.GetSize() and case.image.GetSpacing() == case.brain.GetSpacing()
        assert set(np.unique(array(case.brain))) == {0, 1}


# --- anatomy ----------------------------------------------------------------------------------------------------


def test_lesion_ids_become_white_matter_and_lesions(head):
    lesion = head.lesions > 0
    assert lesion.sum() == 5 * 4 * 4
    assert set(head.tissues[lesion]) == {Tissue.WHITE_MATTER}


def test_the_brain_holds_tissue_and_ventricles_but_no_skull(head):
    mask = brain_mask(head.tissues)
    assert mask[(head.tissues > 0) & (head.tissues < Tissue.OUTSIDE) & (head.tissues != Tissue.FLUID)].all()
    assert not mask[head.tissues >= Tissue.OUTSIDE].any()
    assert not mask[head.tissues == Tissue.BACKGROUND].any()


def test_the_brain_ends_above_the_spinal_canal(head):
    canal = head.tissues[CANAL_END:13] == Tissue.FLUID
    assert canal.any(axis=(1, 2)).all()
    assert not brain_mask(head.tissues)[:13].any()


def test_the_brain_includes_the_fluid_of_a_narrow_sulcus(head):
    tissues = head.tissues.copy()
    tissues[60:66, 20:50, 33:35] = Tissue.FLUID  # a cleft of 2 mm
    mask = brain_mask(tissues)
    assert mask[61:64, 30:40, 33:35].mean() > 0.95


def test_cropping_keeps_the_brain_and_its_margin(head):
    crop = crop_to_brain(head, margin=6)
    assert brain_mask(crop.tissues).sum() == pytest.approx(brain_mask(head.tissues).sum(), rel=0.1)
    assert crop.tissues.shape == crop.lesions.shape
    assert crop.tissues.size < head.tissues.size


def marked_side(head: Head, seed: int) -> int:
    """On which side a tissue that was only on one side lies after a deformation: -1 or 1."""
    tissues = head.tissues.copy()
    white = tissues == Tissue.WHITE_MATTER
    white[:, :, : head.tissues.shape[2] // 2] = False
    tissues[white] = Tissue.CAUDATE
    moved = deform(Head(tissues, head.lesions), np.random.default_rng(seed), rotation_deg=5, scaling=0.05, elastic_mm=1)
    x = np.nonzero(moved.tissues == Tissue.CAUDATE)[2].mean()
    return 1 if x > (tissues.shape[2] - 1) / 2 else -1


def test_deformation_flips_left_and_right_about_half_the_time(head):
    sides = [marked_side(head, seed) for seed in range(16)]
    assert 3 <= sides.count(1) <= 13


def test_deformation_keeps_the_brains_volume_and_its_tissues(head):
    moved = deform(head, np.random.default_rng(3), rotation_deg=10, scaling=0.1, elastic_mm=6)
    assert moved.tissues.shape == moved.lesions.shape == head.tissues.shape
    assert set(np.unique(moved.tissues)) <= set(np.unique(head.tissues))
    before, after = (brain_mask(h.tissues).sum() for h in (head, moved))
    assert 0.6 < after / before < 1.6
    assert moved.lesions.min() >= 0 and moved.lesions.max() <= 1 + 1e-6


def test_smooth_fields_are_smooth_and_of_about_unit_variance():
    field = smooth_field(np.random.default_rng(0), (60, 60, 60), scale=10, channels=2).numpy()
    assert field.shape == (2, 60, 60, 60)
    assert 0.4 < field.std() < 1.2
    assert np.abs(np.diff(field, axis=1)).mean() < 0.2 * field.std()


# --- lesions ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sick(head: Head, labels: Path) -> list[tuple[Head, Lesions]]:
    """Heads with planted and drawn lesions."""
    atlas, drawn = LesionAtlas(labels / "lesions"), []
    for seed in SEEDS:
        rng = np.random.default_rng(seed)
        planted = plant(head, atlas, rng)
        drawn.append((planted, draw_lesions(planted, rng)))
    return drawn


def test_lesions_lie_in_white_matter_or_touch_it(sick):
    for planted, lesions in sick:
        lesion = lesions.fraction > 0.5
        tissue = planted.tissues[lesion]
        assert not np.isin(tissue, [Tissue.FLUID, Tissue.VENTRICLE, Tissue.LATERAL_VENTRICLE]).any()
        assert (tissue < Tissue.OUTSIDE).all() and (tissue > 0).all()
        assert np.isin(tissue, WHITE).mean() > 0.7 if lesion.any() else True
    assert sum((lesions.fraction > 0.5).any() for _, lesions in sick) >= 5


def test_lesions_vary_from_none_to_many(head, labels):
    atlas, loads = LesionAtlas(labels / "lesions"), []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        loads.append(int((draw_lesions(plant(head, atlas, rng), rng).fraction > 0.5).sum()))
    assert min(loads) < 0.5 * np.median(loads)
    assert max(loads) > 1.5 * np.median(loads)


def test_normal_caps_and_haze_are_never_lesion(sick):
    for _, lesions in sick:
        assert lesions.mimic.min() >= 0 and lesions.mimic.max() <= 1
        assert (lesions.mimic[lesions.fraction > 0.99] < 0.01).all()
    assert any(lesions.mimic.max() > 0.1 for _, lesions in sick)


def test_a_patients_mask_lands_inside_the_cerebrum(head, labels):
    atlas = LesionAtlas(labels / "lesions")
    placed = atlas.place(atlas.patient(np.random.default_rng(0)), head.tissues)
    assert placed.shape == head.tissues.shape
    assert np.isin(head.tissues[placed > 0.5], (*WHITE, Tissue.LATERAL_VENTRICLE, Tissue.CORTEX)).mean() > 0.95


def test_scattered_lesions_are_as_many_as_asked_for(labels):
    scattered = LesionAtlas(labels / "lesions").scattered(np.random.default_rng(0), 12)
    one = 6 * 8 * 4
    assert one <= scattered.sum() <= 12 * one


# --- contrast ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_flair_shows_lesions_bright_and_fluid_dark(sick, seed):
    planted, lesions = sick[seed]
    image = flair(planted.tissues, lesions, np.random.default_rng(seed))
    normal = (planted.tissues == Tissue.WHITE_MATTER) & (lesions.fraction < 0.01) & (lesions.mimic < 0.01)
    white = image[normal].mean()
    assert white == pytest.approx(1, abs=0.15)
    assert image[planted.tissues == Tissue.FLUID].mean() < 0.85 * white
    lesion = lesions.fraction > 0.99
    if lesion.sum() > 30:
        assert image[lesion].mean() > 1.04 * white


@pytest.mark.parametrize("seed", SEEDS)
def test_t1_shows_fluid_dark_and_lesions_not_brighter_than_white_matter(sick, seed):
    planted, lesions = sick[seed]
    image = t1(planted.tissues, lesions, np.random.default_rng(seed))
    normal = (planted.tissues == Tissue.WHITE_MATTER) & (lesions.fraction < 0.01) & (lesions.mimic < 0.01)
    white = image[normal].mean()
    assert image[planted.tissues == Tissue.FLUID].mean() < 0.85 * white
    assert image[planted.tissues == Tissue.CORTEX].mean() < white
    lesion = lesions.fraction > 0.99
    if lesion.sum() > 30:
        assert image[lesion].mean() < 1.08 * white


def test_a_random_contrast_can_be_brighter_or_darker_in_fluid(head):
    ratios = []
    for seed in range(12):
        image = random_contrast(head.tissues, np.random.default_rng(seed))
        ratios.append(image[head.tissues == Tissue.FLUID].mean() / image[head.tissues == Tissue.WHITE_MATTER].mean())
    assert min(ratios) < 0.8 and max(ratios) > 1.25


def test_choroid_plexus_grows_in_the_lateral_ventricles_only(head):
    grown = 0
    for seed in range(20):
        tissues = add_choroid_plexus(head.tissues, np.random.default_rng(seed))
        changed = tissues != head.tissues
        assert set(head.tissues[changed]) <= {Tissue.LATERAL_VENTRICLE}
        assert set(tissues[changed]) <= {Tissue.CHOROID_PLEXUS}
        grown += changed.any()
    assert grown >= 1


# --- acquisition ------------------------------------------------------------------------------------------------


def test_protocols_stay_within_the_stated_ranges():
    rng = np.random.default_rng(0)
    protocols = [draw_protocol(rng) for _ in range(500)]
    for protocol in protocols:
        in_plane = [s for axis, s in enumerate(protocol.spacing_mm) if axis != protocol.slice_axis]
        slice_mm = protocol.spacing_mm[protocol.slice_axis]
        assert in_plane[0] == in_plane[1] and 0.5 <= in_plane[0] <= 1.2
        assert 0.7 <= protocol.thickness_mm <= 8.0
        assert 1.0 <= slice_mm / protocol.thickness_mm <= 1.15
    assert {protocol.slice_axis for protocol in protocols} == {0, 1, 2}
    thick = [protocol.thickness_mm for protocol in protocols if protocol.slice_axis == 0]
    assert min(thick) < 1.0 and max(thick) > 7.0


def test_thick_slices_average_what_they_cover():
    volume = np.zeros((40, 8, 8), np.float32)
    volume[20] = 1
    sampled = acquire(volume, Protocol((5.0, 1.0, 1.0), 0, 5.0))
    assert sampled.shape == (8, 8, 8)
    assert sampled.max() == pytest.approx(0.2, abs=0.01)
    assert sampled.sum(axis=0).max() == pytest.approx(0.2, abs=0.01)


def test_an_acquisition_starts_where_the_shift_says():
    ramp = np.arange(30, dtype=np.float32)[:, None, None] * np.ones((1, 4, 4), np.float32)
    assert acquire(ramp, Protocol((3.0, 1.0, 1.0), 0, 1.0), shift=2.0)[:, 0, 0] == pytest.approx(np.arange(2, 30, 3))


def test_corruption_is_repeatable_and_keeps_the_brightness():
    volume = np.ones((20, 40, 40), np.float32)
    one, other = (corrupt(volume, np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, other)
    assert one.dtype == np.float32 and one.min() >= 0
    means = [corrupt(volume, np.random.default_rng(seed)).mean() for seed in range(8)]
    assert min(means) > 0.75 and max(means) < 1.35


# --- real label maps --------------------------------------------------------------------------------------------


def test_a_real_heads_brain_excludes_skull_and_spinal_canal(real_labels):
    real = load_head(real_labels / "brain" / "head_01.nii.gz")
    mask = brain_mask(real.tissues)
    assert not mask[real.tissues >= Tissue.OUTSIDE].any()
    assert 1000 < mask.sum() / 1000 < 2000  # ml
    solid = (real.tissues > 0) & (real.tissues < Tissue.OUTSIDE) & (real.tissues != Tissue.FLUID)
    lowest_solid, lowest = (int(np.flatnonzero(m.any(axis=(1, 2)))[0]) for m in (solid, mask))
    assert lowest >= lowest_solid - 3


def test_a_real_case_is_a_plausible_flair(real_labels):
    case = HeadLibrary(real_labels).flair_case(np.random.default_rng(7), protocol=THICK)
    image, brain, lesion = array(case.flair), array(case.brain) > 0, array(case.lesion) > 0
    assert 600 < brain.sum() * np.prod(case.brain.GetSpacing()) / 1000 < 2200  # ml
    assert lesion.any()
    assert brain[lesion].mean() > 0.9
    assert np.median(image[lesion]) > np.median(image[brain & ~lesion])
