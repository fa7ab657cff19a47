"""The brain's box for tumors: isotropic, z-scored, as one volume or as slices, and the way back."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import BundleError, ChannelError, InputError
from LightSegLib.preprocess import BrainBox, BrainBoxSlices, build_preprocessor
from LightSegLib.preprocess.box import HIGHEST
from LightSegLib.preprocess.brain_images import BACKGROUND, LOWEST
from LightSegLib.preprocess.grid import sample

from .preprocess_toys import OBLIQUE, SPACINGS, THIN, dice, ellipsoid, physical_center, textured, volume

CHANNELS = ("T1", "T1ce", "T2", "FLAIR")
BOX = {"kind": "brain_box", "spacing_mm": 1.0, "multiple": [16, 16, 8]}
SLICES = {"kind": "brain_box_slices", "spacing_mm": 1.0, "canvas": [128, 112]}
Case = tuple[dict[str, sitk.Image], sitk.Image]


@pytest.fixture
def box() -> BrainBox:
    return build_preprocessor(BOX, CHANNELS)


@pytest.fixture
def slices() -> BrainBoxSlices:
    return build_preprocessor(SLICES, CHANNELS)


@pytest.fixture
def thin_case(rng) -> Case:
    """Four contrasts of 1 mm and their brain mask, 101 x 91 x 71 voxels off the middle."""
    image = volume(THIN, (121, 131, 91))
    brain = ellipsoid(image, (5, -3, 2), (45, 50, 35))
    return {name: textured(brain, rng, level=100.0 * (i + 1)) for i, name in enumerate(CHANNELS)}, brain


def extent(mask: sitk.Image) -> list[int]:
    filled = np.argwhere(sitk.GetArrayViewFromImage(mask) > 0)
    return (filled.max(axis=0) - filled.min(axis=0) + 1).tolist()


def test_the_box_holds_the_brain_in_the_multiples_that_the_network_halves(box, thin_case):
    images, brain = thin_case
    prepared = box.prepare(images, brain=brain)
    assert prepared.array.dtype == np.float32
    assert extent(brain) == [71, 101, 91]
    assert prepared.array.shape == (1, 4, 80, 112, 96)
    everything = np.ones((1, 1, *prepared.array.shape[2:]), np.float32)
    assert dice(prepared.restore(everything)[0] > 0.5, brain) == 1


def test_at_its_own_spacing_the_image_is_not_interpolated(box, slices, thin_case):
    """Neither along an axis of odd nor along one of even margin."""
    images, brain = thin_case
    for preprocessor in (box, slices):
        grid = preprocessor.prepare(images, brain=brain).grid
        corner = np.array(brain.TransformPhysicalPointToContinuousIndex(grid.GetOrigin()))
        assert corner == pytest.approx(corner.round(), abs=1e-6)


@pytest.mark.parametrize("odd", [0, 1])
def test_at_twice_its_spacing_a_voxel_is_the_mean_of_eight(thin_case, odd):
    images, brain = thin_case
    start, size = [odd, 0, odd], [n - 2 for n in brain.GetSize()]
    brain = sitk.RegionOfInterest(brain, size, start)
    images = {name: sitk.RegionOfInterest(image, size, start) for name, image in images.items()}
    box = build_preprocessor(BOX | {"spacing_mm": 2.0}, CHANNELS)
    volumes, mask, grid = box.volume(images, brain)
    halved = sitk.BinShrink(images["T2"], [2, 2, 2])
    exact = sitk.GetArrayFromImage(sitk.Resample(halved, grid, sitk.Transform(), sitk.sitkNearestNeighbor))[mask]
    assert volumes["T2"][mask] == pytest.approx(((exact - exact.mean()) / exact.std()).clip(LOWEST, HIGHEST), abs=1e-3)


def test_every_channel_has_mean_0_and_deviation_1_in_the_brain_and_is_background_outside(box, thin_case):
    images, brain = thin_case
    volumes, mask, _ = box.volume(images, brain)
    assert list(volumes) == list(CHANNELS)
    for values in volumes.values():
        assert values.dtype == np.float32
        assert values[mask].mean() == pytest.approx(0, abs=1e-3)
        assert values[mask].std() == pytest.approx(1, abs=1e-3)
        assert (values[~mask] == BACKGROUND).all()


def test_outliers_are_clipped(box, thin_case):
    images, brain = thin_case
    center = [size // 2 for size in brain.GetSize()]
    images["T1ce"][center] = 1e6
    images["T2"][center] = -1e6
    volumes, _, _ = box.volume(images, brain)
    assert volumes["T1ce"].max() == 5
    assert volumes["T2"].min() == LOWEST == -5


def test_a_missing_channel_is_zero_everywhere_and_leaves_the_others_as_they_are(box, slices, thin_case):
    images, brain = thin_case
    for preprocessor in (box, slices):
        full = preprocessor.prepare(images, brain=brain).array
        lacking = preprocessor.prepare({n: i for n, i in images.items() if n != "T1ce"}, brain=brain).array
        assert not lacking[:, 1].any() and full[:, 1].any()
        assert np.array_equal(lacking[:, [0, 2, 3]], full[:, [0, 2, 3]])


def test_slices_are_those_of_the_box_on_the_canvas(box, slices, thin_case):
    images, brain = thin_case
    prepared = slices.prepare(images, brain=brain)
    assert prepared.array.shape == (71, 4, 128, 112)
    inside = sample(brain, prepared.grid) > 0.5
    assert inside.any(axis=(1, 2)).all(), "every slice holds brain"
    volumes, mask, _ = box.volume(images, brain)
    for channel, name in enumerate(CHANNELS):
        assert np.array_equal(np.sort(prepared.array[:, channel][inside]), np.sort(volumes[name][mask]))


def test_a_brain_larger_than_the_canvas_is_sampled_more_coarsely(rng):
    image = volume(THIN, (130, 150, 60))
    brain = ellipsoid(image, (0, 0, 0), (55, 70, 20))
    prepared = build_preprocessor(SLICES, ["T1"]).prepare({"T1": textured(brain, rng)}, brain=brain)
    assert prepared.grid.GetSpacing() == pytest.approx([140 / 124] * 3)
    assert prepared.array.shape == (36, 1, 128, 112)
    restored = prepared.restore(sample(brain, prepared.grid)[:, None])[0]
    assert dice(restored > 0.5, brain) > 0.97


@pytest.mark.parametrize("settings", [{**BOX, "spacing_mm": 2.0}, SLICES], ids=["2 mm box", "slices"])
@pytest.mark.parametrize("direction", [None, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("spacing", SPACINGS.values(), ids=SPACINGS)
def test_a_tumor_painted_on_the_grid_lands_at_its_physical_place(rng, settings, spacing, direction):
    image = volume(spacing, (110, 120, 84), direction=direction)
    brain = ellipsoid(image, (3, -2, 0), (45, 50, 34))
    tumor = ellipsoid(image, (16, -12, 6), (14, 16, 17))
    prepared = build_preprocessor(settings, ["FLAIR"]).prepare({"FLAIR": textured(brain, rng)}, brain=brain)
    answer = sample(tumor, prepared.grid)
    answer = answer[None, None] if settings["kind"] == "brain_box" else answer[:, None]
    (restored,) = prepared.restore(answer)
    assert (restored.GetSize(), restored.GetOrigin()) == (image.GetSize(), image.GetOrigin())
    assert (restored.GetSpacing(), restored.GetDirection()) == (image.GetSpacing(), image.GetDirection())
    mask = restored > 0.5
    assert dice(mask, tumor) > 0.93
    assert np.abs(physical_center(mask) - physical_center(tumor)).max() < 0.5


def test_every_class_comes_back_as_its_own_image(slices, thin_case):
    images, brain = thin_case
    prepared = slices.prepare(images, brain=brain)
    answer = np.zeros((len(prepared.array), 3, 128, 112), np.float32)
    answer[:] = np.array([0.9, 0.6, 0.3], np.float32)[None, :, None, None]
    inside = sitk.GetArrayViewFromImage(brain) > 0
    for probability, image in zip((0.9, 0.6, 0.3), prepared.restore(answer), strict=True):
        values = sitk.GetArrayViewFromImage(image)
        assert values[inside].mean() == pytest.approx(probability, abs=0.01)
        assert not values[~inside].any()


def test_a_channel_without_contrast_is_named(box, thin_case):
    images, brain = thin_case
    with pytest.raises(ChannelError, match="T2: the brain has a single intensity"):
        box.prepare({**images, "T2": images["T2"] * 0}, brain=brain)


def test_a_missing_or_empty_brain_mask_is_refused(box, slices, thin_case):
    images, brain = thin_case
    for preprocessor in (box, slices):
        with pytest.raises(InputError, match="a brain mask: pass brain="):
            preprocessor.prepare(images)
        with pytest.raises(InputError, match="brain mask is empty"):
            preprocessor.prepare(images, brain=brain * 0)


@pytest.mark.parametrize(("settings", "lost"), [(BOX, "multiple"), (BOX, "spacing_mm"), (SLICES, "canvas")])
def test_incomplete_settings_are_a_broken_bundle(settings, lost):
    with pytest.raises(BundleError, match=f"incomplete or malformed.*{lost}.*reinstall"):
        build_preprocessor({key: value for key, value in settings.items() if key != lost}, CHANNELS)
