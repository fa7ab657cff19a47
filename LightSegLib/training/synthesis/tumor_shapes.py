"""Tumors that grow from a formula: rings, solid ones, low-grade ones without enhancement, small ones.

Label values: 1 necrotic and non-enhancing core, 2 edema, 3 enhancing tumor. Arrays are (z, y, x) at 1 mm.
"""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from LightSegLib.training.synthesis.anatomy import grid_positions, smooth_field

__all__ = ["KINDS", "grow", "thin_out"]

KINDS = ("ring", "solid", "low_grade", "small")
MOST_EDEMA_MM = 20.0  # around the core, before it creeps along white matter


def grow(kind: str, shape: tuple[int, ...], center: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a tumor about `center`, (z, y, x) in voxels: uint8 labels of `shape`.

    "ring": a core with an enhancing rim of 1.5-7 mm, with gaps or without, in edema; "solid": enhancing nearly
    throughout; "low_grade": no enhancement, the core from nothing to nearly all; "small": any of these of 3-9 mm
    radius.
    """
    small = kind == "small"
    if small:
        kind = str(rng.choice(("ring", "solid", "low_grade"), p=(0.4, 0.3, 0.3)))
    radius = rng.uniform(3, 9) if small else rng.uniform(10, 27) if kind != "low_grade" else rng.uniform(14, 38)
    mm = _distance_from(center, shape, radius, rng)
    if kind == "low_grade":
        share = rng.choice([0.0, rng.uniform(0.4, 0.75), rng.uniform(0.8, 0.97)], p=(0.3, 0.2, 0.5))
        labels = np.where(mm < radius, np.uint8(2), np.uint8(0))
        rough = smooth_field(rng, shape, scale=6)[0].numpy() * rng.uniform(0, 2)
        labels[mm + rough < radius * share] = 1
        return labels
    reach = float(np.exp(rng.uniform(np.log(4), np.log(40)))) * (0.2 if small else 1)
    spread = smooth_field(rng, shape, scale=rng.uniform(15, 30))[0].numpy()
    edema = (reach * (1 + 0.8 * spread).clip(0, 2.5)).clip(0, MOST_EDEMA_MM)
    labels = np.where(mm < radius + edema, np.uint8(2), np.uint8(0))
    labels[mm < radius] = 3
    thickness = rng.uniform(1.5, 7) if kind == "ring" else rng.uniform(0.6, 1.2) * radius
    uneven = smooth_field(rng, shape, scale=rng.uniform(6, 14))[0].numpy()
    fine = smooth_field(rng, shape, scale=3)[0].numpy()
    labels[mm < radius - thickness * (1 + 0.5 * uneven + 0.25 * fine).clip(0.25)] = 1
    return labels


def thin_out(labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let patches of a tumor's enhancement, or all of it, become non-enhancing core."""
    patches = smooth_field(rng, labels.shape, scale=rng.uniform(6, 15))[0].numpy() > rng.uniform(-0.9, 0.4)
    lost = np.ones_like(patches) if rng.random() < 0.4 else patches
    return np.where((labels == 3) & lost, np.uint8(1), labels)


def _distance_from(center: np.ndarray, shape: tuple[int, ...], radius: float, rng: np.random.Generator) -> np.ndarray:
    """Distance in mm from the middle of a bumpy ellipsoid, scaled so that its surface is at `radius`."""
    turn = Rotation.random(random_state=int(rng.integers(2**31))).as_matrix()
    axes = np.exp(rng.uniform(-0.3, 0.3, 3))
    offset = grid_positions(shape, np.diag(1 / axes) @ turn, about=center)
    mm = offset.square().sum(dim=-1).sqrt().numpy()
    mm += smooth_field(rng, shape, scale=max(5.0, radius * 0.8))[0].numpy() * radius * rng.uniform(0.1, 0.3)
    return mm + smooth_field(rng, shape, scale=4)[0].numpy() * min(1.5, radius * 0.15)
