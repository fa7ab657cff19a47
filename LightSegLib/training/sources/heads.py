"""Crops of synthetic and real heads for brain extraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import RecipeError
from LightSegLib.preprocess.grid import sample
from LightSegLib.preprocess.head import HIGHEST, HeadVolume
from LightSegLib.training.bundle_card import card_preprocessor
from LightSegLib.training.cases import Case, read_cases, select_cases
from LightSegLib.training.sources.augment_heads import crop_head
from LightSegLib.training.sources.pool import fill_pool
from LightSegLib.training.sources.real import brain_of
from LightSegLib.training.synthesis import HeadLibrary
from LightSegLib.volumes import read_volume, to_lps

__all__ = ["HeadCrops", "build_head_source"]

CONTRASTS_PER_HEAD = 4
STEP = HIGHEST / 255


@dataclass(frozen=True)
class _HeadMaker:
    """Makes one item of the pool: a deformed head in several contrasts, on the network's grid, as bytes."""

    labels: Path
    seed: int
    preprocessor: HeadVolume

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([self.seed, index])
        arrays: dict[str, np.ndarray] = {}
        for k, case in enumerate(HeadLibrary(self.labels).head_cases(rng, contrasts=CONTRASTS_PER_HEAD)):
            arrays |= _encode(self.preprocessor, case.image, case.brain, k)
        return arrays


@dataclass(frozen=True)
class _RealHeadMaker:
    """Makes the item of one real case: its FLAIR and T1 with the brain mask, on the network's grid, as bytes."""

    case: Case
    preprocessor: HeadVolume

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for k, name in enumerate(("FLAIR", "T1")):
            image = to_lps(read_volume(self.case.path(name)))
            arrays |= _encode(self.preprocessor, image, brain_of(self.case, image), k)
        return arrays


def _encode(preprocessor: HeadVolume, image: sitk.Image, brain: sitk.Image, k: int) -> dict[str, np.ndarray]:
    prepared = preprocessor.prepare({preprocessor.channel: image})
    return {
        f"image{k}": np.rint(prepared.array[0, 0] / STEP).astype(np.uint8),
        f"brain{k}": np.rint(sample(brain, prepared.grid) * 255).astype(np.uint8),
    }


class HeadCrops:
    """Random crops of heads: input (n, 1, z, y, x), target (n, 1, z, y, x), the brain's share of a voxel."""

    def __init__(
        self,
        synthetic: list[Path],
        real: list[Path],
        *,
        real_share: float,
        batch: int,
        crop: tuple[int, int, int],
        seed: int,
    ) -> None:
        """Read the items into memory; `real_share` of the crops come from `real`."""
        self._groups = [_load_pairs(synthetic), _load_pairs(real)]
        self._real_share = real_share
        self._batch, self._crop, self._seed = batch, crop, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`: it depends on the seed and the index alone."""
        rng = np.random.default_rng([self._seed, index])
        crops = []
        for _ in range(self._batch):
            pairs = self._groups[int(rng.random() < self._real_share)]
            image, brain = pairs[rng.integers(len(pairs))]
            crops.append(crop_head(image * np.float32(STEP), brain / np.float32(255), self._crop, rng))
        return np.stack([x for x, _ in crops])[:, None], np.stack([y for _, y in crops])[:, None]


def _load_pairs(paths: list[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
    pairs = []
    for path in paths:
        with np.load(path, allow_pickle=False) as item:
            pairs += [(item[f"image{k}"], item[f"brain{k}"]) for k in range(len(item.files) // 2)]
    return pairs


def build_head_source(settings: Mapping[str, Any], *, data: Path, cache: Path, seed: int) -> HeadCrops:
    """Build the source of kind "brain".

    Settings: `heads` deformed heads in four random contrasts each, crops of `crop` voxels (z, y, x), the share
    `real` of crops that come from the train cases of `wmh/`, `batch`, `card` (whose preprocessing is used).
    """
    card = settings.get("card", "brain-pocket")
    preprocessor = card_preprocessor(card, HeadVolume, needed="whole heads, which [source] kind 'brain' needs")
    make = _HeadMaker(data / "labels", seed, preprocessor)
    paths = fill_pool(cache / f"heads-{seed}", count=int(settings["heads"]), make=make)
    real: list[Path] = []
    if settings["real"] > 0:
        for case in select_cases(read_cases(data / "wmh"), split="train"):
            real += fill_pool(cache / "real-heads" / case.name, count=1, make=_RealHeadMaker(case, preprocessor))
        if not real:
            raise RecipeError(f"[source] real is {settings['real']}, but {data / 'wmh'} has no train case: set it to 0")
    z, y, x = settings["crop"]
    return HeadCrops(
        paths,
        real,
        real_share=float(settings["real"]),
        batch=int(settings["batch"]),
        crop=(int(z), int(y), int(x)),
        seed=seed,
    )
