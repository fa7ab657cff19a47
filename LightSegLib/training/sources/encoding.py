"""Prepared slices and volumes of a case packed into bytes, so that hundreds of cases fit in memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import SimpleITK as sitk
from torch import Tensor

from LightSegLib.preprocess.brain_images import BACKGROUND, HIGHEST, LOWEST
from LightSegLib.preprocess.grid import sample
from LightSegLib.preprocess.slices import BrainSlices, stack_neighbors
from LightSegLib.preprocess.volume import BrainVolume

__all__ = ["BACKGROUND_BYTE", "STEP", "cut_crop", "decode", "encode_slices", "encode_volume", "to_bytes"]

# A step is a twentieth of the standard deviation of normal tissue, far below noise.
STEP = (HIGHEST - LOWEST) / 255
BACKGROUND_BYTE = round((BACKGROUND - LOWEST) / STEP)


def encode_slices(
    preprocessor: BrainSlices,
    images: Mapping[str, sitk.Image],
    *,
    brain: sitk.Image,
    lesion: sitk.Image,
    most: int | None = None,
    rng: np.random.Generator | None = None,
) -> np.ndarray:
    """Prepare a case as inference does and pack its slices into bytes: uint8 (n, 5, y, x).

    Channels: FLAIR below, at and above the slice, T1, and the lesion's share of a pixel. With `most`, at most so
    many slices are kept, those with lesion by preference.
    """
    volumes, mask, grid = preprocessor.stack(images, brain)
    truth = sample(lesion, grid)
    step = preprocessor.neighbor_step(grid.GetSpacing()[2])
    chosen = np.flatnonzero(mask.any(axis=(1, 2)))
    if most is not None and rng is not None and len(chosen) > most:
        weight = 0.2 + (truth[chosen] > 0.5).any(axis=(1, 2))
        chosen = np.sort(rng.choice(chosen, most, replace=False, p=weight / weight.sum()))
    packed = np.empty((len(chosen), 5, *preprocessor.canvas), np.uint8)
    for row, z in enumerate(chosen.tolist()):
        values = np.concatenate([stack_neighbors(volumes["FLAIR"], z, step), volumes["T1"][z][None]])
        packed[row, :4] = to_bytes(values)
        packed[row, 4] = np.rint(truth[z] * 255)
    return packed


def encode_volume(
    preprocessor: BrainVolume,
    images: Mapping[str, sitk.Image],
    *,
    brain: sitk.Image,
    lesion: sitk.Image,
    most: int | None = None,
) -> np.ndarray:
    """Prepare a case as inference does and pack its volume into bytes: uint8 (channels + 1, z, y, x).

    The last channel is the lesion's share of a voxel. With `most`, at most so many neighboring slices are kept, those
    with most lesion.
    """
    volumes, _, grid = preprocessor.volume(images, brain)
    truth = sample(lesion, grid)
    kept = slice(0, len(truth))
    if most is not None and len(truth) > most:
        amounts = np.convolve(truth.sum(axis=(1, 2)), np.ones(most), mode="valid")
        kept = slice(int(amounts.argmax()), int(amounts.argmax()) + most)
    packed = [to_bytes(volumes[name][kept]) for name in preprocessor.channels]
    return np.stack([*packed, np.rint(truth[kept] * 255).astype(np.uint8)])


def to_bytes(values: np.ndarray) -> np.ndarray:
    """Pack normalized intensities, LOWEST to HIGHEST, into uint8 of the same shape."""
    return np.rint((values - LOWEST) / STEP).astype(np.uint8)


def cut_crop(packed: np.ndarray, start: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Cut `size` voxels from `start`, both (z, y, x) or (y, x), out of a packed volume or slice (c + 1, *spatial).

    Beyond it there is background, which is the lowest byte, without anything in the last channel.
    """
    out = np.zeros((len(packed), *size), np.uint8)
    out[:-1] = BACKGROUND_BYTE
    source = tuple(slice(max(0, s), min(n, s + m)) for s, n, m in zip(start, packed.shape[1:], size, strict=True))
    target = tuple(slice(part.start - s, part.stop - s) for part, s in zip(source, start, strict=True))
    out[(slice(None), *target)] = packed[(slice(None), *source)]
    return out


def decode(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Unpack uint8 (n, c + 1, *spatial) to normalized input (n, c, *spatial), target (n, 1, *spatial) in 0..1."""
    values = packed.float()
    return values[:, :-1] * STEP + LOWEST, values[:, -1:] / 255
