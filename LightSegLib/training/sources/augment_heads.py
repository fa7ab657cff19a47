"""Random crops of heads, turned, scaled, mirrored, and with other contrast, shading and noise."""

from __future__ import annotations

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch.nn import functional as F

from LightSegLib.preprocess.head import HIGHEST

__all__ = ["crop_head"]

ROTATION_DEG = 12.0
SCALING = 0.12


def crop_head(
    image: np.ndarray, brain: np.ndarray, crop: tuple[int, int, int], rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cut a crop (z, y, x) out of a head: (image, brain), float32 in 0..`HIGHEST` and 0..1.

    `image` is float32 as `preprocess.head.scale_head` leaves it, `brain` the share of a voxel that is brain, both
    (z, y, x). Where the crop reaches beyond the head there is air.
    """
    stacked = torch.from_numpy(np.stack([image, brain]))[None]
    theta = torch.from_numpy(_placement(image.shape, crop, rng))[None]
    grid = F.affine_grid(theta, [1, 1, *crop], align_corners=False)
    x, y = F.grid_sample(stacked, grid, mode="bilinear", padding_mode="zeros", align_corners=False)[0]
    return _recolor(x, rng).numpy(), y.numpy()


def _placement(shape: tuple[int, ...], crop: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    """Draw the affine map from the crop's coordinates to the head's, both -1..1 and (x, y, z): float32 (3, 4)."""
    size, extent = np.array(shape[::-1], float), np.array(crop[::-1], float)
    reach = np.abs(size - extent) / 2
    center = size / 2 + rng.uniform(-reach, reach)
    turn = Rotation.from_euler("xyz", rng.uniform(-ROTATION_DEG, ROTATION_DEG, 3), degrees=True).as_matrix()
    scale = rng.uniform(1 - SCALING, 1 + SCALING, 3)
    scale[0] *= rng.choice([-1, 1])
    linear = turn @ np.diag(scale * extent / 2)
    return np.column_stack([np.diag(2 / size) @ linear, 2 * center / size - 1]).astype(np.float32)


def _recolor(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    if rng.random() < 0.5:
        x = (x.clamp(min=0) / HIGHEST) ** float(rng.uniform(0.7, 1.4)) * HIGHEST
    if rng.random() < 0.5:
        coarse = torch.from_numpy(rng.standard_normal((1, 1, 3, 3, 3), dtype=np.float32))
        shading = F.interpolate(coarse, size=x.shape, mode="trilinear", align_corners=True)[0, 0]
        x = x * torch.exp(shading * float(rng.uniform(0, 0.3)))
    if rng.random() < 0.3:
        x = x + torch.from_numpy(rng.standard_normal(tuple(x.shape), dtype=np.float32)) * float(rng.uniform(0, 0.1))
    return (x * float(rng.uniform(0.75, 1.3))).clamp(0, HIGHEST)
