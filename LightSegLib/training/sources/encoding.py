"""Prepared slices of a case packed into bytes, so that thousands of them fit in memory."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import SimpleITK as sitk
from torch import Tensor

from LightSegLib.preprocess.grid import sample
from LightSegLib.preprocess.slices import HIGHEST, LOWEST, BrainSlices, stack_neighbors
from LightSegLib.training.bundle_card import card_preprocessor

__all__ = ["decode", "encode_case", "preprocessor_of"]

# A step is a twentieth of the standard deviation of normal tissue, far below noise.
STEP = (HIGHEST - LOWEST) / 255


def encode_case(
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
        packed[row, :4] = np.rint((values - LOWEST) / STEP)
        packed[row, 4] = np.rint(truth[z] * 255)
    return packed


def decode(packed: Tensor) -> tuple[Tensor, Tensor]:
    """Unpack uint8 (n, 5, y, x) to normalized input (n, 4, y, x) and target (n, 1, y, x) in 0..1, float32."""
    values = packed.float()
    return values[:, :4] * STEP + LOWEST, values[:, 4:] / 255


def preprocessor_of(card: str) -> BrainSlices:
    """Return the preprocessor that the bundle card describes: training and inference share it."""
    return card_preprocessor(card, BrainSlices, needed="slices of the brain, which [source] kind 'wmh' needs")
