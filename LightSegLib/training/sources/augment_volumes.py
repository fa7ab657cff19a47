"""Augmentation of normalized crops of volumes: what `augment_slices` does to a slice, alike in all slices of a crop.

Works on whole batches with torch; every random number comes from the generator passed in.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from LightSegLib.preprocess.brain_images import BACKGROUND, HIGHEST, LOWEST
from LightSegLib.training.sources.augment_slices import T1_MISSING, degrade, intensity, lesion_contrast, warp

__all__ = ["IN_PLANE_MARGIN", "augment_volumes"]

# How much larger than its result a crop is in plane, so that turning it brings in no border that is not there.
IN_PLANE_MARGIN = 1.25


def augment_volumes(
    inputs: Tensor, target: Tensor, rng: np.random.Generator, *, size: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """Augment (n, 2, z, y, x) normalized FLAIR and T1 and their (n, 1, z, y, x) target in 0..1.

    Returns the same with the in-plane size (y, x) of `size`, which is smaller by `IN_PLANE_MARGIN`. A slice of a
    volume is a channel here, so that geometry, contrast, shading and resolution are the same in all slices.
    """
    n, channels, depth = inputs.shape[:3]
    flat, lesion = warp(inputs.flatten(1, 2), target.flatten(1, 2), rng, size=size)
    flair, t1 = flat.split(depth, dim=1)
    brain = flair > BACKGROUND + 0.1
    flair = degrade(intensity(lesion_contrast(flair, lesion, rng), rng), rng)
    t1 = intensity(t1, rng)
    images = [torch.where(brain, image.clamp(LOWEST, HIGHEST), torch.tensor(BACKGROUND)) for image in (flair, t1)]
    images[1] = images[1] * torch.from_numpy(rng.random((n, 1, 1, 1)) >= T1_MISSING)
    return torch.stack(images, dim=1).contiguous(), lesion[:, None].contiguous()
