"""Whether an image is a whole head or skull-stripped, and where its brain is."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.brain import find_brain
from LightSegLib.errors import InputError

from .pipeline_toys import BRAIN_RADII_MM, make_head


def ball_probability(image: sitk.Image, scale: float = 1.0) -> sitk.Image:
    """The toy head's true brain, its radii times `scale`."""
    axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(image.GetSize(), image.GetSpacing(), strict=True)]
    z, y, x = np.meshgrid(*axes[::-1], indexing="ij")
    distance = sum((c / (scale * r)) ** 2 for c, r in zip((z, y, x), BRAIN_RADII_MM, strict=True))
    probability = sitk.GetImageFromArray((distance <= 1).astype(np.float32))
    probability.CopyInformation(image)
    return probability


def volume_ml(mask: sitk.Image) -> float:
    return float(sitk.GetArrayViewFromImage(mask).sum() * np.prod(mask.GetSpacing()) / 1000)


def test_a_stripped_image_is_its_own_mask() -> None:
    head = make_head()
    brain = find_brain(head, ball_probability(head, 0.95))
    assert brain.skull_stripped
    assert np.array_equal(sitk.GetArrayViewFromImage(brain.mask) > 0, sitk.GetArrayViewFromImage(head) > 0)


@pytest.mark.parametrize("background", [-3.7, 1000.0])
def test_the_background_may_have_any_value(background: float) -> None:
    head = make_head()
    recolored = sitk.Mask(head, head > 0, background)
    assert find_brain(recolored, ball_probability(recolored)).skull_stripped


def test_ventricles_set_to_the_background_are_filled() -> None:
    head = make_head()
    head[28:32, 34:38, 23:27] = 0
    brain = find_brain(head, ball_probability(head))
    assert brain.mask[30, 36, 25] == 1


def test_a_head_with_noise_around_it_gets_the_predicted_mask() -> None:
    head = make_head(skull=True)
    brain = find_brain(head, ball_probability(head))
    assert not brain.skull_stripped
    assert volume_ml(brain.mask) == pytest.approx(volume_ml(ball_probability(head)))


def test_a_head_cut_out_of_its_background_is_no_stripped_brain() -> None:
    head = make_head(skull=True)
    cut_out = sitk.Mask(head, head > 50)
    assert not find_brain(cut_out, ball_probability(cut_out, 0.85)).skull_stripped


def test_an_image_without_a_brain_is_named() -> None:
    with pytest.raises(InputError, match=r"No brain was found in knee\.nii\.gz \(best guess: 4 ml\)"):
        find_brain(make_head(), ball_probability(make_head(), 0.3), name="knee.nii.gz")


def test_a_slab_may_hold_less_brain() -> None:
    slab = make_head(size=(60, 72, 6))
    assert 20 < volume_ml(find_brain(slab, ball_probability(slab)).mask) < 50
