"""Augmentation of CT slices in the units of `preprocess.ct.scale_ct`, in which 0.1 is ten Hounsfield units.

Works on whole batches with torch; every random number comes from the generator passed in.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from LightSegLib.preprocess.ct import AIR_HU, scale_ct
from LightSegLib.training.sources.augment_slices import warp

__all__ = ["AIR", "augment_ct"]

AIR = float(scale_ct(np.array(AIR_HU)))
HIGHEST = -AIR  # the window is as wide above its middle as below
# Shares of the slices that are changed in each way.
RECOLORED, NOISY, BLURRED, REPEATED = 0.4, 0.5, 0.2, 0.1


def augment_ct(
    inputs: Tensor, target: Tensor, rng: np.random.Generator, *, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Augment (n, 3, y, x) slices with their neighbors and their (n, 1, y, x) target in 0..1; `size` (y, x) comes back.

    Nothing is mirrored, because the liver lies on the right.
    """
    inputs, target = warp(inputs, target, rng, size=size, mirror=False, background=AIR)
    n = len(inputs)

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (n, 1, 1, 1)).astype(np.float32))

    def chance(probability: float) -> Tensor:
        return torch.from_numpy(rng.random((n, 1, 1, 1)) < probability)

    # Another phase or a fatty liver: what is liver gets brighter or darker than it was, vessels and lesions with it.
    soft = F.avg_pool2d(target, 3, stride=1, padding=1)
    inputs = inputs + soft * draw(-0.35, 0.35) * chance(RECOLORED)
    inputs = inputs * draw(0.88, 1.12) + draw(-0.12, 0.12)
    coarse = F.interpolate(F.avg_pool2d(inputs, 2), size=size, mode="bilinear", align_corners=False)
    inputs = torch.where(chance(BLURRED), coarse, inputs)
    noise = torch.from_numpy(rng.standard_normal(tuple(inputs.shape), dtype=np.float32))
    inputs = inputs + noise * draw(0, 0.3) * chance(NOISY)
    # Thick slices and the ends of a scan have the same slice above or below.
    inputs = torch.where(chance(REPEATED), inputs[:, 1:2], inputs)
    return inputs.clamp(AIR, HIGHEST).contiguous(), target.clamp(0, 1).contiguous()
