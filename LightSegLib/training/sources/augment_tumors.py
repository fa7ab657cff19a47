"""Augmentation of crops with tumors: geometry, mixing of patients, contrast, resolution, noise, missing channels.

Works on whole batches with torch; every random number comes from the generator passed in. Inputs are z-scores.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.nn import functional as F

from LightSegLib.preprocess.box import HIGHEST
from LightSegLib.preprocess.brain_images import BACKGROUND, LOWEST

__all__ = ["augment_tumors", "leave_out", "mix_tumors", "recolor", "warp_volumes"]

Shape = tuple[int, int, int]
ROTATION_DEG = 8.0  # standard deviation; 2.5 of them at most
SCALING = 0.12
MIXED = 0.25  # share of the crops that another patient's tumor is copied into
BLURRED = 0.15  # share of the channels that are shown as thicker slices


def augment_tumors(
    inputs: Tensor, target: Tensor, rng: np.random.Generator, *, size: Shape, missing: float
) -> tuple[Tensor, Tensor]:
    """Augment (n, c, z, y, x) normalized channels and their (n, 3, z, y, x) nested regions in 0..1.

    Returns the middle `size` (z, y, x) of what went in. Each channel is left out with the probability `missing`, but
    never all of a crop.
    """
    inputs, target = warp_volumes(*mix_tumors(inputs, target, rng), rng, size=size)
    inputs = recolor(inputs, rng)
    return leave_out(inputs, rng, missing=missing).contiguous(), target.contiguous()


def _brain(inputs: Tensor) -> Tensor:
    return (inputs > BACKGROUND + 0.1).any(dim=1, keepdim=True)


def _dilate(mask: Tensor, reach: int) -> Tensor:
    """Dilate float masks (n, 1, z, y, x) by a cube, one axis after the other."""
    for axis in range(3):
        width, padding = [1, 1, 1], [0, 0, 0]
        width[axis], padding[axis] = 2 * reach + 1, reach
        mask = F.max_pool3d(mask, tuple(width), stride=1, padding=tuple(padding))
    return mask


def mix_tumors(inputs: Tensor, target: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Copy the tumor of another crop of the batch, with 1-5 voxels around it, into some crops, where both are brain.

    Source: CarveMix (Zhang et al., MICCAI 2021).
    """
    chosen = rng.random(len(inputs)) < MIXED
    donors = np.roll(np.arange(len(inputs)), 1)
    if len(inputs) < 2 or not chosen.any():
        return inputs, target
    inputs, target = inputs.clone(), target.clone()
    originals = inputs.clone(), target.clone()
    for item in np.flatnonzero(chosen):
        donor = slice(donors[item], donors[item] + 1)
        image, regions = originals[0][donor], originals[1][donor]
        region = _dilate(regions[:, :1], int(rng.integers(1, 6))) * (_brain(image) & _brain(inputs[item : item + 1]))
        width = [1 if length == 1 else 3 for length in region.shape[2:]]
        padding = [length // 2 for length in width]
        share = F.avg_pool3d(region, width, stride=1, padding=padding, count_include_pad=False)[0] * region[0]
        inputs[item] = torch.lerp(inputs[item], image[0], share)
        target[item] = torch.lerp(target[item], regions[0], share)
    return inputs, target


def warp_volumes(inputs: Tensor, target: Tensor, rng: np.random.Generator, *, size: Shape) -> tuple[Tensor, Tensor]:
    """Mirror left and right, turn, scale, shift and bend; the middle `size` (z, y, x) is returned.

    A crop of one slice is turned and bent in its plane only.
    """
    n, whole = len(inputs), inputs.shape[2:]
    flat = size[0] == 1
    extent_in = np.array([max(1, length) for length in reversed(whole)], float) / 2  # x, y, z
    extent_out = np.array(list(reversed(size)), float) / 2
    theta = np.zeros((n, 3, 4), np.float32)
    for item in range(n):
        angles = rng.normal(0, ROTATION_DEG, 3).clip(-2.5 * ROTATION_DEG, 2.5 * ROTATION_DEG)  # about x, y, z
        if flat:
            angles[:2] = 0
        turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        scale = np.exp(rng.uniform(-SCALING, SCALING, 3))
        scale[0] *= rng.choice([-1.0, 1.0])
        theta[item, :, :3] = np.diag(1 / extent_in) @ turn @ np.diag(scale * extent_out)
        theta[item, :, 3] = rng.uniform(-1, 1, 3) * np.maximum(0.03, 0.5 * (1 - extent_out / extent_in))
        if flat:
            theta[item, 2] = 0
    grid = F.affine_grid(torch.from_numpy(theta), [n, 1, *size], align_corners=False)
    coarse = rng.standard_normal((n, 3, 5, 5, 5), dtype=np.float32) * rng.uniform(0, 2, (n, 1, 1, 1, 1))
    coarse /= extent_in.reshape(1, 3, 1, 1, 1)
    if flat:
        coarse[:, 2] = 0
    bend = F.interpolate(torch.from_numpy(coarse.astype(np.float32)), size=size, mode="trilinear", align_corners=True)
    stacked = torch.cat([inputs - BACKGROUND, target], dim=1)
    warped = F.grid_sample(stacked, grid + bend.permute(0, 2, 3, 4, 1), mode="bilinear", align_corners=False)
    channels = inputs.shape[1]
    return warped[:, :channels] + BACKGROUND, warped[:, channels:].clamp(0, 1)


def recolor(inputs: Tensor, rng: np.random.Generator) -> Tensor:
    """Scale, shift, bend, shade, blur and roughen each channel for itself; the background stays what it is."""
    n, channels = inputs.shape[:2]
    brain = _brain(inputs)

    def draw(low: float, high: float) -> Tensor:
        return torch.from_numpy(rng.uniform(low, high, (n, channels, 1, 1, 1)).astype(np.float32))

    x = torch.where(brain, inputs, torch.tensor(0.0))
    # Positive values follow a power of 0.8-1.25, fixed at 3: contrast of bright against very bright.
    x = torch.where(x > 0, 3 * (x.clamp(min=1e-3) / 3) ** torch.exp(draw(-0.22, 0.22)), x * draw(0.8, 1.25))
    x = x * torch.exp(draw(-0.25, 0.25)) + draw(-0.3, 0.3)
    shading = torch.from_numpy(rng.standard_normal((n, channels, 3, 3, 3), dtype=np.float32))
    strength = draw(0, 0.4) * (draw(0, 1) < 0.4)
    x = x + F.interpolate(shading, size=x.shape[2:], mode="trilinear", align_corners=True) * strength
    for item, channel in np.argwhere(rng.random((n, channels)) < BLURRED):
        x[item, channel] = _thicken(x[item, channel], axis=int(rng.choice(3, p=(0.7, 0.15, 0.15))), rng=rng)
    noise = torch.from_numpy(rng.standard_normal(tuple(x.shape), dtype=np.float32))
    x = x + noise * draw(0, 0.25) * (draw(0, 1) < 0.5)
    return torch.where(brain, x.clamp(LOWEST, HIGHEST), torch.tensor(BACKGROUND))


def _thicken(image: Tensor, *, axis: int, rng: np.random.Generator) -> Tensor:
    """Show an image (z, y, x) as slices of 2-4 voxels along an axis would."""
    coarse = list(image.shape)
    coarse[axis] = max(1, round(coarse[axis] / rng.uniform(2, 4)))
    small = F.interpolate(image[None, None], size=coarse, mode="area")
    return F.interpolate(small, size=image.shape, mode="trilinear", align_corners=False)[0, 0]


def leave_out(inputs: Tensor, rng: np.random.Generator, *, missing: float) -> Tensor:
    """Set each channel of a crop to 0, as a missing one is, with the probability `missing`; at least one stays."""
    gone = rng.random(inputs.shape[:2]) < missing
    everything = np.flatnonzero(gone.all(axis=1))
    gone[everything, rng.integers(0, inputs.shape[1], len(everything))] = False
    return inputs * torch.from_numpy(~gone)[:, :, None, None, None]
