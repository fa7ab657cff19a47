"""Training losses on logits, for small foregrounds and soft targets."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from LightSegLib.errors import RecipeError

__all__ = ["LOSSES", "Loss", "bce_dice", "build_loss", "soft_dice_per_batch"]

Loss = Callable[[Tensor, Tensor], Tensor]

# Voxels added to both sides of the Dice ratio, so that a batch without foreground has a defined, gentle gradient.
DICE_SMOOTH = 10.0


def soft_dice_per_batch(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1 - soft Dice, its sums taken over the whole batch, averaged over the output channels.

    Both (n, k, *spatial); target in 0..1. Summing over the batch before dividing keeps slices with a handful of
    lesion voxels, or none, from dominating (Kodym et al. 2018, "batch Dice", as nnU-Net's 2D configuration).
    """
    dims = (0, *range(2, logits.ndim))
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum(dims)
    total = probability.sum(dims) + target.sum(dims)
    return 1 - ((2 * overlap + DICE_SMOOTH) / (total + DICE_SMOOTH)).mean()


def bce_dice(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1.0 x mean binary cross-entropy + 1.0 x (1 - soft Dice per batch); both (n, k, *spatial), target 0..1."""
    return functional.binary_cross_entropy_with_logits(logits, target) + soft_dice_per_batch(logits, target)


LOSSES: dict[str, Loss] = {"bce_dice": bce_dice, "dice": soft_dice_per_batch}


def build_loss(name: str) -> Loss:
    """Return the loss of that name; RecipeError lists the known ones."""
    try:
        return LOSSES[name]
    except KeyError:
        raise RecipeError(f"unknown loss {name!r}; known: {', '.join(LOSSES)}") from None
