"""Slices of CT with livers: repeatable, within the window, where the finder's box lies; real stacks with anatomy."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("torch", reason="training needs PyTorch: pip install lightseg[train]")

import torch

from LightSegLib.errors import RecipeError
from LightSegLib.preprocess.ct import CTSlices
from LightSegLib.training.sources import build_source
from LightSegLib.training.sources import ct_slices as source_module
from LightSegLib.training.sources.augment_ct import AIR, HIGHEST, augment_ct
from LightSegLib.training.sources.ct_slices import LiverSlices
from LightSegLib.training.synthesis.ct_padding import pad_stack

from .test_synthesis_ct import write_toy_bodies

PREPROCESSOR = CTSlices(channel="CT", spacing_mm=2.0, canvas=(32, 48), neighbor_mm=4.0)
LIVER_BYTE = 200


def packed(*, liver: bool = True) -> np.ndarray:
    """A scan of 60 slices whose level is their number, with a liver in slices 30-39: uint8 (2, z, y, x)."""
    volume = np.zeros((2, 60, 40, 60), np.uint8)
    volume[0] = np.arange(60, dtype=np.uint8)[:, None, None]
    if liver:
        volume[:, 30:40, 10:20, 5:15] = np.array([LIVER_BYTE, 255], np.uint8)[:, None, None, None]
    return volume


def slices_of(*volumes: np.ndarray, about_liver: float = 0.8, seed: int = 1, batch: int = 8) -> LiverSlices:
    return LiverSlices(
        {"a": volumes}, {"a": 1}, batch=batch, preprocessor=PREPROCESSOR, about_liver=about_liver, seed=seed
    )


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the middle of what was cut, without augmentation."""

    def middle(inputs, target, rng, *, size):
        y, x = ((n - m) // 2 for n, m in zip(inputs.shape[2:], size, strict=True))
        part = (..., slice(y, y + size[0]), slice(x, x + size[1]))
        return inputs[part], target[part]

    monkeypatch.setattr(source_module, "augment_ct", middle)


def test_a_batch_depends_on_its_seed_and_number_alone() -> None:
    source, other = slices_of(packed()), slices_of(packed())
    other.batch(0)
    for one, same in zip(source.batch(3), other.batch(3), strict=True):
        assert one.dtype == np.float32 and np.array_equal(one, same)
    assert source.batch(3)[0].shape == (8, 3, 32, 48) and source.batch(3)[1].shape == (8, 1, 32, 48)
    assert not np.array_equal(source.batch(3)[0], source.batch(4)[0])
    assert not np.array_equal(source.batch(3)[0], slices_of(packed(), seed=2).batch(3)[0])


def levels_of(slices: np.ndarray) -> np.ndarray:
    """Which slice of `packed` each (n, y, x) is: its level, but for the liver and what lies outside of the scan."""
    values = np.rint((slices - AIR) / source_module.STEP)
    return np.where(values == LIVER_BYTE, 0, values).max(axis=(1, 2))


def test_slices_about_the_liver_lie_within_the_finders_margin_and_center_on_it(plain) -> None:
    source = slices_of(packed(), about_liver=1.0, batch=300)
    inputs, target = source.batch(0)
    levels = levels_of(inputs[:, 1])
    assert levels.min() >= 30 - 20 and levels.max() <= 39 + 20 and len(set(levels.tolist())) > 15
    filled = target[target.any(axis=(1, 2, 3))]
    assert len(filled) > 15
    places = np.array([[axis.mean() for axis in np.nonzero(one[0])] for one in filled])
    assert np.abs(places.mean(axis=0) - (15.5, 24.0)).max() < 1.5 and places.std(axis=0).min() > 1


def test_other_slices_come_from_the_whole_scan_about_its_middle(plain) -> None:
    inputs, _ = slices_of(packed(), about_liver=0.0, batch=200).batch(0)
    levels = levels_of(inputs[:, 1])
    assert levels.min() < 5 and levels.max() > 54
    assert slices_of(packed(liver=False), about_liver=1.0).batch(0)[1].max() == 0


def test_channels_are_the_slice_and_its_neighbors_a_step_away(plain) -> None:
    inputs, _ = slices_of(packed(liver=False), batch=32).batch(0)
    below, at, above = (levels_of(inputs[:, channel]) for channel in range(3))
    assert np.array_equal(below, np.maximum(at - 2, 0)) and np.array_equal(above, np.minimum(at + 2, 59))


def test_augmented_slices_stay_within_the_window_and_are_not_mirrored() -> None:
    inputs = torch.full((16, 3, 37, 55), AIR)
    target = torch.zeros((16, 1, 37, 55))
    inputs[..., :24], target[..., :20] = 0.5, 1.0
    x, y = augment_ct(inputs, target, np.random.default_rng(0), size=(32, 48))
    assert x.shape == (16, 3, 32, 48) and y.shape == (16, 1, 32, 48)
    assert x.min() >= AIR and x.max() <= HIGHEST and y.min() >= 0 and y.max() <= 1
    assert (y[..., :24].sum((1, 2, 3)) > y[..., 24:].sum((1, 2, 3))).all()
    assert len({round(float(v), 3) for v in x[:, 1, 16, 4]}) > 8


def write_cases(data: Path) -> None:
    """Two patients' stacks of 12 slices of 5 mm, a slab of fat with a liver, clipped to a window."""
    write_toy_bodies(data / "labels")
    entries = []
    for name, patient, fold in (("lits_00", "A", 0), ("chaos_01", "G", 1)):
        folder = data / "liver" / name
        folder.mkdir(parents=True)
        values = np.full((12, 40, 50), -160, np.float32)
        values[:, 5:35, 5:45] = -100
        values[:, 10:30, 8:25] = 100
        for file, array in (("CT", values), ("liver", (values == 100).astype(np.uint8))):
            image = sitk.GetImageFromArray(array)
            image.SetSpacing((4.0, 4.0, 5.0))
            sitk.WriteImage(image, str(folder / f"{file}.nii.gz"))
        entries.append({"case": name, "patient": patient, "fold": fold})
    (data / "liver" / "cases.json").write_text(json.dumps(entries))


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_cases(folder)
    return folder


SETTINGS = {
    "kind": "liver_slices", "card": "liver-finder", "batch": 3, "synthetic": 1, "about_liver": 0.5,
    "shares": {"synthetic": 0.5, "A": 0.3, "chaos": 0.2},
}  # fmt: skip


def test_a_recipe_gets_slices_of_bodies_and_of_padded_stacks_at_its_spacing(data, tmp_path) -> None:
    source = build_source(SETTINGS, data=data, cache=tmp_path, seed=0)
    inputs, target = source.batch(0)
    assert inputs.shape == (3, 3, 112, 128) and target.shape == (3, 1, 112, 128)
    made = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.npz"))
    assert made == [
        "real-ct-2mm/chaos_01/00000.npz", "real-ct-2mm/lits_00/00000.npz", "synthetic-ct-2mm/00000.npz",
    ]  # fmt: skip
    volume = np.load(tmp_path / made[1])["volume"]
    liver = np.flatnonzero((volume[1] > 127).any(axis=(1, 2)))
    assert len(liver) == 30 and liver[0] > 0 and liver[-1] < volume.shape[1] - 1
    build_source({**SETTINGS, "leave_out_fold": 0}, data=data, cache=tmp_path / "fold", seed=0)
    assert not (tmp_path / "fold" / "real-ct-2mm" / "lits_00").exists()


def test_a_card_that_prepares_something_else_is_refused(data, tmp_path) -> None:
    with pytest.raises(RecipeError, match="card 'tumor-acu' does not prepare slices of CT"):
        build_source({**SETTINGS, "card": "tumor-acu"}, data=data, cache=tmp_path, seed=0)
    with pytest.raises(RecipeError, match="lacks 'about_liver'"):
        build_source({k: v for k, v in SETTINGS.items() if k != "about_liver"}, data=data, cache=tmp_path, seed=0)


def body_with_liver() -> tuple[np.ndarray, np.ndarray]:
    body = np.full((60, 80, 100), -1000, np.float32)
    body[:, 20:60, 30:70] = 40
    body[40:] += 10  # the thorax, to be told from the rest
    liver = np.zeros(body.shape, bool)
    liver[25:40, 30:50, 35:50] = True
    return body, liver


def test_a_stack_gets_what_is_below_and_above_a_bodys_liver_scaled_to_its_width() -> None:
    body, liver = body_with_liver()
    stack = np.full((10, 60, 60), -160, np.float32)
    stack[:, 15:45, 5:55] = 20
    padded, below = pad_stack(stack, (5.0, 2.0, 2.0), body, liver)
    assert below == int(25 * 2 / 5) and len(padded) == below + 10 + int(20 * 2 / 5)
    assert np.array_equal(padded[below : below + 10], stack)
    # no more than clipping allows, and as wide and deep as the stack, give or take the interpolated rim
    assert padded.min() == -160 and padded.max() == 20
    for z in (3, len(padded) - 3):
        y, x = (np.flatnonzero((padded[z] > -60).any(axis=axis)) for axis in (1, 0))
        assert abs(len(y) - 30) <= 2 and abs(len(x) - 50) <= 2 and abs(x.mean() - 29.5) <= 1


def test_a_body_without_a_liver_cannot_pad_and_one_that_ends_with_it_pads_one_side() -> None:
    body, liver = body_with_liver()
    stack = np.zeros((4, 60, 60), np.float32)
    with pytest.raises(ValueError, match="the body has no liver"):
        pad_stack(stack, (2.0, 2.0, 2.0), body, np.zeros_like(liver))
    padded, below = pad_stack(stack, (2.0, 2.0, 2.0), body[:40], liver[:40])
    assert below == 25 and len(padded) == 29
