"""Prepared tumor cases packed into bytes: four channels and a label, so that hundreds of cases fit in memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor

from LightSegLib.preprocess.box import BrainBox
from LightSegLib.preprocess.brain_images import LOWEST
from LightSegLib.preprocess.grid import sample
from LightSegLib.training.sources.encoding import STEP, to_bytes

__all__ = ["REGIONS", "labels_of_regions", "pack", "unpack"]

# The nested regions that the network finds, by their label values: whole tumor, tumor core, enhancing tumor.
REGIONS = ((1, 2, 3), (1, 3), (3,))


def pack(
    preprocessor: BrainBox,
    images: Mapping[str, sitk.Image],
    *,
    brain: sitk.Image,
    labels: sitk.Image,
    most: int | None = None,
) -> np.ndarray:
    """Prepare a case as inference does and pack it into bytes: uint8 (channels + 1, z, y, x).

    The last channel is the label, 0-3; where a voxel is larger than the image's, it belongs to the regions that fill
    more than half of it. With `most`, no axis keeps more than so many voxels, those about the tumor's middle.
    """
    volumes, _, grid = preprocessor.volume(images, brain)
    regions = [sample(_members(labels, values), grid) > 0.5 for values in REGIONS]
    packed = [to_bytes(volumes[name]) for name in preprocessor.channels]
    stacked = np.stack([*packed, labels_of_regions(np.stack(regions))])
    return stacked if most is None else _about_tumor(stacked, most)


def labels_of_regions(regions: np.ndarray) -> np.ndarray:
    """Turn nested regions, bool (3, ...), into labels, uint8 (...): 1 core, 2 edema, 3 enhancing tumor."""
    whole, core, enhancing = regions
    return np.where(enhancing, 3, np.where(core, 1, np.where(whole, 2, 0))).astype(np.uint8)


def unpack(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Unpack uint8 (n, c + 1, *spatial): normalized input (n, c, *spatial), nested target (n, 3, *spatial), 0 or 1."""
    labels = packed[:, -1]
    target = torch.stack([torch.isin(labels, torch.tensor(values, dtype=torch.uint8)) for values in REGIONS], dim=1)
    return packed[:, :-1].float() * STEP + LOWEST, target.float()


def _members(labels: sitk.Image, values: tuple[int, ...]) -> sitk.Image:
    chosen = labels == values[0]
    for value in values[1:]:
        chosen = chosen | (labels == value)
    return chosen


def _about_tumor(packed: np.ndarray, most: int) -> np.ndarray:
    marked = np.argwhere(packed[-1, ::2, ::2, ::2] > 0) * 2
    middle = marked.mean(axis=0) if len(marked) else np.array(packed.shape[1:]) / 2
    starts = [
        min(max(0, round(float(m)) - most // 2), max(0, n - most))
        for m, n in zip(middle, packed.shape[1:], strict=True)
    ]
    return np.ascontiguousarray(packed[(slice(None), *(slice(s, s + most) for s in starts))])
