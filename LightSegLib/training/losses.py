"""Training losses on logits, for small foregrounds and soft targets."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from LightSegLib.errors import RecipeError

__all__ = ["LOSSES", "Loss", "bce_dice", "build_loss", "l2_dice", "soft_dice", "soft_dice_per_batch"]

Loss = Callable[[Tensor, Tensor], Tensor]
# What makes probabilities of logits: softmax over channels that exclude each other, sigmoid in channels that may nest.
Activation = Literal["softmax", "sigmoid"]

# Voxels added to both sides of the Dice ratio, so that a batch without foreground has a defined, gentle gradient.
DICE_SMOOTH = 10.0
# The low-rank paper's "additive smoothing", equation (4): 1 in numerator and denominator.
SOFT_DICE_SMOOTH = 1.0
# Keeps 0 / 0 out of L2-Dice where target and prediction are both zero. PocketNet's equation (4) has no such term; the
# authors' published training adds this one.
L2_DICE_EPSILON = 1e-7


def soft_dice_per_batch(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1 - soft Dice, its sums taken over the whole batch, averaged over the output channels.

    Both (n, k, *spatial); target in 0..1. Summing over the batch before dividing keeps slices with a handful of
    lesion voxels, or none, from dominating (Kodym et al. 2018, "batch Dice", as nnU-Net's 2D configuration).
    The sums run over the batch and all spatial axes, each channel apart. A channel without target in the whole batch
    costs S / (S + 10), S being the sum of its probabilities: 0 for an empty prediction.
    """
    dims = (0, *range(2, logits.ndim))
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum(dims)
    total = probability.sum(dims) + target.sum(dims)
    return 1 - ((2 * overlap + DICE_SMOOTH) / (total + DICE_SMOOTH)).mean()


def bce_dice(logits: Tensor, target: Tensor) -> Tensor:
    """Return 1.0 x mean binary cross-entropy + 1.0 x (1 - soft Dice per batch); both (n, k, *spatial), target 0..1.

    The mean runs over batch, channels and space. An empty target leaves both terms defined: the loss is 0 for an empty
    prediction.
    """
    return functional.binary_cross_entropy_with_logits(logits, target) + soft_dice_per_batch(logits, target)


def soft_dice(logits: Tensor, target: Tensor, *, activation: Activation = "softmax") -> Tensor:
    """Return 1 - (2 <P, G> + 1) / (|P|^2 + |G|^2 + 1) of the probabilities P and the target G, averaged over the batch.

    Both (n, k, *spatial); target in 0..1, one-hot over the channels for "softmax". The dot product and the squared
    Frobenius norms run over the channels and all spatial axes of an item together, as the paper's tensors do, so that
    large labels weigh more than small ones. An item whose target is empty costs |P|^2 / (|P|^2 + 1): 0 for an empty
    prediction, with a gradient that pulls P to it. With "softmax" no target is empty, as background is a channel.

    ValueError for a softmax over one channel. Source: low-rank paper (Ashtari et al. 2020), equation (4), after V-Net.
    """
    probability = _probability(logits, activation)
    dims = tuple(range(1, logits.ndim))
    overlap = (probability * target).sum(dims)
    squares = probability.square().sum(dims) + target.square().sum(dims)
    return 1 - ((2 * overlap + SOFT_DICE_SMOOTH) / (squares + SOFT_DICE_SMOOTH)).mean()


def l2_dice(logits: Tensor, target: Tensor, *, activation: Activation = "softmax") -> Tensor:
    """Return |G - P|^2 / (|G|^2 + |P|^2) of the target G and the probabilities P, averaged over batch and channels.

    Both (n, k, *spatial); target in 0..1, one-hot over the channels for "softmax". The sums run over the spatial axes
    of one channel of one item: the equation names no axes, the authors' published training sums so. A channel whose
    target is empty in an item costs 1 whatever is predicted there, with next to no gradient, until the prediction
    vanishes (|P|^2 well below L2_DICE_EPSILON), which costs 0; so this loss needs foreground in most items.

    ValueError for a softmax over one channel. Source: PocketNet paper (Celaya et al. 2021), equation (4).
    """
    probability = _probability(logits, activation)
    dims = tuple(range(2, logits.ndim))
    difference = (target - probability).square().sum(dims)
    squares = target.square().sum(dims) + probability.square().sum(dims)
    return (difference / (squares + L2_DICE_EPSILON)).mean()


LOSSES: dict[str, Loss] = {
    "bce_dice": bce_dice,
    "dice": soft_dice_per_batch,
    "soft_dice_softmax": partial(soft_dice, activation="softmax"),
    "soft_dice_sigmoid": partial(soft_dice, activation="sigmoid"),
    "l2_dice_softmax": partial(l2_dice, activation="softmax"),
    "l2_dice_sigmoid": partial(l2_dice, activation="sigmoid"),
}


def build_loss(name: str) -> Loss:
    """Return the loss of that name; RecipeError lists the known ones."""
    try:
        return LOSSES[name]
    except KeyError:
        raise RecipeError(f"unknown loss {name!r}; known: {', '.join(LOSSES)}") from None


def _probability(logits: Tensor, activation: Activation) -> Tensor:
    if activation == "sigmoid":
        return torch.sigmoid(logits)
    if logits.shape[1] < 2:
        raise ValueError(f"softmax needs at least 2 channels, background being one, got {logits.shape[1]}")
    return torch.softmax(logits, dim=1)
