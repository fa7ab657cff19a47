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
from LightSegLib.training.cases import Case, read_cases, select_cases
from LightSegLib.training.sources.pool import fill_pool
from LightSegLib.training.synthesis import HeadLibrary
from LightSegLib.volumes import read_labelmap, read_volume, to_lps

__all__ = ["HeadCrops", "build_head_source"]

SPACING_MM = 3.0
CONTRASTS_PER_HEAD = 4
STEP = HIGHEST / 255


@dataclass(frozen=True)
class _HeadMaker:
    """Makes one item of the pool: a deformed head in several contrasts, on the network's grid, as bytes."""

    labels: Path
    seed: int

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([self.seed, index])
        arrays: dict[str, np.ndarray] = {}
        for k, case in enumerate(HeadLibrary(self.labels).head_cases(rng, contrasts=CONTRASTS_PER_HEAD)):
            arrays |= _encode(case.image, case.brain, k)
        return arrays


@dataclass(frozen=True)
class _RealHeadMaker:
    """Makes the item of one real case: its FLAIR and T1 with the brain mask, on the network's grid, as bytes."""

    case: Case

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        arrays: dict[str, np.ndarray] = {}
        for k, name in enumerate(("FLAIR", "T1")):
            image = to_lps(read_volume(self.case.path(name)))
            if "brainmask" in self.case.files:
                brain = to_lps(read_labelmap(self.case.path("brainmask")))
            else:
                brain = sitk.BinaryFillhole(sitk.Cast(image != 0, sitk.sitkUInt8), foregroundValue=1)
            arrays |= _encode(image, brain, k)
        return arrays


def _encode(image: sitk.Image, brain: sitk.Image, k: int) -> dict[str, np.ndarray]:
    prepared = HeadVolume(channel="MR", spacing_mm=SPACING_MM).prepare({"MR": image})
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
            crops.append(self._cut(*pairs[rng.integers(len(pairs))], rng))
        return np.stack([x for x, _ in crops])[:, None], np.stack([y for _, y in crops])[:, None]

    def _cut(self, image: np.ndarray, brain: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        pad = [(0, max(0, c - n)) for c, n in zip(self._crop, image.shape, strict=True)]
        image, brain = np.pad(image, pad), np.pad(brain, pad)
        start = [rng.integers(0, n - c + 1) for c, n in zip(self._crop, image.shape, strict=True)]
        window = tuple(slice(s, s + c) for s, c in zip(start, self._crop, strict=True))
        x = image[window].astype(np.float32) * STEP
        y = brain[window].astype(np.float32) / 255
        if rng.random() < 0.5:
            x, y = x[:, :, ::-1], y[:, :, ::-1]
        if rng.random() < 0.5:  # contrast within the head varies beyond what was generated
            x = np.power(x / HIGHEST, rng.uniform(0.7, 1.4)) * HIGHEST
        return np.clip(x * rng.uniform(0.75, 1.3), 0, HIGHEST).astype(np.float32), y


def _load_pairs(paths: list[Path]) -> list[tuple[np.ndarray, np.ndarray]]:
    pairs = []
    for path in paths:
        with np.load(path, allow_pickle=False) as item:
            pairs += [(item[f"image{k}"], item[f"brain{k}"]) for k in range(len(item.files) // 2)]
    return pairs


def build_head_source(settings: Mapping[str, Any], *, data: Path, cache: Path, seed: int) -> HeadCrops:
    """Build the source of kind "brain".

    Settings: `heads` deformed heads in four random contrasts each, crops of `crop` voxels (z, y, x), the share
    `real` of crops that come from the train cases of `wmh/`, `batch`.
    """
    paths = fill_pool(cache / f"heads-{seed}", count=int(settings["heads"]), make=_HeadMaker(data / "labels", seed))
    real: list[Path] = []
    if settings["real"] > 0:
        for case in select_cases(read_cases(data / "wmh"), split="train"):
            real += fill_pool(cache / "real-heads" / case.name, count=1, make=_RealHeadMaker(case), processes=1)
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
