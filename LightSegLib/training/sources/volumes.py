"""Crops of real and synthetic FLAIR volumes for white matter lesions, for 3D networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from LightSegLib.preprocess.volume import BrainVolume
from LightSegLib.training.bundle_card import card_preprocessor
from LightSegLib.training.cases import Case
from LightSegLib.training.sources.augment_volumes import IN_PLANE_MARGIN, augment_volumes
from LightSegLib.training.sources.encoding import cut_crop, decode, encode_volume
from LightSegLib.training.sources.groups import draw_patients, fill_groups, normalized_shares
from LightSegLib.training.sources.real import scans
from LightSegLib.training.synthesis import HeadLibrary

__all__ = ["VolumeCrops", "build_volume_source"]

# A thin-slice volume has far more slices than a crop needs; these hold most of its lesions.
SLICES_PER_SYNTHETIC_CASE = 64
LESION_CROPS = 0.75  # share of crops that are drawn around a voxel of lesion
Shape = tuple[int, int, int]


@dataclass(frozen=True)
class _SyntheticMaker:
    """Makes one item of the synthetic pool: the volume of one generated patient."""

    labels: Path
    seed: int
    preprocessor: BrainVolume

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        case = HeadLibrary(self.labels).flair_case(np.random.default_rng([self.seed, index]))
        images = {"FLAIR": case.flair, "T1": case.t1}
        most = SLICES_PER_SYNTHETIC_CASE
        volume = encode_volume(self.preprocessor, images, brain=case.brain, lesion=case.lesion, most=most)
        return {"volume0": volume}


@dataclass(frozen=True)
class _RealMaker:
    """Makes the volumes of one real case, one for every thickness of its slices."""

    case: Case
    preprocessor: BrainVolume

    def __call__(self, index: int) -> dict[str, np.ndarray]:
        return {
            f"volume{k}": encode_volume(self.preprocessor, scan.images, brain=scan.brain, lesion=scan.lesion)
            for k, scan in enumerate(scans(self.case, self.preprocessor.channels))
        }


class VolumeCrops:
    """Augmented crops: input (n, 2, z, y, x) normalized, target (n, 1, z, y, x) in 0..1.

    A crop comes from a group (synthesis, or a center of real cases) drawn by the groups' shares, then from a patient
    of the group, all alike, then from one of that patient's volumes by their number of slices (thick-slice versions are
    many, and short), three of four crops around a voxel of lesion.
    """

    def __init__(
        self,
        groups: Mapping[str, Sequence[Sequence[np.ndarray]]],
        shares: Mapping[str, float],
        *,
        batch: int,
        crop: Shape,
        seed: int,
    ) -> None:
        """`groups` gives, by name, the packed volumes of each patient; `shares` the weight of each group."""
        self._groups = [[_Patient(volumes) for volumes in patients] for patients in groups.values()]
        self._shares = normalized_shares(shares, groups)
        self._batch, self._crop, self._seed = batch, crop, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`: it depends on the seed and the index alone."""
        rng = np.random.default_rng([self._seed, index])
        z, y, x = self._crop
        larger = (z, round(y * IN_PLANE_MARGIN), round(x * IN_PLANE_MARGIN))
        patients = draw_patients(self._groups, self._shares, self._batch, rng)
        crops = [patient.draw(larger, rng) for patient in patients]
        inputs, target = decode(torch.from_numpy(np.stack(crops)))
        inputs, target = augment_volumes(inputs, target, rng, size=(y, x))
        return inputs.numpy(), target.numpy()


class _Patient:
    def __init__(self, volumes: Sequence[np.ndarray]) -> None:
        self._volumes = [_Volume(volume) for volume in volumes]
        slices = np.array([volume.shape[1] for volume in volumes], float)
        self._shares = slices / slices.sum()

    def draw(self, crop: Shape, rng: np.random.Generator) -> np.ndarray:
        return self._volumes[rng.choice(len(self._volumes), p=self._shares)].draw(crop, rng)


class _Volume:
    def __init__(self, volume: np.ndarray) -> None:
        self._volume = volume
        # 64-bit indices of all voxels of the brain would take more memory than the volume itself.
        self._lesion = np.flatnonzero(volume[-1] > 127).astype(np.int32)
        self._brain = np.flatnonzero(volume[0] > 0).astype(np.int32)

    def draw(self, crop: Shape, rng: np.random.Generator) -> np.ndarray:
        voxels = self._lesion if self._lesion.size and rng.random() < LESION_CROPS else self._brain
        shape = self._volume.shape[1:]
        middle = np.unravel_index(int(voxels[rng.integers(len(voxels))]), shape)
        start = [int(m) - int(rng.integers(n // 4, n - n // 4)) for m, n in zip(middle, crop, strict=True)]
        return cut_crop(self._volume, start, crop)


def build_volume_source(settings: Mapping[str, Any], *, data: Path, cache: Path, seed: int) -> VolumeCrops:
    """Build the source of kind "wmh_volumes".

    Settings: `card` (whose preprocessing is used), `batch`, `crop` in voxels (z, y, x), and those of `fill_groups`.
    """
    needed = "volumes of the brain, which [source] kind 'wmh_volumes' needs"
    preprocessor = card_preprocessor(settings["card"], BrainVolume, needed=needed)
    paths = fill_groups(
        settings,
        cases=data / "wmh",
        cache=cache,
        kind="flair-volumes",
        synthetic=_SyntheticMaker(data / "labels", 0, preprocessor),
        real=lambda case: _RealMaker(case, preprocessor),
    )
    z, y, x = settings["crop"]
    return VolumeCrops(
        {name: [_load(path) for path in items] for name, items in paths.items()},
        settings["shares"],
        batch=int(settings["batch"]),
        crop=(int(z), int(y), int(x)),
        seed=seed,
    )


def _load(path: Path) -> list[np.ndarray]:
    with np.load(path, allow_pickle=False) as item:
        return [item[name] for name in item.files]
