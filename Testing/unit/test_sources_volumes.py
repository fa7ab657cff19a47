"""Crops of volumes for 3D networks: repeatable, drawn around lesions, augmented alike in all slices."""

import numpy as np
import pytest

from .preprocess_toys import THICK, THIN, ellipsoid, textured, volume

torch = pytest.importorskip("torch", reason="training needs PyTorch: pip install lightseg[train]")

from LightSegLib.errors import RecipeError  # noqa: E402
from LightSegLib.preprocess.brain_images import BACKGROUND, HIGHEST, LOWEST  # noqa: E402
from LightSegLib.preprocess.volume import BrainVolume  # noqa: E402
from LightSegLib.training.bundle_card import card_preprocessor  # noqa: E402
from LightSegLib.training.sources import build_source  # noqa: E402
from LightSegLib.training.sources import volumes as volumes_module  # noqa: E402
from LightSegLib.training.sources.augment_volumes import augment_volumes  # noqa: E402
from LightSegLib.training.sources.encoding import STEP, decode, encode_volume  # noqa: E402
from LightSegLib.training.sources.volumes import VolumeCrops  # noqa: E402

VOLUMES = card_preprocessor("wmh-pocket", BrainVolume, needed="volumes")
CROP = (4, 32, 32)
BRAIN, LESION = 120, 200


def packed_volume(*, depth: int = 12, lesion: bool = True) -> np.ndarray:
    """A packed volume, uint8 (3, z, 60, 50): an even brain with a lesion in its left half, in slices 4-7."""
    packed = np.zeros((3, depth, 60, 50), np.uint8)
    packed[:2, :, 6:54, 5:45] = BRAIN
    if lesion:
        packed[0, 4:8, 20:30, 12:20] = LESION
        packed[2, 4:8, 20:30, 12:20] = 255
    return packed


def crops_of(*volumes: np.ndarray, seed: int = 1, batch: int = 4) -> VolumeCrops:
    return VolumeCrops({"a": [volumes]}, {"a": 1}, batch=batch, crop=CROP, seed=seed)


def unchanged(inputs, target, rng, *, size):
    return inputs, target


def test_a_batch_depends_on_its_seed_and_number_alone():
    source, other = crops_of(packed_volume()), crops_of(packed_volume())
    other.batch(0)
    for one, same in zip(source.batch(3), other.batch(3), strict=True):
        assert np.array_equal(one, same)
    assert not np.array_equal(source.batch(3)[0], source.batch(4)[0])
    assert not np.array_equal(source.batch(3)[0], crops_of(packed_volume(), seed=2).batch(3)[0])


def test_a_batch_is_float32_crops_within_the_range_and_their_target():
    x, y = crops_of(packed_volume()).batch(0)
    assert x.dtype == y.dtype == np.float32
    assert x.shape == (4, 2, *CROP) and y.shape == (4, 1, *CROP)
    assert x.min() >= LOWEST and x.max() <= HIGHEST and y.min() >= 0 and y.max() <= 1


def test_three_of_four_crops_are_drawn_around_lesion(monkeypatch):
    monkeypatch.setattr(volumes_module, "augment_volumes", unchanged)
    far = np.concatenate([packed_volume(depth=4, lesion=False), packed_volume()[:, 4:8]], axis=1)
    far = np.concatenate([far, *[packed_volume(depth=12, lesion=False)] * 6], axis=1)  # 80 slices, 4 with lesion
    source = crops_of(far)
    with_lesion = np.concatenate([source.batch(index)[1].any(axis=(1, 2, 3, 4)) for index in range(80)])
    assert 0.7 < with_lesion.mean() < 0.85


def test_a_patients_volumes_are_drawn_by_their_number_of_slices(monkeypatch):
    monkeypatch.setattr(volumes_module, "augment_volumes", unchanged)
    source = crops_of(packed_volume(depth=90), packed_volume(depth=10, lesion=False))
    with_lesion = np.concatenate([source.batch(index)[1].any(axis=(1, 2, 3, 4)) for index in range(80)])
    assert with_lesion.mean() > 0.9 * 0.75 - 0.08  # evenly drawn, it would be 0.4


def test_a_crop_beyond_the_volume_is_background(monkeypatch):
    monkeypatch.setattr(volumes_module, "augment_volumes", unchanged)
    x, y = crops_of(packed_volume(depth=2, lesion=False)).batch(0)  # two slices, four wanted
    empty = (x == BACKGROUND).all(axis=(1, 3, 4))
    assert (empty.sum(axis=1) >= 2).all() and not empty.all(axis=1).any()
    assert not y.any()


def test_all_slices_of_a_crop_are_moved_and_recolored_alike():
    packed = np.repeat(packed_volume()[:, 4:5], 6, axis=1)[None]  # six slices that are the same
    inputs, target = decode(torch.from_numpy(packed))
    for seed in range(6):
        x, y = augment_volumes(inputs, target, np.random.default_rng(seed), size=(48, 40))
        assert x.shape == (1, 2, 6, 48, 40) and y.shape == (1, 1, 6, 48, 40)
        assert torch.equal(y, y[:, :, :1].expand_as(y))
        # what is left is noise of its own in every slice
        assert torch.median((x[0, 0] - x[0, 0, :1]).abs()) < 1.0
        lesion = y[0, 0] > 0.9
        assert lesion.any() and (x[0, 0][lesion] > BACKGROUND).all()


def test_about_half_of_the_crops_lose_their_t1_and_lose_it_wholly():
    inputs, target = decode(torch.from_numpy(np.stack([packed_volume(depth=4)] * 40)))
    x, _ = augment_volumes(inputs, target, np.random.default_rng(0), size=(48, 40))
    present = x[:, 1].flatten(1).any(dim=1)
    assert 10 < int(present.sum()) < 30
    assert ((x[present, 1].flatten(1) != 0).float().mean(dim=1) > 0.99).all()


@pytest.mark.parametrize(("spacing", "most"), [(THICK, None), (THIN, 16)])
def test_packing_keeps_the_volume_or_its_slices_with_most_lesion(rng, spacing, most):
    image = volume(spacing, (120, 130, 84))
    brain = ellipsoid(image, (0, 0, 0), (50, 56, 36))
    lesion = ellipsoid(image, (10, 5, 15), (6, 6, 6))
    flair = textured(brain, rng)
    images = {"FLAIR": flair, "T1": flair}
    packed = encode_volume(VOLUMES, images, brain=brain, lesion=lesion, most=most)
    prepared = VOLUMES.prepare(images, brain=brain).array[0]
    inputs, target = decode(torch.from_numpy(packed)[None])
    if most is None:
        assert inputs.shape[1:] == prepared.shape
        assert np.abs(inputs[0].numpy() - prepared).max() <= 0.51 * STEP
    else:
        assert packed.shape[1] == most and prepared.shape[1] > most
        whole = encode_volume(VOLUMES, images, brain=brain, lesion=lesion)
        assert packed[-1].sum() == whole[-1].sum()  # the lesion is 12 mm high
    assert float(target.max()) == 1


def test_a_card_that_does_not_prepare_volumes_is_refused(tmp_path):
    settings = {"kind": "wmh_volumes", "card": "wmh-acu", "batch": 1, "crop": CROP, "synthetic": 1, "shares": {}}
    with pytest.raises(RecipeError, match="card 'wmh-acu' does not prepare volumes of the brain"):
        build_source(settings, data=tmp_path, cache=tmp_path, seed=0)
