"""MR told from CT and Hounsfield units from other numbers, by their values alone."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.bundle_metadata import InputChannel
from LightSegLib.errors import ChannelError
from LightSegLib.pipeline.channels import read_channels
from LightSegLib.pipeline.modality import match_modality

CT = InputChannel(name="CT", required=True, modality="CT", patterns=("*",))
MR = InputChannel(name="T1", required=True, modality="MR", patterns=("*",))


@pytest.fixture
def body(rng: np.random.Generator) -> np.ndarray:
    """A trunk of fat and soft tissue with some bone in air, in Hounsfield units."""
    z, y, x = np.ogrid[:12, -30:30, -40:40]
    radius = np.sqrt((y / 24.0) ** 2 + (x / 34.0) ** 2) + 0 * z
    values = np.select([radius < 0.15, radius < 0.7, radius < 1], [400.0, 50.0, -100.0], -1000.0)
    return values + rng.normal(0, 15, values.shape)


def image_of(values: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(values.astype(np.float32))


@pytest.mark.parametrize(("low", "high"), [(-1024, 3000), (-160, 240)], ids=["whole range", "clipped"])
def test_hounsfield_units_pass_without_a_word(body, low, high) -> None:
    image = image_of(body.clip(low, high))
    same, note = match_modality(image, CT, name="scan")
    assert same is image and note is None


@pytest.mark.parametrize("shift", [1000, 1024])
def test_shifted_hounsfield_units_are_shifted_back_and_it_is_said(body, shift) -> None:
    shifted = image_of((body + shift).clip(0))
    channels = read_channels((CT,), {"CT": shifted})
    assert any("too high: they were lowered by 10" in note for note in channels.notes)
    restored = sitk.GetArrayFromImage(channels.images["CT"])
    assert np.abs(np.median(restored - body)) < 25, "1000 and 1024 are told apart no better than fat and muscle"


def test_scaled_values_are_warned_of(body) -> None:
    same, note = match_modality(image_of(body * 5), CT, name="scan")
    assert same is not None
    assert note is not None and note.startswith("scan does not look like Hounsfield units: only ")


def test_an_mr_is_refused_for_ct(rng, body) -> None:
    inside = body > -500
    for values in (inside * rng.normal(400, 150, body.shape).clip(0), inside * rng.normal(0, 1, body.shape)):
        with pytest.raises(ChannelError, match="scan looks like an MR image, .*; give a CT in Hounsfield units for CT"):
            match_modality(image_of(values), CT, name="scan")


@pytest.mark.parametrize("window", [(-1024, 3000), (-160, 240)], ids=["whole range", "clipped"])
def test_a_ct_is_refused_for_mr(body, window) -> None:
    with pytest.raises(ChannelError, match="scan looks like a CT .*; give the MR image that belongs to T1"):
        match_modality(image_of(body.clip(*window)), MR, name="scan")


def test_real_images_are_what_they_are(shared_data) -> None:
    for path in sorted((shared_data / "liver").glob("*/CT.nii.gz")):
        image = sitk.ReadImage(str(path))
        assert match_modality(image, CT, name=path.parent.name)[1] is None
        with pytest.raises(ChannelError, match="looks like a CT"):
            match_modality(image, MR, name=path.parent.name)
    for path in sorted(shared_data.glob("wmh/*_01/FLAIR.nii.gz")) + sorted(
        shared_data.glob("tumor/glioma_0[1-3]/T*.gz")
    ):
        image = sitk.ReadImage(str(path))
        assert match_modality(image, MR, name=path.parent.name) == (image, None)
        with pytest.raises(ChannelError, match="looks like an MR"):
            match_modality(image, CT, name=path.parent.name)
