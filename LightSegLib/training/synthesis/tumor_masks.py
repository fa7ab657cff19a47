"""Real glioma masks: read, placed into a head with another position, size and shape, compared with real cases.

Label values: 1 necrotic and non-enhancing core, 2 edema, 3 enhancing tumor. Arrays are (z, y, x) with LPS axes.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch
from scipy import ndimage
from scipy.spatial.transform import Rotation

from LightSegLib.training.synthesis.anatomy import grid_positions, normalized, sample, smooth_field

__all__ = ["MOST_OVERLAP", "TumorMasks", "common_space", "largest_overlap", "place", "read_labels"]

# The median size of the brain's box in the 240 x 240 x 155 voxels of the masks, in mm, (z, y, x).
MASKS_BRAIN = (137, 170, 136)
# A mask that overlaps a real case's whole tumor by a higher Dice could be the same patient's.
MOST_OVERLAP = 0.85
# Brains are compared on a grid of this size, which their boxes are stretched to: about 3 mm a voxel.
COMMON_SHAPE = (48, 56, 46)


class TumorMasks:
    """A folder of real glioma label maps."""

    def __init__(self, folder: Path) -> None:
        """Find `*.nii.gz` in `folder`; FileNotFoundError if there is none."""
        self.paths = sorted(folder.glob("*.nii.gz"))
        if not self.paths:
            raise FileNotFoundError(f"no *.nii.gz in {folder}")

    def draw(self, rng: np.random.Generator) -> np.ndarray:
        """Return the label map of one random patient, uint8 (z, y, x)."""
        return read_labels(self.paths[rng.integers(len(self.paths))])


def read_labels(path: Path) -> np.ndarray:
    """Read a label map with LPS axes: uint8 (z, y, x)."""
    return sitk.GetArrayFromImage(sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")).astype(np.uint8)


def place(labels: np.ndarray, brain: np.ndarray, center: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Bring a real tumor into another head: its middle to `center`, mirrored or not, turned, resized and bent.

    `labels` are in the masks' space; `brain` is the head's mask, whose shape (z, y, x) the result has; `center` is
    (z, y, x) in voxels of the head.
    """
    box = _box(brain)
    ratio = np.array([n / (s.stop - s.start) for n, s in zip(MASKS_BRAIN, box, strict=True)])
    middle = np.argwhere(labels[::2, ::2, ::2] > 0).mean(axis=0) * 2
    turn = Rotation.from_euler("zyx", rng.uniform(-20, 20, 3), degrees=True).as_matrix()
    size = rng.uniform(0.8, 1.2, 3) * rng.uniform(0.8, 1.15)
    matrix = np.diag(ratio / size) @ turn
    if rng.random() < 0.5:
        matrix[2] *= -1  # x comes last in (z, y, x)
    position = grid_positions(brain.shape, matrix, about=center)
    for scale in (25.0, 10.0):
        field = smooth_field(rng, brain.shape, scale=scale, channels=3) * float(rng.uniform(0.1, 0.3) * scale / 2)
        position += field.permute(1, 2, 3, 0)
    position += torch.from_numpy((middle - (np.array(labels.shape) - 1) / 2).astype(np.float32))
    volume = torch.from_numpy(labels[None].astype(np.float32))
    return sample(volume, normalized(position, labels.shape), mode="nearest")[0].numpy().astype(np.uint8)


def common_space(tumor: np.ndarray, brain_box: Sequence[slice]) -> np.ndarray:
    """Stretch the box of a brain to `COMMON_SHAPE` and return the tumor in it, bool; both orientations LPS."""
    axes = [
        np.clip(np.rint(np.linspace(s.start, s.stop - 1, n)).astype(int), 0, length - 1)
        for s, n, length in zip(brain_box, COMMON_SHAPE, tumor.shape, strict=True)
    ]
    return tumor[np.ix_(*axes)] > 0


def largest_overlap(tumor: np.ndarray, others: Sequence[np.ndarray]) -> float:
    """Return the highest Dice of a tumor with any of the others or their mirror images; all in `common_space`."""
    best = 0.0
    for other in others:
        for one in (other, other[:, :, ::-1]):
            total = int(tumor.sum()) + int(one.sum())
            best = max(best, 2 * int((tumor & one).sum()) / total if total else 0.0)
    return best


def _box(mask: np.ndarray) -> tuple[slice, ...]:
    return ndimage.find_objects(mask.view(np.uint8))[0]
