"""The optimizer and its learning rate."""

from __future__ import annotations

import math

import torch
from torch import nn

from LightSegLib.training.recipe import OptimizerSettings

__all__ = ["build_adamw", "learning_rate"]


def learning_rate(settings: OptimizerSettings, *, step: int, progress: float) -> float:
    """Return the learning rate of a step (counted from 0): linear warmup times a cosine over the progress 0..1."""
    rate = settings.lr * min(1.0, (step + 1) / max(1, settings.warmup_steps))
    if settings.schedule == "constant":
        return rate
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))
    return rate * (settings.final_lr + (1 - settings.final_lr) * cosine)


def build_adamw(network: nn.Module, settings: OptimizerSettings) -> torch.optim.AdamW:
    """Return AdamW over the network's parameters (Loshchilov and Hutter 2019)."""
    # Biases and norm scales are not decayed: pulling a scale to zero fights the normalization, not overfitting.
    decayed = [p for p in network.parameters() if p.requires_grad and p.ndim > 1]
    free = [p for p in network.parameters() if p.requires_grad and p.ndim <= 1]
    groups = [
        {"params": decayed, "weight_decay": settings.weight_decay},
        {"params": free, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([group for group in groups if group["params"]], lr=settings.lr, foreach=True)
