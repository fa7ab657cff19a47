"""Slices of real and synthetic FLAIR for white matter lesions, as inference prepares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LightSegLib.errors import RecipeError
from LightSegLib.training.cases import Case, left_out, read_cases, select_cases
from LightSegLib.training.sources.augment_slices import augment_slices
from LightSegLib.training.sources.encoding import decode, encode_case, preprocessor_of
from LightSegLib.training.sources.pool import fill_pool
from LightSegLib.training.sources.real import RealMaker
from LightSegLib.training.synthesis import HeadLibrary

__all__ = ["SliceSource", "build_slice_source"]

# A thin-slice case gives far more slices than a thick one, and neighbors look alike.
SLICES_PER_SYNTHETIC_CASE = 24
LESION_SLICES = 0.75  # share of a batch's slices that are drawn among slices with lesion


@dataclass(frozen=True)
class SyntheticMaker:
    """Makes one item of the synthetic pool: the slices of one generated patient."""

    labels: Path
    seed: int
    card: str

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        """Return {"slices": uint8 (n, 5, y, x)} of patient `index`."""
        rng = np.random.default_rng([self.seed, index])
        case = HeadLibrary(self.labels).flair_case(rng)
        slices = encode_case(
            preprocessor_of(self.card),
            {"FLAIR": case.flair, "T1": case.t1},
            brain=case.brain,
            lesion=case.lesion,
            most=SLICES_PER_SYNTHETIC_CASE,
            rng=rng,
        )
        return {"slices": slices}


class SliceSource:
    """Augmented slices: input (n, 4, y, x) normalized, target (n, 1, y, x) in 0..1.

    A slice comes from a group (synthesis, or a center of real cases) drawn by the groups' shares, then from a
    patient of the group, all alike, then from that patient's slices, three of four among those with lesion.
    """

    def __init__(
        self, groups: Mapping[str, Sequence[np.ndarray]], shares: Mapping[str, float], *, batch: int, seed: int
    ) -> None:
        """`groups` gives, by name, the packed slices of each patient; `shares` the weight of each group."""
        self._groups = [[_Patient(slices) for slices in patients] for patients in groups.values()]
        weights = np.array([shares[name] for name in groups], float)
        self._shares = weights / weights.sum()
        self._batch, self._seed = batch, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`: it depends on the seed and the index alone."""
        rng = np.random.default_rng([self._seed, index])
        rows = []
        for group in rng.choice(len(self._groups), self._batch, p=self._shares):
            patients = self._groups[group]
            rows.append(patients[rng.integers(len(patients))].draw(rng))
        inputs, target = augment_slices(*decode(torch.from_numpy(np.stack(rows))), rng)
        return inputs.numpy(), target.numpy()


class _Patient:
    def __init__(self, slices: np.ndarray) -> None:
        self._slices = slices
        self._with_lesion = np.flatnonzero((slices[:, 4] > 127).any(axis=(1, 2)))

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        if self._with_lesion.size and rng.random() < LESION_SLICES:
            return self._slices[rng.choice(self._with_lesion)]
        return self._slices[rng.integers(len(self._slices))]


def build_slice_source(settings: Mapping[str, Any], *, data: Path, cache: Path, seed: int) -> SliceSource:
    """Build the source of kind "wmh".

    Settings: `card` (whose preprocessing is used), `batch`, `synthetic` (number of generated patients), `shares`
    (weight of "synthetic" and of each center; 0 leaves a group out), `leave_out_centers`, `leave_out_cases`. Real
    cases are those of the train split that are not left out.
    """
    card, shares = settings.get("card", "wmh-acu"), dict(settings["shares"])
    groups: dict[str, list[np.ndarray]] = {}
    if shares.get("synthetic"):
        paths = fill_pool(
            cache / "synthetic-flair",
            count=int(settings["synthetic"]),
            make=SyntheticMaker(data / "labels", seed=0, card=card),
        )
        groups["synthetic"] = [_load(path) for path in paths]
    for case in _train_cases(data / "wmh", settings):
        if shares.get(case.center):
            maker = RealMaker(case, preprocessor_of(card))
            (path,) = fill_pool(cache / "real-flair" / case.name, count=1, make=maker)
            groups.setdefault(case.center, []).append(_load(path))
    if not groups:
        raise RecipeError("[source] leaves nothing to train on: check shares and leave_out_centers")
    return SliceSource(groups, shares, batch=int(settings["batch"]), seed=seed)


def _train_cases(folder: Path, settings: Mapping[str, Any]) -> list[Case]:
    cases = read_cases(folder)
    excluded = {case.name for case in left_out(cases, dict(settings))}
    return [case for case in select_cases(cases, split="train") if case.name not in excluded]


def _load(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as item:
        return item["slices"]
