"""Prepared tumor cases packed into bytes: four channels and three regions, so that hundreds of cases fit in memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk
from torch import Tensor

from LightSegLib.preprocess.box import BrainBox
from LightSegLib.preprocess.brain_images import LOWEST
from LightSegLib.preprocess.grid import sample
from LightSegLib.training.sources.encoding import STEP, to_bytes

__all__ = ["REGIONS", "labels_of", "pack", "unpack"]

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
    """Prepare a case as inference does and pack it into bytes: uint8 (channels + 3, z, y, x).

    The last channels are the shares of a voxel that WT, TC and ET fill, 255 being all of it: a network that has learned
    them finds borders finer than its voxels. With `most`, no axis keeps more than so many voxels, those about the
    tumor's middle.
    """
    volumes, _, grid = preprocessor.volume(images, brain)
    regions = [np.rint(sample(_members(labels, values), grid) * 255).astype(np.uint8) for values in REGIONS]
    stacked = np.stack([*(to_bytes(volumes[name]) for name in preprocessor.channels), *regions])
    return stacked if most is None else _about_tumor(stacked, most)


def labels_of(packed: np.ndarray) -> np.ndarray:
    """Labels of a packed case, uint8 (z, y, x): 1 core, 2 edema, 3 enhancing tumor; regions fill half of a voxel."""
    whole, core, enhancing = packed[-len(REGIONS) :] > 127
    return np.where(enhancing, 3, np.where(core, 1, np.where(whole, 2, 0))).astype(np.uint8)


def unpack(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Unpack uint8 (n, c + 3, *spatial): normalized input (n, c, *spatial), nested target (n, 3, *spatial) in 0..1."""
    regions = len(REGIONS)
    return packed[:, :-regions].float() * STEP + LOWEST, packed[:, -regions:].float() / 255


def _members(labels: sitk.Image, values: tuple[int, ...]) -> sitk.Image:
    chosen = labels == values[0]
    for value in values[1:]:
        chosen = chosen | (labels == value)
    return chosen


def _about_tumor(packed: np.ndarray, most: int) -> np.ndarray:
    marked = np.argwhere(packed[-len(REGIONS), ::2, ::2, ::2] > 0) * 2
    middle = marked.mean(axis=0) if len(marked) else np.array(packed.shape[1:]) / 2
    starts = [
        min(max(0, round(float(m)) - most // 2), max(0, n - most))
        for m, n in zip(middle, packed.shape[1:], strict=True)
    ]
    return np.ascontiguousarray(packed[(slice(None), *(slice(s, s + most) for s in starts))])
