"""Slices of real and synthetic CT scans with their livers, as inference prepares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
import torch

from LightSegLib.errors import RecipeError
from LightSegLib.preprocess.ct import CTSlices, scale_ct, stack_ct_neighbors
from LightSegLib.preprocess.grid import isotropic_grid, sample
from LightSegLib.training.bundle_card import card_preprocessor
from LightSegLib.training.cases import Case
from LightSegLib.training.sources.augment_ct import AIR, HIGHEST, augment_ct
from LightSegLib.training.sources.encoding import cut_crop
from LightSegLib.training.sources.groups import draw_patients, fill_groups, normalized_shares
from LightSegLib.training.synthesis.ct_anatomy import SPACING_MM
from LightSegLib.training.synthesis.ct_cases import CTLibrary
from LightSegLib.training.synthesis.ct_padding import pad_stack
from LightSegLib.volumes import read_labelmap, read_volume, to_lps

__all__ = ["LiverSlices", "build_liver_source"]

STEP = (HIGHEST - AIR) / 255
# How much larger than its result a slice is cut, so that turning it brings in no border that is not there.
MARGIN = 1.15
OFF_CENTER_MM = 12.0  # standard deviation of how far the finder's box lies aside
BEYOND_LIVER_MM = 40.0  # how far above and below the liver the finder's box reaches


@dataclass(frozen=True)
class _SyntheticMaker:
    """Makes one item of the synthetic pool: the scan of one generated body."""

    labels: Path
    seed: int

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        case = CTLibrary(self.labels).case(np.random.default_rng([self.seed, index]))
        image, liver = (sitk.GetArrayFromImage(one) for one in (case.image, case.liver))
        return {"volume": _pack(image, liver.astype(np.float32))}


@dataclass(frozen=True)
class _RealMaker:
    """Makes the scan of one real case, with synthetic anatomy above and below its stack of slices."""

    case: Case
    labels: Path
    seed: int

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        image, labels = to_lps(read_volume(self.case.path("CT"))), to_lps(read_labelmap(self.case.path("liver")))
        # Slices that lie apart are brought to the pool's grid as they are at inference, by interpolation.
        grid = isotropic_grid(image, SPACING_MM)
        values = sample(image, grid, default=float(sitk.GetArrayViewFromImage(image).min()))
        share = sample(sitk.Cast(labels > 0, sitk.sitkUInt8), grid)
        other = CTLibrary(self.labels).case(np.random.default_rng([self.seed, *map(ord, self.case.name)]), whole=True)
        body, liver = (sitk.GetArrayFromImage(one) for one in (other.image, other.liver))
        padded, below = pad_stack(values, [SPACING_MM] * 3, body, liver)
        padded_share = np.zeros(padded.shape, np.float32)
        padded_share[below : below + len(share)] = share
        return {"volume": _pack(padded, padded_share)}


def _pack(values: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Pack Hounsfield units and the liver's share of a voxel, (z, y, x), into bytes: uint8 (2, z, y, x)."""
    return np.stack([np.rint((scale_ct(values) - AIR) / STEP), np.rint(share * 255)]).astype(np.uint8)


class LiverSlices:
    """Augmented axial slices: input (n, 3, y, x) scaled, target (n, 1, y, x) in 0..1, the liver's share of a voxel.

    A slice comes from a group (synthesis, or a center of real cases) drawn by the groups' shares, then from a patient
    of the group, all alike. `about_liver` of the slices lie where the finder's box would, those of it within its
    margin of the liver and about its middle; the others are anywhere in the scan, about the scan's middle.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[np.ndarray]],
        shares: Mapping[str, float],
        *,
        batch: int,
        preprocessor: CTSlices,
        about_liver: float,
        seed: int,
    ) -> None:
        """`groups` gives, by name, the packed volume of each patient at the preprocessor's spacing."""
        self._groups = [[_Scan(volume) for volume in patients] for patients in groups.values()]
        self._shares = normalized_shares(shares, groups)
        self._preprocessor, self._about_liver = preprocessor, about_liver
        self._batch, self._seed = batch, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`: it depends on the seed and the index alone."""
        rng = np.random.default_rng([self._seed, index])
        height, width = self._preprocessor.canvas
        larger = (round(height * MARGIN), round(width * MARGIN))
        cut = [
            scan.draw(larger, rng, about_liver=self._about_liver, preprocessor=self._preprocessor)
            for scan in draw_patients(self._groups, self._shares, self._batch, rng)
        ]
        packed = torch.from_numpy(np.stack(cut)).float()
        inputs, target = augment_ct(packed[:, :3] * STEP + AIR, packed[:, 3:] / 255, rng, size=(height, width))
        return inputs.numpy(), target.numpy()


class _Scan:
    def __init__(self, volume: np.ndarray) -> None:
        self._image, self._share = volume
        liver = self._share > 127
        self._levels = np.flatnonzero(liver.any(axis=(1, 2)))
        sides = (np.flatnonzero(liver.any(axis=axes)) for axes in ((0, 2), (0, 1)))
        self._middle = [(side[0] + side[-1]) / 2 for side in sides] if len(self._levels) else []

    def draw(
        self, size: tuple[int, int], rng: np.random.Generator, *, about_liver: float, preprocessor: CTSlices
    ) -> np.ndarray:
        """Cut a slice of `size` (y, x) with its neighbors and the liver's share in it: uint8 (4, y, x)."""
        n = len(self._image)
        if len(self._levels) and rng.random() < about_liver:
            reach = round(BEYOND_LIVER_MM / preprocessor.spacing_mm)
            low, high = max(0, int(self._levels[0]) - reach), min(n, int(self._levels[-1]) + reach + 1)
            middle = np.array(self._middle) + rng.normal(0, OFF_CENTER_MM / preprocessor.spacing_mm, 2)
        else:
            low, high = 0, n
            middle = (np.array(self._image.shape[1:]) - 1) / 2
        z = int(rng.integers(low, high))
        slices = [*stack_ct_neighbors(self._image, z, preprocessor.neighbor_step), self._share[z]]
        start = [round(m - (length - 1) / 2) for m, length in zip(middle, size, strict=True)]
        return cut_crop(np.stack(slices), start, size)


def build_liver_source(settings: Mapping[str, Any], *, data: Path, cache: Path, seed: int) -> LiverSlices:
    """Build the source of kind "liver_slices".

    Settings: `card` (whose preprocessing is used), `batch`, `about_liver` (share of the slices that lie where the
    finder's box would) and those of `fill_groups`.
    """
    about_liver, batch = float(settings["about_liver"]), int(settings["batch"])
    preprocessor = card_preprocessor(
        settings["card"], CTSlices, needed="slices of CT, which [source] kind 'liver_slices' needs"
    )
    factor = round(preprocessor.spacing_mm / SPACING_MM)
    if factor < 1 or factor * SPACING_MM != preprocessor.spacing_mm:
        raise RecipeError(
            f"card {settings['card']!r} has slices of {preprocessor.spacing_mm:g} mm, which is no multiple of the "
            f"{SPACING_MM:g} mm of synthetic bodies"
        )
    paths = fill_groups(
        settings,
        cases=data / "liver",
        cache=cache,
        kind=f"ct-{SPACING_MM:g}mm",
        synthetic=_SyntheticMaker(data / "labels", 0),
        real=lambda case: _RealMaker(case, data / "labels", 0),
    )
    return LiverSlices(
        {name: [_load(path, factor) for path in items] for name, items in paths.items()},
        settings["shares"],
        batch=batch,
        preprocessor=preprocessor,
        about_liver=about_liver,
        seed=seed,
    )


def _load(path: Path, factor: int) -> np.ndarray:
    """Read a packed volume (2, z, y, x), blocks of `factor` voxels along each axis averaged."""
    with np.load(path, allow_pickle=False) as item:
        volume: np.ndarray = item["volume"]
    if factor == 1:
        return volume
    whole = [n // factor * factor for n in volume.shape[1:]]
    blocks = volume[:, : whole[0], : whole[1], : whole[2]].reshape(
        2, whole[0] // factor, factor, whole[1] // factor, factor, whole[2] // factor, factor
    )
    return np.rint(blocks.mean(axis=(2, 4, 6), dtype=np.float32)).astype(np.uint8)
