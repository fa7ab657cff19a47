"""Slices with tumors: repeatable, nested, drawn around every part, mixed and augmented within range."""

import json
from dataclasses import replace

import numpy as np
import pytest
import SimpleITK as sitk

from .preprocess_toys import ellipsoid, textured, volume
from .synthesis_toys import write_toy_library

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install lightseg[train]")

from LightSegLib.errors import RecipeError  # noqa: E402
from LightSegLib.preprocess.box import HIGHEST, BrainBox  # noqa: E402
from LightSegLib.preprocess.brain_images import BACKGROUND, LOWEST  # noqa: E402
from LightSegLib.training.cases import left_out, read_cases  # noqa: E402
from LightSegLib.training.sources import build_source  # noqa: E402
from LightSegLib.training.sources import tumors as tumors_module  # noqa: E402
from LightSegLib.training.sources.augment_tumors import (  # noqa: E402
    augment_tumors,
    leave_out,
    mix_tumors,
    recolor,
    warp_volumes,
)
from LightSegLib.training.sources.encoding import STEP  # noqa: E402
from LightSegLib.training.sources.tumor_packing import labels_of, pack, unpack  # noqa: E402
from LightSegLib.training.sources.tumors import TumorSlices  # noqa: E402

CHANNELS = ("T1", "T1ce", "T2", "FLAIR")
BOX = BrainBox(CHANNELS, 2.0, multiple=(16, 16, 16))
CANVAS = (32, 40)
BRAIN = 110


def packed_volume(*, shape: tuple[int, int, int] = (24, 60, 50), tumor: bool = True) -> np.ndarray:
    """A packed patient, uint8 (7, z, y, x): an even brain with a layered tumor in its left half."""
    packed = np.zeros((7, *shape), np.uint8)
    packed[:4, 2:-2, 6:-6, 5:-5] = BRAIN
    if tumor:
        # Edema, enhancing tumor and core, from outside to inside: which regions fill a voxel.
        for label, inset, filled in ((2, 0, (1, 0, 0)), (3, 2, (1, 1, 1)), (1, 4, (1, 1, 0))):
            part = (slice(4 + inset, 20 - inset), slice(16 + inset, 34 - inset), slice(8 + inset, 24 - inset))
            packed[(slice(4, None), *part)] = 255 * np.array(filled).reshape(3, 1, 1, 1)
            packed[(slice(None, 4), *part)] = BRAIN + 30 * label
    return packed


def slices_of(*volumes: np.ndarray, seed: int = 1, batch: int = 4, missing: float = 0.1) -> TumorSlices:
    return TumorSlices({"a": volumes}, {"a": 1}, batch=batch, canvas=CANVAS, missing=missing, seed=seed)


def unchanged(inputs, target, rng, *, size, missing):
    return inputs, target


def whole(count: int = 4, **settings) -> tuple:
    return unpack(torch.from_numpy(np.stack([packed_volume(**settings)] * count)))


def test_a_batch_depends_on_its_seed_and_number_alone():
    source, other = slices_of(packed_volume()), slices_of(packed_volume())
    other.batch(0)
    for one, same in zip(source.batch(3), other.batch(3), strict=True):
        assert np.array_equal(one, same)
    assert not np.array_equal(source.batch(3)[0], source.batch(4)[0])
    assert not np.array_equal(source.batch(3)[0], slices_of(packed_volume(), seed=2).batch(3)[0])


def test_a_batch_is_float32_slices_within_the_range_and_nested_targets():
    for index in range(3):
        x, y = slices_of(packed_volume()).batch(index)
        assert x.dtype == y.dtype == np.float32
        assert x.shape == (4, 4, *CANVAS) and y.shape == (4, 3, *CANVAS)
        assert x.min() >= LOWEST and x.max() <= HIGHEST and y.min() >= 0 and y.max() <= 1
        assert (y[:, 0] >= y[:, 1] - 1e-5).all() and (y[:, 1] >= y[:, 2] - 1e-5).all()


def test_packing_and_unpacking_keep_values_and_nest_the_regions():
    inputs, target = whole(1)
    assert inputs.shape == (1, 4, 24, 60, 50) and target.shape == (1, 3, 24, 60, 50)
    packed = packed_volume()
    assert torch.allclose(inputs[0, 0], torch.from_numpy(packed[0].astype(np.float32)) * STEP + LOWEST)
    labels = labels_of(packed)
    assert [int(region.sum()) for region in target[0]] == [
        np.isin(labels, values).sum() for values in ((1, 2, 3), (1, 3), (3,))
    ]
    assert [labels[z, 25, 16] for z in (2, 4, 6, 8)] == [0, 2, 3, 1]


def test_a_voxel_that_a_region_fills_in_part_is_a_target_between_0_and_1(rng):
    image = volume((1.0, 1.0, 1.0), (40, 40, 40))
    brain = ellipsoid(image, (0, 0, 0), (18, 18, 18))
    tumor = ellipsoid(image, (0, 0, 0), (11, 11, 11)) * 2
    images = {name: textured(brain, rng) for name in CHANNELS}
    _, target = unpack(torch.from_numpy(pack(replace(BOX, spacing_mm=4.0), images, brain=brain, labels=tumor))[None])
    whole = target[0, 0].numpy()
    assert ((whole > 0.1) & (whole < 0.9)).sum() > 6 and whole.max() > 0.99
    assert whole.sum() * 4**3 == pytest.approx((sitk.GetArrayViewFromImage(tumor) > 0).sum(), rel=0.1)


@pytest.mark.parametrize(("spacing", "most"), [(1.0, None), (1.0, 48), (2.0, None)])
def test_a_case_is_packed_as_inference_prepares_it(rng, spacing, most):
    image = volume((1.0, 1.0, 1.0), (90, 100, 80))
    brain = ellipsoid(image, (0, 0, 0), (40, 44, 36))
    labels = ellipsoid(image, (10, 5, 15), (12, 12, 12)) * 2
    labels = sitk.Maximum(labels, ellipsoid(image, (10, 5, 15), (6, 6, 6)) * 3)
    images = {name: textured(brain, rng) for name in CHANNELS}
    box = replace(BOX, spacing_mm=spacing)
    packed = pack(box, images, brain=brain, labels=labels, most=most)
    prepared = box.prepare(images, brain=brain).array[0]
    inputs, target = unpack(torch.from_numpy(packed)[None])
    if most is None:
        assert inputs.shape[1:] == prepared.shape
        assert np.abs(inputs[0].numpy() - prepared).max() <= 0.51 * STEP
    else:
        assert packed.shape == (7, most, most, most) and min(prepared.shape[1:]) > most
    ml = target[0].sum(dim=(1, 2, 3)).numpy() * spacing**3
    expected = [(sitk.GetArrayViewFromImage(labels) >= value).sum() for value in (2, 3)]
    assert ml[0] == pytest.approx(expected[0], rel=0.05)
    assert ml[1] == ml[2] == pytest.approx(expected[1], rel=0.12)


def test_slices_are_drawn_around_every_part_of_the_tumor(monkeypatch):
    monkeypatch.setattr(tumors_module, "augment_tumors", unchanged)
    far = np.concatenate([packed_volume(), *[packed_volume(tumor=False)] * 6], axis=1)  # a slice of 24 * 7
    source = slices_of(far)
    found = np.concatenate([source.batch(index)[1].any(axis=(2, 3)) for index in range(40)])
    assert 0.7 < found[:, 0].mean() < 0.92  # three of four, and some of the others by chance
    assert found[:, 2].mean() > 0.5


def test_a_slice_beyond_the_volume_is_background_and_a_patient_without_tumor_gives_slices_of_brain(monkeypatch):
    monkeypatch.setattr(tumors_module, "augment_tumors", unchanged)
    x, y = slices_of(packed_volume(shape=(10, 20, 50), tumor=False)).batch(0)
    empty = (x == BACKGROUND).all(axis=(1, 3))
    assert (empty.sum(axis=1) >= CANVAS[0] - 20).all() and not empty.all(axis=1).any()
    assert not y.any()


def test_a_tumor_moves_with_its_image():
    inputs, target = whole()
    x, y = warp_volumes(inputs, target, np.random.default_rng(0), size=(24, 60, 50))
    assert x.shape == inputs.shape and y.shape == target.shape
    bright = (x[:, 0] > BRAIN * STEP + LOWEST + 0.75).float()
    overlap = 2 * (bright * (y[:, 0] > 0.5)).sum() / (bright.sum() + (y[:, 0] > 0.5).sum())
    assert overlap > 0.85
    assert not torch.equal(y[0], y[1])


def test_tumors_are_copied_between_patients_where_both_are_brain():
    inputs, target = whole(2)
    inputs[1], target[1] = unpack(torch.from_numpy(packed_volume(tumor=False))[None])[0][0], 0
    copied = 0
    for seed in range(12):
        x, y = mix_tumors(inputs, target, np.random.default_rng(seed))
        assert torch.equal(x[0], inputs[0]) or float((x[0] - inputs[0]).abs().max()) > 0
        if y[1].any():
            copied += 1
            assert torch.allclose(y[1, 0], target[0, 0])  # all of it: the brains are the same
            assert torch.allclose(x[1][:, y[1, 2] > 0.99], inputs[0][:, y[1, 2] > 0.99])
            outside = ~(inputs[1] > BACKGROUND + 0.1)
            assert torch.equal(x[1][outside], inputs[1][outside])
    assert 1 <= copied <= 9


def test_recoloring_leaves_the_background_and_the_order_of_strong_contrasts():
    inputs, target = whole()
    outside = inputs[:, 0] == BACKGROUND
    for seed in range(4):
        x = recolor(inputs, np.random.default_rng(seed))
        assert (x[:, 0][outside] == BACKGROUND).all() and x.min() >= LOWEST and x.max() <= HIGHEST
        edema = (target[:, 0] > 0) & (target[:, 1] == 0)
        rest = ~outside & (target[:, 0] == 0)
        for item in range(4):
            assert x[item, 3][edema[item]].median() > x[item, 3][rest[item]].median()


def test_channels_go_missing_as_often_as_asked_but_never_all():
    inputs, _ = whole(60)
    x = leave_out(inputs, np.random.default_rng(0), missing=0.5)
    present = (x != 0).flatten(2).any(dim=2)
    assert present.any(dim=1).all()
    assert 0.4 < present.float().mean() < 0.65
    assert torch.equal(leave_out(inputs, np.random.default_rng(0), missing=0.0), inputs)
    assert (leave_out(inputs, np.random.default_rng(0), missing=1.0) != 0).flatten(2).any(dim=2).sum() == 60


def test_a_whole_augmentation_keeps_the_tumor():
    inputs, target = whole()
    x, y = augment_tumors(inputs, target, np.random.default_rng(5), size=(20, 48, 40), missing=0.2)
    assert x.shape == (4, 4, 20, 48, 40) and y.shape == (4, 3, 20, 48, 40)
    assert (y.flatten(2).amax(dim=2) > 0.9).all()


def listing(folder, count: int = 2) -> None:
    """Write cases.json and images of toy gliomas."""
    image = volume((1.0, 1.0, 1.0), (60, 66, 54))
    brain = ellipsoid(image, (0, 0, 0), (26, 28, 22))
    labels = ellipsoid(image, (4, 2, 0), (9, 9, 9)) * 3
    entries = []
    for number in range(count):
        case = folder / f"glioma_{number:02d}"
        case.mkdir(parents=True)
        for name in CHANNELS:
            stripped = sitk.Mask(textured(brain, np.random.default_rng(number)), brain)
            sitk.WriteImage(stripped, str(case / f"{name}.nii.gz"))
        sitk.WriteImage(labels, str(case / "seg.nii.gz"))
        entries.append({"case": case.name, "fold": number})
    (folder / "cases.json").write_text(json.dumps(entries))


def test_a_fold_is_left_out_and_files_are_those_of_the_folder(tmp_path):
    listing(tmp_path)
    cases = read_cases(tmp_path)
    assert [case.fold for case in cases] == [0, 1]
    assert cases[0].files == ("FLAIR", "T1", "T1ce", "T2", "seg") and cases[0].center == "glioma"
    assert [case.name for case in left_out(cases, {"leave_out_fold": 0})] == ["glioma_00"]
    assert left_out(cases, {}) == []


def test_the_source_of_a_recipe_makes_its_pools_without_the_fold_left_out(tmp_path, monkeypatch):
    listing(tmp_path / "data" / "tumor")
    write_toy_library(tmp_path / "data" / "labels")
    used = []

    def fill_here(folder, *, count, make):
        used.append(folder.name)
        folder.mkdir(parents=True, exist_ok=True)
        for index in range(count):
            np.savez(folder / f"{index}.npz", **make(index))
        return [folder / f"{index}.npz" for index in range(count)]

    monkeypatch.setattr("LightSegLib.training.sources.groups.fill_pool", fill_here)
    settings = {
        "kind": "tumor_slices", "card": "tumor-pocket", "batch": 2, "synthetic": 1,
        "shares": {"synthetic": 0.5, "glioma": 0.5}, "missing": 0.1, "leave_out_fold": 1,
    }  # fmt: skip
    source = build_source(settings, data=tmp_path / "data", cache=tmp_path / "cache", seed=1)
    assert used == ["synthetic-tumor-2mm", "glioma_00"]
    x, y = source.batch(0)
    assert x.shape == (2, 4, 112, 96) and y.shape == (2, 3, 112, 96)


def test_a_card_that_does_not_prepare_what_the_kind_needs_is_refused(tmp_path):
    settings = {"kind": "tumor_slices", "card": "wmh-acu", "batch": 1, "synthetic": 1, "shares": {}}
    with pytest.raises(RecipeError, match="card 'wmh-acu' does not prepare slices of the brain's box"):
        build_source(settings, data=tmp_path, cache=tmp_path, seed=0)
