"""Synthetic anatomy above and below a real stack of slices that ends where the liver ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import ndimage

from LightSegLib.preprocess.ct import AIR_HU
from LightSegLib.training.synthesis.ct_anatomy import SPACING_MM

__all__ = ["pad_stack"]

BODY_HU = -300.0  # fat and all that is denser
LARGEST_SCALING = 1.5


def pad_stack(
    stack: np.ndarray, spacing_mm: Sequence[float], body: np.ndarray, liver: np.ndarray
) -> tuple[np.ndarray, int]:
    """Put the slices below and above a synthetic body's liver below and above a real stack.

    `stack` is (z, y, x) in Hounsfield units, feet first, with `spacing_mm` (z, y, x); `body` is a whole trunk and
    `liver` its mask, (z, y, x) at 2 mm. The added slices are scaled in plane so that the bodies are as wide and deep
    where they meet, and clipped to the range of the stack. Returns the stack with them, float32, and how many slices
    lie below it. ValueError if the body has no liver.
    """
    levels = np.flatnonzero(liver.any(axis=(1, 2)))
    if not len(levels):
        raise ValueError("the body has no liver, so nothing tells what lies below and above it")
    below = _fitted(body[: levels[0]], -1, stack, 0, spacing_mm)
    above = _fitted(body[levels[-1] + 1 :], 0, stack, -1, spacing_mm)
    low, high = float(stack.min()), float(stack.max())
    padded = np.concatenate([below.clip(low, high), stack, above.clip(low, high)]).astype(np.float32)
    return padded, len(below)


def _fitted(part: np.ndarray, meets: int, stack: np.ndarray, at: int, spacing_mm: Sequence[float]) -> np.ndarray:
    """Sample a part of a body on the grid of the stack, so that its slice `meets` fits the stack's slice `at`."""
    height = int(len(part) * SPACING_MM / spacing_mm[0])
    if not height:
        return np.empty((0, *stack.shape[1:]), np.float32)
    matrix, offset = [spacing_mm[0] / SPACING_MM], [0.0]
    for axis in (0, 1):
        ours, theirs = _extent(part[meets], axis), _extent(stack[at], axis)
        step = (ours[1] - ours[0]) / max(theirs[1] - theirs[0], 1.0)
        usual = spacing_mm[axis + 1] / SPACING_MM
        step = float(np.clip(step, usual / LARGEST_SCALING, usual * LARGEST_SCALING))
        matrix.append(step)
        offset.append((ours[0] + ours[1]) / 2 - step * (theirs[0] + theirs[1]) / 2)
    shape = (height, *stack.shape[1:])
    return ndimage.affine_transform(part, matrix, offset, shape, order=1, mode="constant", cval=AIR_HU)


def _extent(slice_: np.ndarray, axis: int) -> tuple[float, float]:
    """Return the first and the last index of the body along an axis of an axial slice; all of it if there is none."""
    groups, count = ndimage.label(ndimage.binary_opening(slice_ > max(BODY_HU, slice_.min() + 1), iterations=2))
    if not count:
        return 0.0, float(slice_.shape[axis] - 1)
    body = groups == 1 + int(np.argmax(np.bincount(groups.ravel())[1:]))
    found = np.flatnonzero(body.any(axis=1 - axis))
    return float(found[0]), float(found[-1])
