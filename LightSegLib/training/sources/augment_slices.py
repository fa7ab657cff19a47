"""Augmentation of normalized slices: geometry, contrast, bias, resolution, noise, missing inputs.

Works on whole batches with torch; every random number comes from the generator passed in. White matter is about 0
and a lesion 2-6 in the units of `preprocess.normalization.tissue_mode`.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from LightSegLib.preprocess.brain_images import BACKGROUND, HIGHEST, LOWEST

__all__ = ["T1_MISSING", "augment_slices", "degrade", "intensity", "lesion_contrast", "mix_lesions", "warp"]

T1_MISSING = 0.5
NEIGHBOR_MISSING = 0.12
SAME_LEVEL = 0.7  # intersection over union of two brains; a fifth of random pairs has more
TISSUE = -1.5  # brighter than fluid in the units of FLAIR


def augment_slices(inputs: Tensor, target: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Augment (n, 4, y, x) normalized slices and their (n, 1, y, x) target in 0..1."""
    inputs, target = mix_lesions(*warp(inputs, target, rng), rng)
    brain = _brain(inputs)
    flair, t1 = inputs[:, :3], inputs[:, 3:]
    flair = lesion_contrast(flair, target, rng)
    flair = intensity(flair, rng)
    t1 = intensity(t1, rng)
    flair = degrade(flair, rng)
    n = len(inputs)
    drop = _per_slice(rng, n, 0, 1) < NEIGHBOR_MISSING
    which = torch.from_numpy(rng.integers(0, 2, n) * 2)
    blank = (torch.arange(3)[None, :] == which[:, None])[:, :, None, None] & drop
    flair = torch.where(brain & ~blank, flair.clamp(LOWEST, HIGHEST), torch.tensor(BACKGROUND))
    t1 = torch.where(brain, t1.clamp(LOWEST, HIGHEST), torch.tensor(BACKGROUND))
    t1 = t1 * (_per_slice(rng, n, 0, 1) >= T1_MISSING)
    return torch.cat([flair, t1], dim=1).contiguous(), target


def _brain(inputs: Tensor) -> Tensor:
    return inputs[:, 1:2] > BACKGROUND + 0.1


def _per_slice(rng: np.random.Generator, n: int, low: float, high: float) -> Tensor:
    return torch.from_numpy(rng.uniform(low, high, (n, 1, 1, 1)).astype(np.float32))


def _chance(rng: np.random.Generator, n: int, probability: float) -> Tensor:
    return torch.from_numpy((rng.random((n, 1, 1, 1)) < probability).astype(np.float32))


def _field(rng: np.random.Generator, n: int, channels: int, cells: int, size: torch.Size) -> Tensor:
    coarse = torch.from_numpy(rng.standard_normal((n, channels, cells, cells), dtype=np.float32))
    return F.interpolate(coarse, size=size, mode="bicubic", align_corners=True)


def warp(
    inputs: Tensor,
    target: Tensor,
    rng: np.random.Generator,
    *,
    size: tuple[int, int] | None = None,
    mirror: bool = True,
    background: float = BACKGROUND,
) -> tuple[Tensor, Tensor]:
    """Mirror left and right, rotate by up to 15 degrees, scale by 0.85-1.18 per axis, shear, shift, bend.

    `inputs` (n, c, y, x) and `target` (n, k, y, x) move alike; beyond them there is `background` and no target.
    `size` (y, x) cuts out the middle (default: all).
    """
    n, whole = len(inputs), inputs.shape[2:]
    size = size or (whole[0], whole[1])
    angle = np.deg2rad(rng.normal(0, 6, n).clip(-15, 15))
    zoom = np.exp(rng.uniform(-0.16, 0.16, (n, 2)))
    flip = rng.choice([-1.0, 1.0], n) if mirror else np.ones(n)
    aspect = whole[1] / whole[0]
    theta = np.zeros((n, 2, 3), np.float32)  # rows (x, y) in -1..1
    theta[:, 0, 0] = np.cos(angle) * zoom[:, 0] * flip
    theta[:, 0, 1] = -np.sin(angle) * zoom[:, 1] / aspect + rng.uniform(-0.05, 0.05, n)
    theta[:, 1, 0] = np.sin(angle) * zoom[:, 0] * aspect * flip
    theta[:, 1, 1] = np.cos(angle) * zoom[:, 1]
    theta[:, :, :2] *= np.array([size[1] / whole[1], size[0] / whole[0]], np.float32)
    theta[:, :, 2] = rng.uniform(-0.06, 0.06, (n, 2))
    grid = F.affine_grid(torch.from_numpy(theta), [n, 1, *size], align_corners=False)
    bend = _field(rng, n, 2, 6, torch.Size(size)).permute(0, 2, 3, 1) * _per_slice(rng, n, 0, 0.012)
    stacked = torch.cat([inputs - background, target], dim=1)
    warped = F.grid_sample(stacked, grid + bend, mode="bilinear", align_corners=False)
    channels = inputs.shape[1]
    return warped[:, :channels] + background, warped[:, channels:]


def mix_lesions(inputs: Tensor, target: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Copy the lesions of another slice of the batch, with 1-5 pixels around them, into a slice.

    Source: CarveMix (Zhang et al., MICCAI 2021), in slices. Only slices whose brains cover one another are mixed, so
    that lesions stay where there can be some, and fluid stays fluid.
    """
    donor = torch.from_numpy(rng.permutation(len(inputs)))
    brain = _brain(inputs)
    common = (brain & brain[donor]).sum((1, 2, 3), keepdim=True) / (brain | brain[donor]).sum((1, 2, 3), keepdim=True)
    reach = int(rng.integers(1, 6))
    region = F.max_pool2d(target[donor], 2 * reach + 1, stride=1, padding=reach)
    share = F.avg_pool2d(region, 3, stride=1, padding=1) * (inputs[:, 1:2] > TISSUE)
    share = share * (common > SAME_LEVEL)
    return torch.lerp(inputs, inputs[donor], share), torch.lerp(target, target[donor], share)


def lesion_contrast(flair: Tensor, target: Tensor, rng: np.random.Generator) -> Tensor:
    """Fade or brighten what is lesion: faint, diffuse disease is rare among the real cases, and fails first."""
    soft = F.avg_pool2d(target, 3, stride=1, padding=1)
    factor = _per_slice(rng, len(flair), 0.45, 1.2) * _chance(rng, len(flair), 0.4)
    factor = torch.where(factor == 0, torch.tensor(1.0), factor)
    return torch.where(flair > 0, flair * (1 + (factor - 1) * soft), flair)


def intensity(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Scale, shift, bend and shade: what normalization leaves different between scanners."""
    n = len(image)
    image = image * torch.exp(_per_slice(rng, n, -0.35, 0.35)) + _per_slice(rng, n, -0.4, 0.4)
    # Positive values follow a power of 0.8-1.25, fixed at 3: contrast of bright against very bright.
    power = torch.exp(_per_slice(rng, n, -0.22, 0.22))
    image = torch.where(image > 0, 3 * (image.clamp(min=1e-3) / 3) ** power, image * _per_slice(rng, n, 0.7, 1.3))
    shading = _field(rng, n, 1, 3, image.shape[2:]) * _per_slice(rng, n, 0, 0.5) * _chance(rng, n, 0.5)
    return image + shading


def degrade(image: Tensor, rng: np.random.Generator) -> Tensor:
    """Lower the resolution of some slices and add noise to others."""
    n = len(image)
    coarse = F.interpolate(
        F.interpolate(image, scale_factor=float(rng.uniform(0.4, 0.9)), mode="bilinear", antialias=True),
        size=image.shape[2:],
        mode="bilinear",
    )
    image = torch.lerp(image, coarse, _chance(rng, n, 0.2))
    noise = torch.from_numpy(rng.standard_normal(tuple(image.shape), dtype=np.float32))
    return image + noise * _per_slice(rng, n, 0, 0.5) * _chance(rng, n, 0.5)
