"""The brain as one volume: what a 3D network gets of it, and the way back."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import BundleError, InputError
from LightSegLib.preprocess import BrainVolume, build_preprocessor
from LightSegLib.preprocess.brain_images import BACKGROUND, HIGHEST, LOWEST
from LightSegLib.preprocess.grid import sample

from .preprocess_toys import FINE, OBLIQUE, SPACINGS, THICK, dice, ellipsoid, physical_center, textured, volume

SETTINGS = {
    "kind": "brain_volume",
    "spacing_mm": 0.9,
    "multiple": [4, 16, 16],
    "normalization": {"FLAIR": "tissue_mode", "T1": "interquartile"},
}


@pytest.fixture
def preprocessor() -> BrainVolume:
    return build_preprocessor(SETTINGS, ["FLAIR", "T1"])


@pytest.fixture
def thick_case(rng) -> tuple[sitk.Image, sitk.Image]:
    """A FLAIR with thick slices and its brain mask, which ends three slices before the stack does."""
    image = volume(THICK, (200, 220, 140))
    brain = ellipsoid(image, (6, -4, 0), (62, 80, 45))
    return textured(brain, rng), brain


def test_the_volume_holds_the_brain_in_the_multiples_that_the_network_halves(preprocessor, thick_case):
    flair, brain = thick_case
    prepared = preprocessor.prepare({"FLAIR": flair, "T1": flair}, brain=brain)
    assert prepared.array.dtype == np.float32 and prepared.array.shape[:2] == (1, 2)
    filled = int(sitk.GetArrayFromImage(brain).any(axis=(1, 2)).sum())
    depth, height, width = prepared.array.shape[2:]
    assert depth - filled in range(4) and depth % 4 == 0
    # 160 x 124 mm at 0.9 mm and two voxels of margin on either side
    assert (height, width) == (192, 144)
    assert dice(prepared.restore(np.ones((1, 1, depth, height, width), np.float32))[0] > 0.5, brain) == 1


def test_the_slices_of_the_volume_are_those_of_the_scan(preprocessor, thick_case):
    flair, brain = thick_case
    grid = preprocessor.prepare({"FLAIR": flair}, brain=brain).grid
    first = flair.TransformPhysicalPointToContinuousIndex(grid.GetOrigin())
    assert first[2] == pytest.approx(round(first[2]), abs=1e-6)
    assert grid.GetSpacing() == pytest.approx((0.9, 0.9, 7.0))


def test_slices_closer_than_the_network_can_use_are_sampled_every_millimeter(preprocessor, rng):
    image = volume(FINE, (90, 90, 60))
    brain = ellipsoid(image, (0, 0, 0), (35, 40, 25))
    grid = preprocessor.prepare({"FLAIR": textured(brain, rng)}, brain=brain).grid
    assert grid.GetSpacing()[2] == 1.0
    assert grid.GetSize()[2] == 52


def test_values_stay_within_their_range_and_are_background_outside_the_brain(preprocessor, thick_case):
    flair, brain = thick_case
    prepared = preprocessor.prepare({"FLAIR": flair, "T1": flair}, brain=brain)
    outside = sample(brain, prepared.grid) <= 0.5
    for values in prepared.array[0]:
        assert values.min() >= LOWEST and values.max() <= HIGHEST
        assert (values[outside] == BACKGROUND).all()
        assert np.abs(np.median(values[~outside])) < 0.5


def test_a_missing_t1_is_zero_everywhere(preprocessor, thick_case):
    flair, brain = thick_case
    without = preprocessor.prepare({"FLAIR": flair}, brain=brain).array
    present = preprocessor.prepare({"FLAIR": flair, "T1": flair}, brain=brain).array
    assert not without[:, 1].any() and (present[:, 1] == BACKGROUND).any()
    assert np.array_equal(without[:, 0], present[:, 0])


@pytest.mark.parametrize("direction", [None, OBLIQUE], ids=["axial", "oblique"])
@pytest.mark.parametrize("spacing", SPACINGS.values(), ids=SPACINGS)
def test_a_mask_painted_on_the_volume_lands_at_its_physical_place(preprocessor, rng, spacing, direction):
    image = volume(spacing, (120, 130, 84), direction=direction)
    brain = ellipsoid(image, (5, -3, 0), (50, 56, 36))
    lesion = ellipsoid(image, (18, -14, 7), (11, 14, 15))
    prepared = preprocessor.prepare({"FLAIR": textured(brain, rng)}, brain=brain)
    (restored,) = prepared.restore(sample(lesion, prepared.grid)[None, None])
    assert (restored.GetSize(), restored.GetOrigin()) == (image.GetSize(), image.GetOrigin())
    assert (restored.GetSpacing(), restored.GetDirection()) == (image.GetSpacing(), image.GetDirection())
    mask = restored > 0.5
    assert dice(mask, lesion) > 0.93
    assert np.abs(physical_center(mask) - physical_center(lesion)).max() < 0.35


def test_nothing_is_restored_outside_the_brain(preprocessor, thick_case):
    flair, brain = thick_case
    prepared = preprocessor.prepare({"FLAIR": flair}, brain=brain)
    (restored,) = prepared.restore(np.ones((1, 1, *prepared.array.shape[2:]), np.float32))
    assert restored.GetPixelID() == sitk.sitkFloat32
    assert not sitk.GetArrayFromImage(restored)[sitk.GetArrayFromImage(brain) == 0].any()


def test_a_missing_or_empty_brain_mask_is_refused(preprocessor, thick_case):
    flair, brain = thick_case
    with pytest.raises(InputError, match="needs a brain mask: pass brain="):
        preprocessor.prepare({"FLAIR": flair})
    with pytest.raises(InputError, match="brain mask is empty.*check the input image"):
        preprocessor.prepare({"FLAIR": flair}, brain=brain * 0)


@pytest.mark.parametrize("lost", ["multiple", "spacing_mm", "normalization"])
def test_incomplete_settings_are_a_broken_bundle(lost):
    settings = {key: value for key, value in SETTINGS.items() if key != lost}
    with pytest.raises(BundleError, match=f"incomplete or malformed.*{lost}.*reinstall"):
        build_preprocessor(settings, ["FLAIR", "T1"])
