"""Where batches come from: repeatable, augmented within bounds, resumable, and honest about what is left out."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install lightseg[train]")

from LightSegLib.errors import OutputError, RecipeError  # noqa: E402
from LightSegLib.preprocess.brain_images import BACKGROUND, HIGHEST, LOWEST  # noqa: E402
from LightSegLib.preprocess.head import HIGHEST as HEAD_HIGHEST  # noqa: E402
from LightSegLib.preprocess.slices import BrainSlices  # noqa: E402
from LightSegLib.preprocess.volume import BrainVolume  # noqa: E402
from LightSegLib.training.bundle_card import card_preprocessor  # noqa: E402
from LightSegLib.training.sources import build_source  # noqa: E402
from LightSegLib.training.sources import groups as groups_module  # noqa: E402
from LightSegLib.training.sources import slices as slices_module  # noqa: E402
from LightSegLib.training.sources.augment_heads import crop_head  # noqa: E402
from LightSegLib.training.sources.augment_slices import augment_slices, mix_lesions  # noqa: E402
from LightSegLib.training.sources.encoding import STEP, decode, encode_slices  # noqa: E402
from LightSegLib.training.sources.heads import HeadCrops  # noqa: E402
from LightSegLib.training.sources.pool import fill_pool  # noqa: E402
from LightSegLib.training.sources.slices import SliceSource  # noqa: E402

CANVAS = (48, 32)
BACKGROUND_BYTE = 0  # what BACKGROUND, the lowest value, is packed as


def packed_patient(rng: np.random.Generator, *, slices: int = 4, mark: int = 120, lesion: bool = True) -> np.ndarray:
    """Packed slices of a patient, uint8 (n, 5, y, x): a brain of the byte `mark`, a lesion in every second slice."""
    packed = np.full((slices, 5, *CANVAS), BACKGROUND_BYTE, np.uint8)
    packed[:, :4, 10:40, 6:26] = mark + rng.integers(0, 10, (slices, 4, 30, 20))
    packed[:, 4] = 0
    if lesion:
        packed[::2, 4, 20:28, 8:14] = 255
        packed[::2, :3, 20:28, 8:14] = 200
    return packed


def source_of(rng: np.random.Generator, *, seed: int = 1, **shares: float) -> SliceSource:
    marks = {"synthetic": 60, "a": 110, "b": 160}
    shares = shares or {"synthetic": 0.5, "a": 0.5}
    groups = {name: [packed_patient(rng, mark=marks[name]) for _ in range(2)] for name in shares}
    return SliceSource(groups, shares, batch=8, seed=seed)


def augmented(seed: int, *, n: int = 24) -> tuple[np.ndarray, np.ndarray]:
    packed = packed_patient(np.random.default_rng(0), slices=n)
    inputs, target = augment_slices(*decode(torch.from_numpy(packed)), np.random.default_rng(seed))
    return inputs.numpy(), target.numpy()


# --- batches ----------------------------------------------------------------------------------------------------


def test_a_batch_depends_on_its_seed_and_number_alone(rng):
    patients = {"a": [packed_patient(rng)], "b": [packed_patient(rng)]}
    source, other = (SliceSource(patients, {"a": 1, "b": 2}, batch=6, seed=3) for _ in range(2))
    other.batch(0)
    for index in (5, 2):
        for one, same in zip(source.batch(index), other.batch(index), strict=True):
            assert np.array_equal(one, same)
    assert not np.array_equal(source.batch(5)[0], source.batch(6)[0])
    assert not np.array_equal(source.batch(5)[0], SliceSource(patients, {"a": 1, "b": 2}, batch=6, seed=4).batch(5)[0])


def test_a_batch_is_float32_slices_and_their_target(rng):
    x, y = source_of(rng).batch(0)
    assert x.dtype == y.dtype == np.float32
    assert x.shape == (8, 4, *CANVAS) and y.shape == (8, 1, *CANVAS)
    assert x.flags["C_CONTIGUOUS"]


def test_groups_are_drawn_by_their_shares(rng, monkeypatch):
    monkeypatch.setattr(slices_module, "augment_slices", lambda inputs, target, rng: (inputs, target))
    source = source_of(rng, synthetic=0.75, b=0.25)
    brightness = np.concatenate([source.batch(index)[0][:, 3, 12, 24] for index in range(60)])
    synthetic = ((brightness - LOWEST) / STEP < 100).mean()
    assert synthetic == pytest.approx(0.75, abs=0.07)


def test_slices_with_lesion_are_drawn_more_often(rng, monkeypatch):
    monkeypatch.setattr(slices_module, "augment_slices", lambda inputs, target, rng: (inputs, target))
    patient = np.concatenate([packed_patient(rng, slices=1), packed_patient(rng, slices=19, lesion=False)])
    source = SliceSource({"a": [patient]}, {"a": 1}, batch=16, seed=0)
    with_lesion = np.concatenate([source.batch(index)[1].any(axis=(1, 2, 3)) for index in range(30)])
    assert with_lesion.mean() == pytest.approx(0.75 + 0.25 / 20, abs=0.06)


def test_a_patient_without_lesions_is_drawn_too(rng):
    source = SliceSource({"a": [packed_patient(rng, lesion=False)]}, {"a": 1}, batch=4, seed=0)
    assert not source.batch(0)[1].any()


# --- augmentation -----------------------------------------------------------------------------------------------


def test_augmentation_keeps_the_target_between_zero_and_one():
    for seed in range(5):
        _, target = augmented(seed)
        assert target.min() >= 0 and target.max() <= 1
        assert target.max() > 0.9


def test_augmentation_keeps_the_background_and_the_range():
    for seed in range(5):
        inputs, _ = augmented(seed)
        assert inputs.min() >= LOWEST and inputs.max() <= HIGHEST
        assert np.isfinite(inputs).all()
        corner = inputs[:, :3, :2, :2]
        assert (corner == BACKGROUND).all()
        assert set(np.unique(inputs[:, 3, :2, :2])) <= {np.float32(BACKGROUND), np.float32(0)}


def test_about_half_of_the_slices_lose_their_t1_and_lose_it_wholly():
    missing = np.concatenate([~augmented(seed)[0][:, 3].any(axis=(1, 2)) for seed in range(8)])
    assert missing.mean() == pytest.approx(0.5, abs=0.12)
    for seed in range(3):
        t1 = augmented(seed)[0][:, 3]
        present = t1.any(axis=(1, 2))
        assert (t1[present] == BACKGROUND).any(axis=(1, 2)).all()


def test_some_slices_lose_a_neighbor_and_none_loses_the_middle():
    lost = []
    for seed in range(8):
        flair = augmented(seed)[0][:, :3]
        lost.append((flair == BACKGROUND).all(axis=(2, 3)))
    lost = np.concatenate(lost)
    assert 0.02 < lost[:, [0, 2]].any(axis=1).mean() < 0.3
    assert not lost[:, 1].any()
    assert not lost[:, [0, 2]].all(axis=1).any()


def test_augmentation_flips_left_and_right_about_half_the_time():
    sides = []
    for seed in range(4):
        target = augmented(seed)[1][::2, 0]  # the toy lesion lies on the left of the brain
        inputs = augmented(seed)[0][::2, 1]
        for lesion, image in zip(target, inputs, strict=True):
            sides.append(np.nonzero(lesion > 0.5)[1].mean() < np.nonzero(image > BACKGROUND)[1].mean())
    assert np.mean(sides) == pytest.approx(0.5, abs=0.25)


def test_the_target_moves_with_the_image():
    for seed in range(4):
        inputs, target = augmented(seed)
        image, lesion = inputs[::2, 1], target[::2, 0]
        assert (image[lesion > 0.9] > BACKGROUND).mean() > 0.99


def test_augmentation_repeats_with_its_seed():
    for one, same in zip(augmented(7), augmented(7), strict=True):
        assert np.array_equal(one, same)


def test_lesions_are_mixed_between_slices_of_the_same_level_only():
    packed = packed_patient(np.random.default_rng(0), slices=8)
    packed[1::2, :4, 10:40, 6:26] = 120  # without lesion: whatever comes is another slice's
    inputs, target = decode(torch.from_numpy(packed))
    received = 0
    for seed in range(8):
        _, mixed = mix_lesions(inputs, target, np.random.default_rng(seed))
        received += int((mixed[1::2] > 0.5).any(dim=(1, 2, 3)).sum())
        assert torch.equal(mixed[::2] > 0.99, target[::2] > 0.99)
    assert received > 8
    inputs[1::2, :, 12:] = BACKGROUND  # another level: hardly any brain in common
    assert not mix_lesions(inputs, target, np.random.default_rng(0))[1][1::2].any()


# --- packing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class ToyScan:
    images: dict[str, sitk.Image]
    brain: sitk.Image
    lesion: sitk.Image


@pytest.fixture
def scan(rng) -> ToyScan:
    """A small thick-slice FLAIR and T1 with a brain and a lesion in one of its slices."""
    shape = (9, 60, 50)
    z, y, x = np.meshgrid(*(np.arange(n) - (n - 1) / 2 for n in shape), indexing="ij", sparse=True)
    brain = (z / 4) ** 2 + (y / 25) ** 2 + (x / 20) ** 2 <= 1
    lesion = (np.abs(z) <= 0.5) & ((y - 5) ** 2 + (x + 6) ** 2 <= 16)

    def image(values: np.ndarray) -> sitk.Image:
        out = sitk.GetImageFromArray(values)
        out.SetSpacing((2.0, 2.0, 6.0))
        return out

    flair = brain * 400 + lesion * 200 + rng.normal(0, 20, shape)
    t1 = brain * 300 + rng.normal(0, 40, shape)
    return ToyScan(
        images={"FLAIR": image(flair.astype(np.float32)), "T1": image(t1.astype(np.float32))},
        brain=image(brain.astype(np.uint8)),
        lesion=image(lesion.astype(np.uint8)),
    )


SLICES = card_preprocessor("wmh-acu", BrainSlices, needed="slices")
VOLUMES = card_preprocessor("wmh-pocket", BrainVolume, needed="volumes")


def test_packing_loses_less_than_a_step(scan):
    preprocessor = SLICES
    packed = encode_slices(preprocessor, scan.images, brain=scan.brain, lesion=scan.lesion)
    inputs, target = decode(torch.from_numpy(packed))
    prepared = preprocessor.prepare(scan.images, brain=scan.brain).array
    assert inputs.shape == prepared.shape
    assert np.abs(inputs.numpy() - prepared).max() <= 0.51 * STEP
    assert target.dtype == torch.float32 and target.min() >= 0 and target.max() == 1


def test_background_and_the_ends_of_the_range_are_packed_exactly():
    packed = torch.zeros((1, 5, 2, 2), dtype=torch.uint8)
    packed[:, :, 0] = 255
    inputs, target = decode(packed)
    assert (inputs[:, :, 1] == BACKGROUND).all() and float(inputs.max()) == pytest.approx(HIGHEST)
    assert target[0, 0, 0, 0] == 1 and target[0, 0, 1, 0] == 0


def test_at_most_so_many_slices_are_kept_those_with_lesion_by_preference(scan):
    counts = []
    for seed in range(24):
        packed = encode_slices(
            SLICES,
            scan.images,
            brain=scan.brain,
            lesion=scan.lesion,
            most=2,
            rng=np.random.default_rng(seed),
        )
        assert len(packed) == 2
        counts.append((packed[:, 4] > 127).any(axis=(1, 2)).sum())
    assert np.mean(counts) > 0.4  # one of eight or nine has lesion: by chance a quarter


def test_a_card_that_does_not_prepare_slices_is_refused(tmp_path):
    with pytest.raises(RecipeError, match="card 'brain-pocket' does not prepare slices of the brain"):
        build(tmp_path, card="brain-pocket")


# --- the pool ---------------------------------------------------------------------------------------------------


def values_in(paths: list[Path]) -> list[int]:
    return [int(np.load(path, allow_pickle=False)["value"][0]) for path in paths]


def test_an_interrupted_pool_is_completed_and_nothing_is_made_twice(tmp_path):
    folder, said = tmp_path / "pool", []
    folder.mkdir()
    for index in (0, 2):
        np.savez(folder / f"{index:05d}.npz", value=np.array([index]))
    (folder / "00001.part").write_bytes(b"PK half of an archive")
    # Other processes make the items, so this has to be picklable; it fails when asked for an item that is there.
    make = {index: {"value": np.array([index])} for index in (1, 3)}.__getitem__
    paths = fill_pool(folder, count=4, make=make, processes=1, say=said.append)
    assert values_in(paths) == [0, 1, 2, 3]
    assert said == [f"making 2 of 4 samples in {folder}"]


def test_a_complete_pool_makes_and_says_nothing(tmp_path):
    folder = tmp_path / "pool"
    folder.mkdir()
    np.savez(folder / "00000.npz", value=np.array([7]))

    def never(index: int) -> dict[str, np.ndarray]:
        raise AssertionError("must not be called")

    assert values_in(fill_pool(folder, count=1, make=never, say=never)) == [7]


def test_a_cache_that_cannot_be_created_is_named(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"file.*cannot be created.*give a writable --cache folder"):
        fill_pool(tmp_path / "file" / "pool", count=1, make={}.__getitem__)


# --- heads ------------------------------------------------------------------------------------------------------


def write_head(path: Path, rng: np.random.Generator, *, level: int, contrasts: int) -> list[Path]:
    """One item of a pool of heads: a box for a brain, of bytes from `level` on, in noise for air."""
    arrays = {}
    for k in range(contrasts):
        brain = np.zeros((24, 40, 30), np.uint8)
        brain[6:18, 10:30, 8:20] = 255
        arrays[f"brain{k}"] = brain
        arrays[f"image{k}"] = np.where(brain > 0, level + 5 * k, rng.integers(0, 5, brain.shape)).astype(np.uint8)
    np.savez(path, **arrays)
    return [path]


@pytest.fixture
def synthetic_heads(tmp_path, rng) -> list[Path]:
    return write_head(tmp_path / "synthetic.npz", rng, level=60, contrasts=4)


@pytest.fixture
def real_heads(tmp_path, rng) -> list[Path]:
    return write_head(tmp_path / "real.npz", rng, level=230, contrasts=2)


def head_crops(synthetic: list[Path], real: list[Path] = (), *, share: float = 0.0, crop=(16, 32, 16)) -> HeadCrops:
    return HeadCrops(synthetic, list(real), real_share=share, batch=3, crop=crop, seed=2)


def test_crops_of_heads_repeat_and_stay_within_range(synthetic_heads):
    crops, again = head_crops(synthetic_heads), head_crops(synthetic_heads)
    x, y = crops.batch(4)
    assert x.dtype == y.dtype == np.float32
    assert x.shape == y.shape == (3, 1, 16, 32, 16)
    assert np.array_equal(x, again.batch(4)[0]) and np.array_equal(y, again.batch(4)[1])
    assert not np.array_equal(x, crops.batch(5)[0])
    assert x.min() >= 0 and x.max() <= HEAD_HIGHEST
    assert y.min() == 0 and y.max() == pytest.approx(1)
    assert x[y > 0.99].min() > x[y == 0].max()  # target and image are cut and turned alike


def test_a_head_smaller_than_the_crop_is_padded_with_air_and_stays_whole(synthetic_heads):
    x, y = head_crops(synthetic_heads, crop=(40, 64, 48)).batch(0)
    assert x.shape == (3, 1, 40, 64, 48)
    assert y.sum(axis=(1, 2, 3, 4)) == pytest.approx(12 * 20 * 12, rel=0.5)  # 12 % of scaling an axis
    assert not y[:, :, :, [0, -1]].any()


def test_heads_are_mirrored_half_the_time_and_turned(synthetic_heads):
    marked = np.zeros((16, 32, 24), np.float32)
    marked[8, 16, 4:8] = 1  # on the left of a brain that fills the head
    sides = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        _, y = crop_head(marked, marked, (16, 32, 24), rng)
        sides.append(np.nonzero(y > 0.2)[2].mean() < 11.5)
    assert np.mean(sides) == pytest.approx(0.5, abs=0.2)


def test_real_heads_are_drawn_by_their_share(synthetic_heads, real_heads):
    crops = head_crops(synthetic_heads, real_heads, share=0.4)
    brightest = np.concatenate([crops.batch(index)[0].max(axis=(1, 2, 3, 4)) for index in range(60)])
    # after the change of contrast a toy brain is at most 2.2 if synthetic and at least 2.5 if real
    assert (brightest > 2.35).mean() == pytest.approx(0.4, abs=0.12)


# --- what is left out -------------------------------------------------------------------------------------------

CASES = {
    "ms3seg_01": "train",
    "simvent_01": "train",
    "mslesseg_01": "train",
    "mslesseg_02": "validation",
    "lesjak_01": "train",
    "lesjak_02": "train",
}
SHARES = {"synthetic": 1, "ms3seg": 1, "mslesseg": 1, "lesjak": 1}


class RecordedMaker:
    """Stands in for the maker that would extract a real brain, and remembers whose slices were asked for."""

    asked: list[str] = []

    def __init__(self, case, preprocessor) -> None:
        self.case = case

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        type(self).asked.append(self.case.name)
        return {"slices": packed_patient(np.random.default_rng(0))}


@pytest.fixture
def toy_data(tmp_path, monkeypatch) -> Path:
    """A data folder of toy cases; the makers of both pools are replaced, and run in this process."""
    listing = [{"case": name, "split": split, "files": ["FLAIR", "T1", "lesion"]} for name, split in CASES.items()]
    (tmp_path / "wmh").mkdir()
    (tmp_path / "wmh" / "cases.json").write_text(json.dumps(listing), encoding="utf-8")

    def fill_here(folder, *, count, make) -> list[Path]:
        folder.mkdir(parents=True)
        paths = [folder / f"{index:05d}.npz" for index in range(count)]
        for index, path in enumerate(paths):
            np.savez(path, **make(index))
        return paths

    def synthetic(labels, seed, preprocessor):
        return lambda index: {"slices": packed_patient(np.random.default_rng(index))}

    RecordedMaker.asked = []
    monkeypatch.setattr(slices_module, "_RealMaker", RecordedMaker)
    monkeypatch.setattr(slices_module, "_SyntheticMaker", synthetic)
    monkeypatch.setattr(groups_module, "fill_pool", fill_here)
    return tmp_path


def build(data: Path, **settings):
    settings = {"kind": "wmh", "batch": 2, "synthetic": 2, "shares": SHARES, **settings}
    return build_source(settings, data=data, cache=data / "cache", seed=0)


def test_all_train_cases_and_no_validation_case_are_used(toy_data):
    build(toy_data)
    assert sorted(RecordedMaker.asked) == sorted(name for name, split in CASES.items() if split == "train")


@pytest.mark.parametrize(
    ("center", "gone"),
    [
        ("lesjak", {"lesjak_01", "lesjak_02"}),
        ("mslesseg", {"mslesseg_01"}),
        ("ms3seg", {"ms3seg_01", "simvent_01"}),  # one hospital
        ("simvent", {"ms3seg_01", "simvent_01"}),
    ],
)
def test_no_case_of_a_center_that_is_left_out_is_touched(toy_data, center, gone):
    x, _ = build(toy_data, leave_out_centers=[center]).batch(0)
    assert x.shape[0] == 2
    assert not gone & set(RecordedMaker.asked)
    assert set(RecordedMaker.asked) == {name for name, split in CASES.items() if split == "train"} - gone
    assert not any((toy_data / "cache" / "real-flair" / name).exists() for name in gone)


def test_single_cases_can_be_left_out(toy_data):
    build(toy_data, leave_out_cases=["lesjak_02"])
    assert "lesjak_02" not in RecordedMaker.asked and "lesjak_01" in RecordedMaker.asked


def test_a_group_without_a_share_is_not_even_made(toy_data):
    build(toy_data, shares={"synthetic": 0, "lesjak": 1})
    assert set(RecordedMaker.asked) == {"lesjak_01", "lesjak_02"}
    assert not (toy_data / "cache" / "synthetic-flair").exists()


def test_leaving_nothing_to_train_on_is_an_error(toy_data):
    with pytest.raises(RecipeError, match="leaves nothing to train on: check shares and what is left out"):
        build(toy_data, shares={"lesjak": 1}, leave_out_centers=["lesjak"])


# --- recipes ----------------------------------------------------------------------------------------------------


def test_unknown_kinds_list_the_known(tmp_path):
    with pytest.raises(
        RecipeError,
        match=r"\[source\] kind is 'liver'; known: brain, liver_slices, tumor_slices, wmh, wmh_volumes",
    ):
        build_source({"kind": "liver"}, data=tmp_path, cache=tmp_path, seed=0)


@pytest.mark.parametrize(("kind", "lost"), [("wmh", "shares"), ("brain", "heads")])
def test_a_missing_setting_is_named(tmp_path, kind, lost):
    with pytest.raises(RecipeError, match=rf"\[source\] lacks '{lost}', which kind '{kind}' needs"):
        build_source({"kind": kind, "batch": 2}, data=tmp_path, cache=tmp_path, seed=0)
