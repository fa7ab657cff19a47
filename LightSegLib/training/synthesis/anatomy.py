"""Labelled heads: loading, reduction to tissues, random deformation.

Arrays are (z, y, x) at 1 mm with LPS axes: z grows upward, y backward, x to the left.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage
from torch.nn import functional as F

__all__ = [
    "Head",
    "Tissue",
    "brain_mask",
    "crop_to_brain",
    "deform",
    "grid_positions",
    "load_head",
    "normalized",
    "sample",
    "smooth_field",
    "turn_and_scale",
    "warp",
    "winding_tubes",
]


class Tissue(IntEnum):
    """Tissues that are given an intensity of their own; left and right are one."""

    BACKGROUND = 0
    WHITE_MATTER = 1
    CORTEX = 2
    VENTRICLE = 3
    FLUID = 4
    THALAMUS = 5
    CAUDATE = 6
    PUTAMEN = 7
    PALLIDUM = 8
    BRAIN_STEM = 9
    HIPPOCAMPUS = 10
    AMYGDALA = 11
    ACCUMBENS = 12
    VENTRAL_DIENCEPHALON = 13
    CEREBELLAR_WHITE_MATTER = 14
    CEREBELLAR_CORTEX = 15
    VESSEL = 16
    LATERAL_VENTRICLE = 17
    CHOROID_PLEXUS = 18
    OUTSIDE = 20  # 20 + k: the k-th kind of tissue outside the brain (skull, skin, fat, muscle, eyes)


# FreeSurfer's label ids; 25 and 57 are white-matter lesions, 102-130 lie outside the brain.
FREESURFER = {
    Tissue.WHITE_MATTER: (2, 41, 25, 57, 85),
    Tissue.CORTEX: (3, 42),
    Tissue.LATERAL_VENTRICLE: (4, 5, 43, 44),
    Tissue.VENTRICLE: (14, 15),
    Tissue.FLUID: (24,),
    Tissue.THALAMUS: (10, 49),
    Tissue.CAUDATE: (11, 50),
    Tissue.PUTAMEN: (12, 51),
    Tissue.PALLIDUM: (13, 52),
    Tissue.BRAIN_STEM: (16,),
    Tissue.HIPPOCAMPUS: (17, 53),
    Tissue.AMYGDALA: (18, 54),
    Tissue.ACCUMBENS: (26, 58),
    Tissue.VENTRAL_DIENCEPHALON: (28, 60),
    Tissue.CEREBELLAR_WHITE_MATTER: (7, 46),
    Tissue.CEREBELLAR_CORTEX: (8, 47),
    Tissue.VESSEL: (30, 62),
}
LESION_IDS = (25, 57)
FIRST_OUTSIDE_ID = 100
# Closing the parenchyma by this radius fills the sulci but not the spinal canal.
SULCUS_MM = 5


@dataclass(frozen=True)
class Head:
    """One labelled head: `tissues` uint8 and `lesions` float32 in 0..1, both (z, y, x) at 1 mm."""

    tissues: np.ndarray
    lesions: np.ndarray


def load_head(path: Path) -> Head:
    """Read a label map of FreeSurfer ids and reduce it to tissues."""
    labels = sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS"))
    lookup = np.zeros(256, np.uint8)
    for tissue, ids in FREESURFER.items():
        lookup[list(ids)] = tissue
    for identifier in range(FIRST_OUTSIDE_ID, 131):
        lookup[identifier] = Tissue.OUTSIDE + (identifier - FIRST_OUTSIDE_ID)
    return Head(lookup[labels], np.isin(labels, LESION_IDS).astype(np.float32))


def brain_mask(tissues: np.ndarray) -> np.ndarray:
    """Return the brain with ventricles and the fluid in its sulci, without the spinal canal: bool (z, y, x).

    The closing is computed at 2 mm, where it takes an eighth of the time; what it adds is fluid only.
    """
    solid = (tissues > 0) & (tissues < Tissue.OUTSIDE) & (tissues != Tissue.FLUID)
    radius = SULCUS_MM / 2
    padded = np.pad(solid[::2, ::2, ::2], SULCUS_MM)
    near = ndimage.distance_transform_edt(~padded) <= radius
    closed = (ndimage.distance_transform_edt(near) > radius)[(slice(SULCUS_MM, -SULCUS_MM),) * 3]
    inner = closed.repeat(2, 0).repeat(2, 1).repeat(2, 2)[tuple(slice(n) for n in tissues.shape)]
    return solid | (inner & (tissues < Tissue.OUTSIDE))


def crop_to_brain(head: Head, *, margin: int) -> Head:
    """Crop to the solid brain with `margin` voxels around it."""
    solid = (head.tissues > 0) & (head.tissues < Tissue.OUTSIDE) & (head.tissues != Tissue.FLUID)
    box = tuple(
        slice(max(0, s.start - margin), s.stop + margin) for s in ndimage.find_objects(solid.astype(np.uint8))[0]
    )
    return Head(head.tissues[box], head.lesions[box])


def smooth_field(rng: np.random.Generator, shape: tuple[int, ...], *, scale: float, channels: int = 1) -> torch.Tensor:
    """Draw a smooth random field, about unit variance, with features of `scale` voxels: (channels, z, y, x)."""
    coarse_shape = [max(2, round(n / scale) + 1) for n in shape]
    coarse = torch.from_numpy(rng.standard_normal((1, channels, *coarse_shape), dtype=np.float32))
    return F.interpolate(coarse, size=shape, mode="trilinear", align_corners=True)[0]


def winding_tubes(rng: np.random.Generator, shape: tuple[int, ...], *, scales: tuple[float, float]) -> np.ndarray:
    """Draw a field (z, y, x) that is small along winding tubes, where two smooth fields are both near 0; at least 0."""
    one, two = (np.abs(smooth_field(rng, shape, scale=scale)[0].numpy()) for scale in scales)
    return np.maximum(one, two)


def deform(head: Head, rng: np.random.Generator, *, rotation_deg: float, scaling: float, elastic_mm: float) -> Head:
    """Draw a random rotation, scaling per axis, elastic deformation and left-right flip, and apply them."""
    shape = head.tissues.shape
    matrix = turn_and_scale(rng, rotation_deg=rotation_deg, scaling=scaling)
    if rng.random() < 0.5:
        matrix[2] *= -1  # x comes last in (z, y, x)
    position = grid_positions(shape, matrix)
    for scale in (40.0, 16.0):
        field = smooth_field(rng, shape, scale=scale, channels=3) * float(rng.uniform(0, elastic_mm)) * scale / 40
        position += field.permute(1, 2, 3, 0)
    return warp(head, position)


def turn_and_scale(rng: np.random.Generator, *, rotation_deg: float, scaling: float) -> np.ndarray:
    """Draw a rotation about each axis and a scaling along each: a 3 x 3 matrix for `grid_positions`."""
    angles = np.deg2rad(rng.uniform(-rotation_deg, rotation_deg, 3))
    matrix = np.eye(3)
    for axis, angle in enumerate(angles):
        a, b = [i for i in range(3) if i != axis]
        turn = np.eye(3)
        turn[a, a] = turn[b, b] = np.cos(angle)
        turn[a, b], turn[b, a] = -np.sin(angle), np.sin(angle)
        matrix = matrix @ turn
    return matrix @ np.diag(1 / rng.uniform(1 - scaling, 1 + scaling, 3))


def warp(head: Head, position: torch.Tensor) -> Head:
    """Take every voxel of a head from `position`, (z, y, x, 3) in voxels from the head's middle."""
    grid = normalized(position, head.tissues.shape)
    tissues = sample(torch.from_numpy(head.tissues[None].astype(np.float32)), grid, mode="nearest")
    lesions = head.lesions
    if lesions.any():
        lesions = sample(torch.from_numpy(lesions[None]), grid, mode="bilinear")[0].numpy()
    return Head(tissues[0].numpy().astype(np.uint8), lesions)


def grid_positions(shape: tuple[int, ...], matrix: np.ndarray, *, about: np.ndarray | None = None) -> torch.Tensor:
    """Return `matrix` @ (voxel - `about`) for every voxel of `shape`: float32 (z, y, x, 3); `about` is the middle."""
    middle = (np.array(shape) - 1) / 2 if about is None else about
    axes = torch.meshgrid(
        *(torch.arange(n, dtype=torch.float32) - float(m) for n, m in zip(shape, middle, strict=True)), indexing="ij"
    )
    return torch.stack(axes, dim=-1) @ torch.from_numpy(matrix.T.astype(np.float32))


def normalized(position: torch.Tensor, shape: Sequence[int]) -> torch.Tensor:
    """Turn voxels from the middle of a volume of `shape`, (z, y, x), into what `sample` takes: (x, y, z) in -1..1."""
    half = torch.tensor([(n - 1) / 2 for n in shape], dtype=torch.float32)
    return (position / half).flip(-1)


def sample(volume: torch.Tensor, grid: torch.Tensor, *, mode: str) -> torch.Tensor:
    """Sample `volume`, float32 (c, z, y, x), where `normalized` says; 0 outside."""
    return F.grid_sample(volume[None], grid[None], mode=mode, align_corners=True)[0]
