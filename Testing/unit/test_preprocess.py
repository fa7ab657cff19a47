"""Preprocessing: normalization that disease does not move, slices and heads that find their way back."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import BundleError, InputError
from LightSegLib.preprocess import BrainSlices, HeadVolume, build_preprocessor
from LightSegLib.preprocess.brain_images import BACKGROUND, HIGHEST, LOWEST
from LightSegLib.preprocess.grid import grid_about, sample
from LightSegLib.preprocess.head import scale_head
from LightSegLib.preprocess.normalization import interquartile, tissue_mode, z_score
from LightSegLib.preprocess.slices import stack_neighbors

from .preprocess_toys import FINE, OBLIQUE, SPACINGS, THICK, THIN, dice, ellipsoid, physical_center, textured, volume

SETTINGS = {
    "kind": "brain_slices",
    "spacing_mm": 0.9,
    "canvas": [224, 176],
    "neighbor_mm": 3.0,
    "normalization": {"FLAIR": "tissue_mode", "T1": "interquartile"},
}


def on_grid_of(prepared, mask: sitk.Image) -> np.ndarray:
    """`mask` as a network would answer it for the prepared slices: (n, 1, y, x)."""
    stack = sample(mask, prepared.grid)
    return stack[prepared.first : prepared.first + len(prepared.array)][:, None]


@pytest.fixture
def slices() -> BrainSlices:
    return build_preprocessor(SETTINGS, ["FLAIR", "T1"])


@pytest.fixture
def head() -> HeadVolume:
    return build_preprocessor({"kind": "head_volume", "spacing_mm": 2.0}, ["MR"])


# --- normalization ----------------------------------------------------------------------------------------------


@pytest.fixture
def brain_values(rng) -> np.ndarray:
    """A healthy brain: white matter at 400, cortex at 460, a rim of fluid."""
    parts = [rng.normal(400, 20, 60_000), rng.normal(460, 25, 40_000), rng.normal(90, 30, 8_000)]
    return np.concatenate(parts)


def shift_in_standard_deviations(before: tuple[float, float], after: tuple[float, float]) -> float:
    return abs(after[0] - before[0]) / before[1]


def test_lesions_move_the_tissue_mode_less_than_the_median(brain_values, rng):
    lesions = rng.normal(640, 40, 15_000)
    sick = np.concatenate([brain_values, lesions])
    before, after = tissue_mode(brain_values), tissue_mode(sick)
    assert shift_in_standard_deviations(before, after) < 0.2
    assert after[1] == pytest.approx(before[1], rel=0.1)
    median_shift = abs(np.median(sick) - np.median(brain_values)) / before[1]
    assert shift_in_standard_deviations(before, after) < median_shift


def test_fluid_and_atrophy_do_not_move_the_tissue_mode(brain_values, rng):
    before, after = tissue_mode(brain_values), tissue_mode(np.concatenate([brain_values, rng.normal(90, 30, 40_000)]))
    assert shift_in_standard_deviations(before, after) < 0.2
    assert after[1] == pytest.approx(before[1], rel=0.1)


def test_air_inside_the_mask_is_not_taken_for_tissue(brain_values):
    with_air = np.concatenate([brain_values, np.zeros(30_000)])
    assert tissue_mode(with_air)[0] == pytest.approx(tissue_mode(brain_values)[0], rel=0.03)


@pytest.mark.parametrize("normalize", [tissue_mode, interquartile])
def test_normalized_values_do_not_depend_on_the_scanners_units(normalize, brain_values):
    center, scale = normalize(brain_values)
    other_center, other_scale = normalize(brain_values * 7.5 + 30)
    assert other_center == pytest.approx(center * 7.5 + 30, rel=1e-3)
    assert other_scale == pytest.approx(scale * 7.5, rel=1e-3)


def test_eight_bit_images_are_normalized_like_finer_ones(brain_values):
    coarse = np.rint(brain_values / 5)
    assert tissue_mode(coarse)[0] * 5 == pytest.approx(tissue_mode(brain_values)[0], rel=0.03)
    assert tissue_mode(coarse)[1] * 5 == pytest.approx(tissue_mode(brain_values)[1], rel=0.25)


def test_interquartile_of_a_gaussian_is_its_mean_and_standard_deviation(rng):
    center, scale = interquartile(rng.normal(300, 40, 200_000))
    assert center == pytest.approx(300, abs=1)
    assert scale == pytest.approx(40, rel=0.02)


@pytest.mark.parametrize(
    ("normalize", "message"),
    [
        (tissue_mode, "single intensity"),
        (interquartile, "half of the brain has one intensity"),
        (z_score, "single intensity"),
    ],
)
def test_a_brain_of_one_intensity_is_refused(normalize, message):
    with pytest.raises(InputError, match=f"{message}.*check that the image is an MR scan"):
        normalize(np.full(1000, 7.0))


# --- slices: what the network gets ------------------------------------------------------------------------------


@pytest.fixture
def thick_case(rng) -> tuple[sitk.Image, sitk.Image]:
    """A FLAIR with thick slices and its brain mask, which ends three slices before the stack does."""
    image = volume(THICK, (200, 220, 140))
    brain = ellipsoid(image, (6, -4, 0), (62, 80, 45))
    return textured(brain, rng), brain


def test_slices_are_those_with_brain_on_one_canvas(slices, thick_case):
    flair, brain = thick_case
    array = slices.prepare({"FLAIR": flair, "T1": flair}, brain=brain).array
    filled = sitk.GetArrayFromImage(brain).any(axis=(1, 2)).sum()
    assert array.dtype == np.float32
    assert array.shape == (filled, 4, 224, 176)


def test_normalized_slices_stay_within_their_range_and_are_background_outside_the_brain(slices, thick_case):
    flair, brain = thick_case
    prepared = slices.prepare({"FLAIR": flair, "T1": flair}, brain=brain)
    assert prepared.array.min() >= LOWEST and prepared.array.max() <= HIGHEST
    outside = on_grid_of(prepared, brain)[:, 0] <= 0.5
    for channel in (1, 3):
        assert (prepared.array[:, channel][outside] == BACKGROUND).all()
        assert np.abs(np.median(prepared.array[:, channel][~outside])) < 0.5


def test_the_brain_is_centered_wherever_it_lies(slices, rng):
    image = volume(THIN, (190, 220, 150))
    middles = []
    for shift in (-12, 15):
        brain = ellipsoid(image, (shift, shift / 2, 3), (50, 70, 40))
        array = slices.prepare({"FLAIR": textured(brain, rng)}, brain=brain).array
        _, y, x = np.nonzero(array[:, 1] > BACKGROUND)
        middles.append((y.mean(), x.mean()))
    assert np.allclose(middles, [(111.5, 87.5)] * 2, atol=1.0)


def test_what_lies_outside_the_brain_changes_nothing(slices, thick_case):
    flair, brain = thick_case
    with_skull = flair + sitk.Cast(sitk.Not(sitk.BinaryDilate(brain, [3, 3, 1])), sitk.sitkFloat32) * 5000
    plain = slices.prepare({"FLAIR": flair}, brain=brain).array
    skull = slices.prepare({"FLAIR": with_skull}, brain=brain).array
    assert np.allclose(plain, skull, atol=1e-4)


def test_a_missing_t1_is_zero_everywhere_and_a_present_one_is_not(slices, thick_case):
    flair, brain = thick_case
    without = slices.prepare({"FLAIR": flair}, brain=brain).array
    present = slices.prepare({"FLAIR": flair, "T1": flair}, brain=brain).array
    assert without.shape == present.shape
    assert not without[:, 3].any()
    assert (present[:, 3] == BACKGROUND).any(axis=(1, 2)).all()
    assert np.array_equal(without[:, :3], present[:, :3])


@pytest.mark.parametrize(("slice_mm", "step"), [(1.0, 3), (1.5, 2), (3.0, 1), (6.5, 1), (0.8, 4)])
def test_neighbors_are_about_three_millimeters_away(slices, slice_mm, step):
    assert slices.neighbor_step(slice_mm) == step


def test_neighbors_are_the_slices_below_and_above(slices, thick_case):
    flair, brain = thick_case
    array = slices.prepare({"FLAIR": flair}, brain=brain).array
    assert np.array_equal(array[1:, 0], array[:-1, 1])
    assert np.array_equal(array[:-1, 2], array[1:, 1])


def test_neighbors_beyond_the_slab_are_background(slices, rng):
    image = volume(THICK, (180, 200, 35))
    brain = ellipsoid(image, (0, 0, 0), (60, 75, 500))  # cut at both ends
    array = slices.prepare({"FLAIR": textured(brain, rng)}, brain=brain).array
    assert len(array) == image.GetSize()[2]
    assert (array[0, 0] == BACKGROUND).all() and (array[-1, 2] == BACKGROUND).all()
    assert (array[0, 2] > BACKGROUND).any() and (array[-1, 0] > BACKGROUND).any()


def test_stacked_neighbors_of_a_single_slice_are_background():
    stacked = stack_neighbors(np.ones((1, 4, 5), np.float32), 0, 1)
    assert [set(np.unique(channel)) for channel in stacked] == [{BACKGROUND}, {1.0}, {BACKGROUND}]


@pytest.mark.parametrize("spacing", [(0.5, 0.5, 0.5), (0.7, 0.7, 0.7)])
def test_slices_closer_than_the_network_can_use_are_sampled_every_millimeter(slices, rng, spacing):
    image = volume(spacing, (90, 90, 60))
    brain = ellipsoid(image, (0, 0, 0), (35, 40, 25))
    prepared = slices.prepare({"FLAIR": textured(brain, rng)}, brain=brain)
    assert prepared.grid.GetSpacing()[2] == 1.0
    assert len(prepared.array) == pytest.approx(50, abs=2)


# --- slices: the way back ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("direction", [None, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("spacing", SPACINGS.values(), ids=SPACINGS)
def test_a_mask_painted_on_the_canvas_lands_at_its_physical_place(slices, rng, spacing, direction):
    image = volume(spacing, (120, 130, 84), direction=direction)
    brain = ellipsoid(image, (5, -3, 0), (50, 56, 36))
    lesion = ellipsoid(image, (18, -14, 7), (11, 14, 15))
    prepared = slices.prepare({"FLAIR": textured(brain, rng)}, brain=brain)
    (restored,) = prepared.restore(on_grid_of(prepared, lesion))
    assert restored.GetSize() == image.GetSize()
    assert restored.GetOrigin() == image.GetOrigin()
    assert restored.GetSpacing() == image.GetSpacing()
    assert restored.GetDirection() == image.GetDirection()
    mask = restored > 0.5
    assert dice(mask, lesion) > 0.93
    assert np.abs(physical_center(mask) - physical_center(lesion)).max() < 0.35


def test_every_class_is_restored_on_its_own(slices, thick_case):
    flair, brain = thick_case
    prepared = slices.prepare({"FLAIR": flair}, brain=brain)
    ones = np.ones((len(prepared.array), 1, 224, 176), np.float32)
    first, second = prepared.restore(np.concatenate([0.25 * ones, 0.75 * ones], axis=1))
    inside = sitk.GetArrayFromImage(brain) > 0
    assert np.allclose(sitk.GetArrayFromImage(first)[inside], 0.25, atol=1e-5)
    assert np.allclose(sitk.GetArrayFromImage(second)[inside], 0.75, atol=1e-5)


def test_nothing_is_restored_outside_the_brain(slices, thick_case):
    flair, brain = thick_case
    prepared = slices.prepare({"FLAIR": flair}, brain=brain)
    (restored,) = prepared.restore(np.ones((len(prepared.array), 1, 224, 176), np.float32))
    assert restored.GetPixelID() == sitk.sitkFloat32
    assert not sitk.GetArrayFromImage(restored)[sitk.GetArrayFromImage(brain) == 0].any()


def test_a_brain_larger_than_the_canvas_is_scaled_and_not_cut(slices, rng):
    image = volume((1.5, 1.5, 5.0), (240, 270, 60))
    brain = ellipsoid(image, (0, 0, 0), (100, 120, 25))  # the canvas is 158 x 202 mm
    prepared = slices.prepare({"FLAIR": textured(brain, rng)}, brain=brain)
    assert prepared.array.shape[2:] == (224, 176)
    assert prepared.grid.GetSpacing()[0] == prepared.grid.GetSpacing()[1] > SETTINGS["spacing_mm"]
    edges = prepared.array[:, 1].copy()
    edges[:, 2:-2, 2:-2] = BACKGROUND
    assert (edges == BACKGROUND).all()
    (restored,) = prepared.restore(np.ones((len(prepared.array), 1, 224, 176), np.float32))
    assert dice(restored > 0.5, brain) > 0.99


def test_a_brain_that_fits_is_never_scaled(slices, thick_case):
    flair, brain = thick_case
    assert slices.prepare({"FLAIR": flair}, brain=brain).grid.GetSpacing() == pytest.approx((0.9, 0.9, 7.0))


def test_a_missing_brain_mask_is_refused(slices, thick_case):
    with pytest.raises(InputError, match="slices of the brain need a brain mask: pass brain="):
        slices.prepare({"FLAIR": thick_case[0]})


def test_an_empty_brain_mask_is_refused(slices, thick_case):
    flair, brain = thick_case
    with pytest.raises(InputError, match="brain mask is empty.*check the input image"):
        slices.prepare({"FLAIR": flair}, brain=brain * 0)


# --- whole heads ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("spacing", SPACINGS.values(), ids=SPACINGS)
def test_a_heads_size_is_a_multiple_of_sixteen_and_covers_the_image(head, rng, spacing):
    image = volume(spacing, (75, 110, 84))
    prepared = head.prepare({"MR": textured(ellipsoid(image, (0, 0, 0), (30, 45, 35)), rng)})
    assert prepared.array.dtype == np.float32
    assert all(length % 16 == 0 for length in prepared.array.shape[2:])
    sizes_mm = [n * s for n, s in zip(image.GetSize(), spacing, strict=True)]
    assert all(2.0 * n >= mm for n, mm in zip(reversed(prepared.array.shape[2:]), sizes_mm, strict=True))
    assert all(2.0 * n < mm + 33 for n, mm in zip(reversed(prepared.array.shape[2:]), sizes_mm, strict=True))


@pytest.mark.parametrize("direction", [None, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("spacing", SPACINGS.values(), ids=SPACINGS)
def test_a_brain_found_in_a_head_lands_at_its_physical_place(head, rng, spacing, direction):
    image = volume(spacing, (90, 110, 84), direction=direction)
    brain = ellipsoid(image, (4, -6, 3), (30, 36, 28))
    prepared = head.prepare({"MR": textured(brain, rng)})
    answer = sample(brain, prepared.grid)
    (restored,) = prepared.restore(answer[None, None])
    assert restored.GetSize() == image.GetSize() and restored.GetDirection() == image.GetDirection()
    assert dice(restored > 0.5, brain) > 0.95
    assert np.abs(physical_center(restored > 0.5) - physical_center(brain)).max() < 0.5


def test_air_is_zero_and_tissue_about_one_whatever_the_units_and_the_field_of_view(head, rng):
    for extent, level in ((90, 40.0), (160, 40.0), (90, 9000.0)):
        image = volume((2.0, 2.0, 2.0), (extent, extent, extent))
        brain = ellipsoid(image, (0, 0, 0), (30, 36, 28))
        array = head.prepare({"MR": sitk.Cast(brain, sitk.sitkFloat32) * level}).array[0, 0]
        assert array.min() == 0
        assert np.median(array[array > 0.5]) == pytest.approx(1, abs=0.15)


def test_what_lies_outside_the_image_is_as_dark_as_its_darkest_voxel(head):
    image = volume((2.0, 2.0, 2.0), (70, 70, 70)) + 500.0
    bright = image + sitk.Cast(ellipsoid(image, (0, 0, 0), (25, 25, 25)), sitk.sitkFloat32) * 300
    array = head.prepare({"MR": bright}).array[0, 0]
    assert array[0].max() == 0 and array[:, :, -1].max() == 0


def test_very_bright_voxels_are_clipped(rng):
    values = np.concatenate([np.zeros(500), rng.normal(1, 0.1, 500), [1e6]])
    assert scale_head(np.clip(values, 0, 90)).max() <= 4.0


@pytest.mark.parametrize("padding", [-500.0, 0.0])
def test_padding_of_a_corner_is_not_taken_for_air(rng, padding):
    values = rng.normal(40, 4, (32, 32, 32))
    values[8:24, 8:24, 8:24] = rng.normal(400, 20, (16, 16, 16))
    padded = values.copy()
    padded[:, :2, :] = padding  # 6 % of the volume, as registration leaves it
    inside = np.s_[8:24, 8:24, 8:24]
    assert scale_head(padded)[inside] == pytest.approx(scale_head(values)[inside], abs=0.05)


def test_a_constant_head_is_refused(head):
    with pytest.raises(InputError, match="constant, so no head can be found"):
        head.prepare({"MR": volume((2.0, 2.0, 2.0), (64, 64, 64))})


# --- sampling and settings --------------------------------------------------------------------------------------


def test_a_grid_about_a_point_is_centered_on_it():
    image = volume((0.7, 0.8, 3.0), (60, 70, 60), direction=OBLIQUE)
    grid = grid_about(image, (20.5, 31.0, 8.25), (9, 12, 5), (1.0, 1.5, 2.0))
    middle = grid.TransformContinuousIndexToPhysicalPoint((4.0, 5.5, 2.0))
    assert middle == pytest.approx(image.TransformContinuousIndexToPhysicalPoint((20.5, 31.0, 8.25)))
    assert grid.GetDirection() == image.GetDirection()


def test_sampling_on_the_same_grid_changes_nothing(rng):
    image = textured(ellipsoid(volume(THICK, (40, 40, 42)), (0, 0, 0), (15, 15, 15)), rng)
    assert np.allclose(sample(image, image), sitk.GetArrayFromImage(image), atol=1e-3)


def test_coarse_sampling_averages_instead_of_skipping(rng):
    image = textured(ellipsoid(volume(FINE, (32, 32, 32)), (0, 0, 0), (100, 100, 100)), rng, level=0.0)
    center = [(n - 1) / 2 for n in image.GetSize()]
    coarse = sample(image, grid_about(image, center, (16, 16, 16), (2.0, 2.0, 2.0)))
    assert coarse.std() < 20 / 4  # noise of standard deviation 20, averaged over 64 voxels


def test_settings_describe_a_preprocessor(slices, head):
    assert slices.needs_brain and slices.canvas == (224, 176) and slices.channels == ("FLAIR", "T1")
    assert not head.needs_brain and head.spacing_mm == 2.0


@pytest.mark.parametrize("lost", ["canvas", "spacing_mm", "neighbor_mm", "normalization", "kind"])
def test_incomplete_settings_are_a_broken_bundle(lost):
    settings = {key: value for key, value in SETTINGS.items() if key != lost}
    with pytest.raises(BundleError, match=f"incomplete or malformed.*{lost}.*reinstall"):
        build_preprocessor(settings, ["FLAIR", "T1"])


def test_a_channel_without_normalization_is_a_broken_bundle():
    with pytest.raises(BundleError, match="incomplete or malformed.*T2"):
        build_preprocessor(SETTINGS, ["FLAIR", "T2"])


def test_a_head_has_one_channel():
    with pytest.raises(BundleError, match="incomplete or malformed"):
        build_preprocessor({"kind": "head_volume", "spacing_mm": 2.0}, ["T1", "T2"])


def test_unknown_preprocessing_lists_the_known():
    with pytest.raises(
        BundleError, match="unknown preprocessing 'patches'; known: brain_box, brain_box_slices, brain_slices, brain_v"
    ):
        build_preprocessor({"kind": "patches"}, ["FLAIR"])
