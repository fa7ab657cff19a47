"""A toy source and network for the tests of the training system; as a program: a training run to be killed."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn

RECIPE = """
[run]
name = "toy"
seed = 3
steps = {steps}
threads = 1
workers = {workers}
report_every = 10

[network]
name = "acu"
in_channels = 1
out_channels = 1

[source]
kind = "toy"

[optimizer]
lr = 0.02
warmup_steps = 5

[ema]
decay = 0.9
norm_batches = 4

[checkpoint]
every_steps = 5
"""


class ToySource:
    """Squares of random size on noise, deterministic in (seed, index)."""

    def __init__(self, *, seed: int = 0, pause_s: float = 0.0) -> None:
        self.seed, self.pause_s = seed, pause_s

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return (4, 1, 24, 24) twice."""
        time.sleep(self.pause_s)
        random = np.random.default_rng((self.seed, index))
        target = np.zeros((4, 1, 24, 24), np.float32)
        for image in target:
            y, x, size = random.integers(2, 14), random.integers(2, 14), random.integers(3, 9)
            image[:, y : y + size, x : x + size] = 1
        return (target + random.normal(0, 0.3, target.shape)).astype(np.float32), target


def toy_network() -> nn.Module:
    """A few layers with batch norm and dropout, so that all that must be resumed is there."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(8, 1, 3, padding=1)
    )


if __name__ == "__main__":
    from LightSegLib.training.loop import train
    from LightSegLib.training.recipe import parse_recipe

    train(
        parse_recipe(RECIPE.format(steps=60, workers=1)),
        source=ToySource(pause_s=0.02),
        network=toy_network(),
        run_folder=Path(sys.argv[1]),
    )
