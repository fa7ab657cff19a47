"""Slices of real and synthetic FLAIR for white matter lesions, as inference prepares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LightSegLib.preprocess.slices import BrainSlices
from LightSegLib.training.bundle_card import card_preprocessor
from LightSegLib.training.cases import Case
from LightSegLib.training.sources.augment_slices import augment_slices
from LightSegLib.training.sources.encoding import decode, encode_slices
from LightSegLib.training.sources.groups import draw_patients, fill_groups, normalized_shares
from LightSegLib.training.sources.real import scans
from LightSegLib.training.synthesis import HeadLibrary

__all__ = ["SliceSource", "build_slice_source"]

# A thin-slice case gives far more slices than a thick one, and neighbors look alike.
SLICES_PER_SYNTHETIC_CASE = 24
LESION_SLICES = 0.75  # share of a batch's slices that are drawn among slices with lesion


@dataclass(frozen=True)
class _SyntheticMaker:
    """Makes one item of the synthetic pool: the slices of one generated patient."""

    labels: Path
    seed: int
    preprocessor: BrainSlices

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([self.seed, index])
        case = HeadLibrary(self.labels).flair_case(rng)
        slices = encode_slices(
            self.preprocessor,
            {"FLAIR": case.flair, "T1": case.t1},
            brain=case.brain,
            lesion=case.lesion,
            most=SLICES_PER_SYNTHETIC_CASE,
            rng=rng,
        )
        return {"slices": slices}


@dataclass(frozen=True)
class _RealMaker:
    """Makes the training slices of one real case."""

    case: Case
    preprocessor: BrainSlices

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        packed = [
            encode_slices(self.preprocessor, scan.images, brain=scan.brain, lesion=scan.lesion)
            for scan in scans(self.case, self.preprocessor.channels)
        ]
        return {"slices": np.concatenate(packed)}


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
        self._shares = normalized_shares(shares, groups)
        self._batch, self._seed = batch, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`: it depends on the seed and the index alone."""
        rng = np.random.default_rng([self._seed, index])
        rows = [patient.draw(rng) for patient in draw_patients(self._groups, self._shares, self._batch, rng)]
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

    Settings: `card` (whose preprocessing is used), `batch`, and those of `fill_groups`.
    """
    card = settings.get("card", "wmh-acu")
    preprocessor = card_preprocessor(card, BrainSlices, needed="slices of the brain, which [source] kind 'wmh' needs")
    paths = fill_groups(
        settings,
        cases=data / "wmh",
        cache=cache,
        kind="flair",
        synthetic=_SyntheticMaker(data / "labels", 0, preprocessor),
        real=lambda case: _RealMaker(case, preprocessor),
    )
    groups = {name: [_load(path) for path in items] for name, items in paths.items()}
    return SliceSource(groups, settings["shares"], batch=int(settings["batch"]), seed=seed)


def _load(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as item:
        return item["slices"]
