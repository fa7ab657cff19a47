"""The losses are what their docstrings say."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from LightSegLib.errors import RecipeError  # noqa: E402
from LightSegLib.training.losses import DICE_SMOOTH, LOSSES, bce_dice, build_loss, soft_dice_per_batch  # noqa: E402


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
    target = torch.zeros(2, 1, 16, 16)
    target[:, :, 4:9, 4:9] = 1
    perfect = (target * 2 - 1) * 50
    assert build_loss(name)(perfect, target) < 1e-6
    assert build_loss(name)(-perfect, target) > 0.8


def test_an_empty_batch_has_a_finite_gradient():
    logits = torch.zeros(2, 1, 8, 8, requires_grad=True)
    bce_dice(logits, torch.zeros_like(logits)).backward()
    assert torch.isfinite(logits.grad).all() and logits.grad.abs().sum() > 0


def test_an_unknown_loss_lists_the_known():
    with pytest.raises(RecipeError, match="unknown loss 'focal'; known: bce_dice, dice"):
        build_loss("focal")
