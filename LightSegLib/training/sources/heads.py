"""Crops of synthetic heads for brain extraction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from LightSegLib.preprocess.grid import sample
from LightSegLib.preprocess.head import HIGHEST, HeadVolume
from LightSegLib.training.sources.pool import fill_pool
from LightSegLib.training.synthesis import HeadLibrary

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
        preprocessor = HeadVolume(channel="MR", spacing_mm=SPACING_MM)
        arrays = {}
        for k, case in enumerate(HeadLibrary(self.labels).head_cases(rng, contrasts=CONTRASTS_PER_HEAD)):
            prepared = preprocessor.prepare({"MR": case.image})
            arrays[f"image{k}"] = np.rint(prepared.array[0, 0] / STEP).astype(np.uint8)
            arrays[f"brain{k}"] = np.rint(sample(case.brain, prepared.grid) * 255).astype(np.uint8)
        return arrays


class HeadCrops:
    """Random crops of a pool of heads: input (n, 1, z, y, x), target (n, 1, z, y, x), the brain's share of a voxel."""

    def __init__(self, paths: list[Path], *, batch: int, crop: tuple[int, int, int], seed: int) -> None:
        """Read the pool's items into memory."""
        self._pairs = []
        for path in paths:
            with np.load(path, allow_pickle=False) as item:
                self._pairs += [(item[f"image{k}"], item[f"brain{k}"]) for k in range(CONTRASTS_PER_HEAD)]
        self._batch, self._crop, self._seed = batch, crop, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`: it depends on the seed and the index alone."""
        rng = np.random.default_rng([self._seed, index])
        chosen = [self._pairs[rng.integers(len(self._pairs))] for _ in range(self._batch)]
        crops = [self._cut(image, brain, rng) for image, brain in chosen]
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


def build_head_source(settings: Mapping[str, Any], *, data: Path, cache: Path, seed: int) -> HeadCrops:
    """Build the source of kind "brain": `heads` deformed heads in four contrasts each, crops of `crop` (z, y, x)."""
    paths = fill_pool(cache / f"heads-{seed}", count=int(settings["heads"]), make=_HeadMaker(data / "labels", seed))
    z, y, x = settings["crop"]
    return HeadCrops(paths, batch=int(settings["batch"]), crop=(int(z), int(y), int(x)), seed=seed)
