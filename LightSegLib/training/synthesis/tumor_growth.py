"""What a tumor does to the brain around it: it pushes tissue aside, and its edema creeps along white matter.

Arrays are (z, y, x) at 1 mm; distances are computed at 2 mm, far finer than what is drawn at random.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy import ndimage
from torch.nn import functional as F

from LightSegLib.training.synthesis.anatomy import Head, Tissue, grid_positions, smooth_field, warp
from LightSegLib.training.synthesis.lesions import WHITE

__all__ = ["Cavity", "draw_cavity", "infiltrate", "middle_for_tumor", "push_aside", "signed_distance", "to_fine"]

STEP = 2  # voxels of 1 mm between those at which distances are computed
FLUID_SPACES = (Tissue.FLUID, Tissue.VENTRICLE, Tissue.LATERAL_VENTRICLE, Tissue.CHOROID_PLEXUS)
# Behind the tentorium, which gliomas of the cerebrum do not cross.
BEHIND = (Tissue.CEREBELLAR_WHITE_MATTER, Tissue.CEREBELLAR_CORTEX)
NO_PLACE = (*FLUID_SPACES, Tissue.BACKGROUND, Tissue.VESSEL)


@dataclass(frozen=True)
class Cavity:
    """What is left of a tumor after its resection; bool (z, y, x)."""

    inside: np.ndarray
    border: np.ndarray  # thin scar around it, which may take up contrast and is no tumor


def signed_distance(mask: np.ndarray) -> np.ndarray:
    """Distance to the border of a mask in mm, negative inside, on every second voxel; far away if it is empty."""
    coarse = mask[::STEP, ::STEP, ::STEP]
    if not coarse.any():
        return np.full(coarse.shape, 1e3, np.float32)
    outside, inside = ndimage.distance_transform_edt(~coarse), ndimage.distance_transform_edt(coarse)
    return ((outside - inside) * STEP).astype(np.float32)


def to_fine(coarse: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Interpolate what is known on every second voxel: float32 of `shape`."""
    tensor = torch.from_numpy(np.ascontiguousarray(coarse, np.float32))[None, None]
    known = [STEP * (n - 1) + 1 for n in coarse.shape]
    fine = F.interpolate(tensor, size=known, mode="trilinear", align_corners=True)
    missing = [n - k for n, k in zip(shape, known, strict=True)]
    return F.pad(fine, (0, missing[2], 0, missing[1], 0, missing[0]), mode="replicate")[0, 0].numpy()


def middle_for_tumor(tissues: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw where a tumor's middle may be, (z, y, x): in the cerebrum, in white matter three times of four."""
    kinds = (Tissue.WHITE_MATTER,) if rng.random() < 0.75 else (Tissue.CORTEX, Tissue.THALAMUS, Tissue.PUTAMEN)
    candidates = np.argwhere(np.isin(tissues[::STEP, ::STEP, ::STEP], kinds)) * STEP
    if not len(candidates):
        candidates = np.argwhere(tissues > 0)
    return candidates[rng.integers(len(candidates))].astype(float)


def push_aside(
    head: Head, labels: np.ndarray, brain: np.ndarray, rng: np.random.Generator, *, most_mm: float = 14.0
) -> Head:
    """Displace a head's tissue outward around the tumor's core, which had grown from a smaller seed.

    The displacement is largest at the core's surface, fades over 12-35 mm and toward the surface of the brain, which
    stays where it is. What grows without a core pushes little. Sulci and cisterns close to the tumor are squeezed shut.
    """
    shape = labels.shape
    core = (labels == 1) | (labels == 3)
    mass = core if core.sum() > 500 else labels > 0
    radius = float(np.cbrt(mass.sum() * 3 / (4 * np.pi)))
    amount = min(most_mm, radius * 0.55) * rng.uniform(0, 1) * (1.0 if mass is core else 0.4)
    distance = ndimage.gaussian_filter(signed_distance(mass), 2.5, truncate=3)
    depth = -signed_distance(brain)
    outward = np.stack(np.gradient(distance, STEP))
    outward /= np.maximum(np.linalg.norm(outward, axis=0), 0.3)
    strength = amount * np.exp(-distance.clip(0) / rng.uniform(12, 35)) * (depth / 15).clip(0, 1)
    position = grid_positions(shape, np.eye(3))
    for axis in range(3):
        position[..., axis] -= torch.from_numpy(to_fine(outward[axis] * strength, shape))
    pushed = warp(head, position)
    if rng.random() < 0.7:
        near = to_fine(distance, shape) < rng.uniform(2, 12)
        squeezed = near & brain & (pushed.tissues == Tissue.FLUID)
        pushed = Head(np.where(squeezed, np.uint8(Tissue.CORTEX), pushed.tissues), pushed.lesions)
    return pushed


def infiltrate(labels: np.ndarray, tissues: np.ndarray, brain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Fit a planned tumor to a head: uint8 labels inside the brain, with edema that follows the white matter.

    Edema reaches up to 9 mm further in white matter and less far in gray matter than planned, spares fluid, and is
    rough at its border. The core replaces what was there, though mostly not ventricles and cerebellum.
    """
    shape = labels.shape
    white = ndimage.gaussian_filter(np.isin(tissues, WHITE)[::STEP, ::STEP, ::STEP].astype(np.float32), 1.5)
    gain = rng.uniform(0, 9)
    margin = signed_distance(labels > 0) - gain * (2 * white - 0.8)
    rough = smooth_field(rng, shape, scale=rng.uniform(5, 12))[0].numpy() * rng.uniform(0, 2.5)
    solid = brain if rng.random() < 0.1 else brain & ~np.isin(tissues, BEHIND)
    room = solid & ~np.isin(tissues, NO_PLACE)
    core = (labels == 1) | (labels == 3)
    fitted = np.where(room & (to_fine(margin, shape) + rough < 0), np.uint8(2), np.uint8(0))
    if not (labels == 2).any():
        fitted[:] = 0
    if rng.random() < 0.7:
        solid = solid & ~np.isin(tissues, (Tissue.LATERAL_VENTRICLE, Tissue.VENTRICLE, Tissue.CHOROID_PLEXUS))
    return np.where(core & solid, labels, fitted)


def draw_cavity(head: Head, brain: np.ndarray, rng: np.random.Generator) -> Cavity:
    """Draw a resection cavity of 8-24 mm radius at the surface of the cerebrum, with a border of 1-2 mm."""
    cortex = np.argwhere((head.tissues == Tissue.CORTEX)[::STEP, ::STEP, ::STEP]) * STEP
    if not len(cortex):
        nothing = np.zeros(brain.shape, bool)
        return Cavity(nothing, nothing)
    center = cortex[rng.integers(len(cortex))]
    mm = grid_positions(brain.shape, np.diag(np.exp(rng.uniform(-0.25, 0.25, 3))), about=center)
    distance = mm.square().sum(dim=-1).sqrt().numpy()
    distance += smooth_field(rng, brain.shape, scale=12)[0].numpy() * rng.uniform(2, 5)
    radius = rng.uniform(8, 24)
    inside = brain & (distance < radius)
    return Cavity(inside, brain & ~inside & (distance < radius + rng.uniform(1, 2.5)))
