"""The losses are what their docstrings say."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")

from LightSegLib.errors import RecipeError  # noqa: E402
from LightSegLib.training.losses import (  # noqa: E402
    DICE_SMOOTH,
    LOSSES,
    bce_dice,
    build_loss,
    l2_dice,
    soft_dice,
    soft_dice_per_batch,
)

# One item of two voxels. The logits ln 3 and 0 have the probabilities P = 3/4 and 1/2, as sigmoids and, against a
# background channel of zeros, as softmaxes; the target G is the first voxel.
FOREGROUND = torch.tensor([math.log(3), 0.0], dtype=torch.float64).view(1, 1, 1, 2)
TARGET = torch.tensor([1.0, 0.0], dtype=torch.float64).view(1, 1, 1, 2)
# Foreground: <P, G> = 3/4, |P|^2 = 13/16, |G - P|^2 = 5/16. Background, P = (1/4, 1/2) and G = (0, 1): <P, G> = 1/2,
# |P|^2 = 5/16, |G - P|^2 = 5/16.
BY_HAND = {
    "bce_dice": (math.log(4 / 3) + math.log(2)) / 2 + 3 / 49,
    "dice": 1 - (2 * 3 / 4 + 10) / (5 / 4 + 1 + 10),  # 3/49
    "soft_dice_sigmoid": 1 - (2 * 3 / 4 + 1) / (13 / 16 + 1 + 1),  # 1/9
    "soft_dice_softmax": 1 - (2 * 5 / 4 + 1) / (18 / 16 + 2 + 1),  # 5/33
    "l2_dice_sigmoid": (5 / 16) / (1 + 13 / 16),  # 5/29
    "l2_dice_softmax": (5 / 29 + 5 / 21) / 2,  # channels averaged
}


def hand_made(name: str) -> tuple[torch.Tensor, torch.Tensor]:
    """The two voxels as the loss of that name takes them: with a background channel for a softmax."""
    if not name.endswith("softmax"):
        return FOREGROUND, TARGET
    return torch.cat([torch.zeros_like(FOREGROUND), FOREGROUND], 1), torch.cat([1 - TARGET, TARGET], 1)


@pytest.mark.parametrize("name", LOSSES)
def test_losses_have_the_value_computed_by_hand(name):
    # 1e-6: L2_DICE_EPSILON moves a ratio of numbers near 1 by less than 1e-7
    assert build_loss(name)(*hand_made(name)).item() == pytest.approx(BY_HAND[name], abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
def test_gradients_are_those_of_the_formula(name):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn((2, 3, 2, 4), generator=generator, dtype=torch.float64, requires_grad=True)
    labels = torch.randint(3, (2, 2, 4), generator=generator)
    target = torch.nn.functional.one_hot(labels, 3).movedim(-1, 1).double()
    assert torch.autograd.gradcheck(lambda x: build_loss(name)(x, target), logits)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_soft_dice_sums_over_channels_and_space_and_averages_over_the_batch(activation):
    generator = torch.Generator().manual_seed(0)
    shape = (3, 2, 4, 5, 6)
    logits, target = torch.randn(shape, generator=generator), torch.rand(shape, generator=generator)
    items = [soft_dice(logits[i : i + 1], target[i : i + 1], activation=activation) for i in range(3)]
    assert torch.allclose(soft_dice(logits, target, activation=activation), torch.stack(items).mean())
    p, g = (torch.softmax(logits, 1) if activation == "softmax" else torch.sigmoid(logits))[0], target[0]
    assert torch.allclose(items[0], 1 - (2 * torch.sum(p * g) + 1) / (p.norm() ** 2 + g.norm() ** 2 + 1))


def test_l2_dice_sums_over_space_and_averages_over_batch_and_channels():
    generator = torch.Generator().manual_seed(0)
    shape = (3, 2, 4, 5)
    logits, target = torch.randn(shape, generator=generator), torch.rand(shape, generator=generator)
    p = torch.sigmoid(logits)
    expected = [
        (g - q).norm() ** 2 / (g.norm() ** 2 + q.norm() ** 2)
        for g, q in zip(target.flatten(0, 1), p.flatten(0, 1), strict=True)
    ]
    assert torch.allclose(l2_dice(logits, target, activation="sigmoid"), torch.stack(expected).mean())


def test_an_empty_target_leaves_soft_dice_a_gradient_and_l2_dice_none():
    for loss, slope in ((soft_dice, 1e-2), (l2_dice, 0.0)):
        logits = torch.zeros(1, 1, 4, 4, requires_grad=True)  # |P|^2 = 16 / 4 = 4
        value = loss(logits, torch.zeros_like(logits), activation="sigmoid")
        value.backward()
        assert value.item() == pytest.approx(4 / 5 if loss is soft_dice else 1.0, abs=1e-6)
        # soft Dice: 2 P P' / (|P|^2 + 1)^2 = 2 x 1/2 x 1/4 / 25 a voxel
        assert torch.allclose(logits.grad, torch.full_like(logits, slope), atol=1e-6)
        vanished = torch.full_like(logits, -50.0)
        assert loss(vanished, torch.zeros_like(logits), activation="sigmoid").item() < 1e-6


@pytest.mark.parametrize("loss", [soft_dice, l2_dice])
def test_a_softmax_over_one_channel_is_refused(loss):
    with pytest.raises(ValueError, match="softmax needs at least 2 channels, background being one, got 1"):
        loss(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4))


@pytest.mark.parametrize("shape", [(3, 2, 8, 9), (2, 1, 4, 5, 6)])
def test_dice_takes_its_sums_over_the_batch(shape):
    generator = torch.Generator().manual_seed(0)
    logits, target = torch.randn(shape, generator=generator), torch.rand(shape, generator=generator)
    expected = []
    for channel in range(shape[1]):
        p, t = torch.sigmoid(logits[:, channel]), target[:, channel]
        expected.append(1 - (2 * (p * t).sum() + DICE_SMOOTH) / (p.sum() + t.sum() + DICE_SMOOTH))
    assert torch.allclose(soft_dice_per_batch(logits, target), torch.stack(expected).mean())


@pytest.mark.parametrize("name", LOSSES)
def test_a_perfect_prediction_costs_nothing_and_the_worst_much(name):
    target = torch.zeros(2, 2, 16, 16)
    target[:, 1, 4:9, 4:9] = 1
    target[:, 0] = 1 - target[:, 1]  # one-hot, as the softmax losses need
    perfect = (target * 2 - 1) * 50
    assert build_loss(name)(perfect, target) < 1e-6
    assert build_loss(name)(-perfect, target) > 0.8


def test_an_empty_batch_has_a_finite_gradient():
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    bce_dice(logits, torch.zeros_like(logits)).backward()
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0


def test_an_unknown_loss_lists_the_known():
    with pytest.raises(RecipeError, match="unknown loss 'focal'; known: bce_dice, dice, soft_dice_softmax, "):
        build_loss("focal")
