"""Slices of real and synthetic tumors on four MR contrasts, as inference prepares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LightSegLib.preprocess.box import BrainBox
from LightSegLib.preprocess.box_slices import BrainBoxSlices
from LightSegLib.training.bundle_card import card_preprocessor
from LightSegLib.training.cases import Case
from LightSegLib.training.sources.augment_tumors import augment_tumors
from LightSegLib.training.sources.encoding import BACKGROUND_BYTE, cut_crop
from LightSegLib.training.sources.groups import draw_patients, fill_groups, normalized_shares
from LightSegLib.training.sources.real import brain_of
from LightSegLib.training.sources.tumor_packing import REGIONS, labels_of, pack
from LightSegLib.training.sources.tumor_packing import unpack as unpack_tumors
from LightSegLib.training.synthesis import TumorLibrary
from LightSegLib.volumes import read_labelmap, read_volume, to_lps

__all__ = ["TumorSlices", "build_tumor_slices"]

Shape = tuple[int, int, int]
# What a slice is drawn around: any voxel of the brain, edema, core, enhancing tumor; what is not there counts as any.
AROUND = {"brain": 0.25, 2: 0.25, 1: 0.25, 3: 0.25}
# How much larger than its result a slice is cut, so that turning it brings in no border that is not there.
MARGIN = 1.15
# Voxels along an axis that a synthetic patient keeps: the brain at 2 mm, 3 megabytes.
MOST = 96
BOX_MULTIPLE = (16, 16, 16)  # leaves room around the brain, more than the margin at inference
VOXELS_REMEMBERED = 4000  # of each kind in AROUND


@dataclass(frozen=True)
class _SyntheticMaker:
    """Makes one item of the synthetic pool: the volume of one generated patient."""

    labels: Path
    seed: int
    preprocessor: BrainBox

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        case = TumorLibrary(self.labels).case(np.random.default_rng([self.seed, index]))
        return {"volume": pack(self.preprocessor, case.images, brain=case.brain, labels=case.labels, most=MOST)}


@dataclass(frozen=True)
class _RealMaker:
    """Makes the volume of one real case."""

    case: Case
    preprocessor: BrainBox

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        images = {name: to_lps(read_volume(self.case.path(name))) for name in self.preprocessor.channels}
        labels = to_lps(read_labelmap(self.case.path("seg")))
        brain = brain_of(self.case, images[self.preprocessor.channels[0]])
        return {"volume": pack(self.preprocessor, images, brain=brain, labels=labels)}


class TumorSlices:
    """Augmented axial slices: input (n, 4, y, x) normalized, target (n, 3, y, x) in 0..1: WT, TC and ET.

    A slice comes from a group (synthesis, or a center of real cases) drawn by the groups' shares, then from a patient
    of the group, all alike, and lies around a voxel of what AROUND says.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[np.ndarray]],
        shares: Mapping[str, float],
        *,
        batch: int,
        canvas: tuple[int, int],
        missing: float,
        seed: int,
    ) -> None:
        """`groups` gives, by name, the packed volume of each patient; `shares` the weight of each group.

        `missing` is the probability of each channel to be left out.
        """
        self._groups = [[_Volume(volume) for volume in patients] for patients in groups.values()]
        self._shares = normalized_shares(shares, groups)
        self._batch, self._canvas, self._missing, self._seed = batch, canvas, missing, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`: it depends on the seed and the index alone."""
        rng = np.random.default_rng([self._seed, index])
        y, x = self._canvas
        larger = (1, round(y * MARGIN), round(x * MARGIN))
        patients = draw_patients(self._groups, self._shares, self._batch, rng)
        cut = [patient.draw(larger, rng) for patient in patients]
        inputs, target = unpack_tumors(torch.from_numpy(np.stack(cut)))
        inputs, target = augment_tumors(inputs, target, rng, size=(1, y, x), missing=self._missing)
        return inputs[:, :, 0].numpy(), target[:, :, 0].numpy()


class _Volume:
    def __init__(self, volume: np.ndarray) -> None:
        self._volume = volume
        rng = np.random.default_rng(0)
        labels = labels_of(volume)
        brain = (volume[: -len(REGIONS)] > BACKGROUND_BYTE).any(axis=0)
        kinds = {name: brain if name == "brain" else labels == name for name in AROUND}
        self._voxels = {name: _some(np.flatnonzero(mask), rng) for name, mask in kinds.items()}

    def draw(self, crop: Shape, rng: np.random.Generator) -> np.ndarray:
        names = list(AROUND)
        voxels = self._voxels[names[int(rng.choice(len(names), p=list(AROUND.values())))]]
        if not voxels.size:
            voxels = self._voxels["brain"]
        shape = self._volume.shape[1:]
        middle = np.unravel_index(int(voxels[rng.integers(len(voxels))]), shape)
        start = [_start(int(m), n, size, rng) for m, n, size in zip(middle, crop, shape, strict=True)]
        return cut_crop(self._volume, start, crop)


def _some(voxels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return rng.choice(voxels, VOXELS_REMEMBERED, replace=False) if len(voxels) > VOXELS_REMEMBERED else voxels


def _start(middle: int, length: int, size: int, rng: np.random.Generator) -> int:
    """Draw where a crop begins that has `middle` in its inner half; one that holds everything is centered."""
    if length >= size:
        return (size - length) // 2
    inner = max(1, length - 2 * (length // 4))
    start = middle - length // 4 - int(rng.integers(inner))
    return min(max(start, 0), size - length)


def build_tumor_slices(settings: Mapping[str, Any], *, data: Path, cache: Path, seed: int) -> TumorSlices:
    """Build the source of kind "tumor_slices".

    Settings: `card` (whose preprocessing is used), `batch`, `missing` (probability of each channel to be left out),
    and those of `fill_groups`.
    """
    needed = "slices of the brain's box, which [source] kind 'tumor_slices' needs"
    slices = card_preprocessor(settings["card"], BrainBoxSlices, needed=needed)
    box = BrainBox(slices.channels, slices.spacing_mm, multiple=BOX_MULTIPLE)
    paths = fill_groups(
        settings,
        cases=data / "tumor",
        cache=cache,
        kind=f"tumor-{box.spacing_mm:g}mm",
        synthetic=_SyntheticMaker(data / "labels", 0, box),
        real=lambda case: _RealMaker(case, box),
    )
    return TumorSlices(
        {name: [_load(path) for path in items] for name, items in paths.items()},
        settings["shares"],
        batch=int(settings["batch"]),
        canvas=slices.canvas,
        missing=float(settings["missing"]),
        seed=seed,
    )


def _load(path: Path) -> np.ndarray:
    with np.load(path, allow_pickle=False) as item:
        return item["volume"]
