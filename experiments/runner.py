"""Training the variants of a comparison alike, and writing what came out as a table and a picture."""

from __future__ import annotations

import argparse
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import nn

from LightSegLib.networks import build_network
from LightSegLib.networks.summary import summary
from LightSegLib.training.loader import Source
from LightSegLib.training.loop import train
from LightSegLib.training.recipe import parse_recipe
from LightSegLib.training.run_log import read_log

__all__ = ["Trained", "Variant", "arguments", "train_variant", "write_report"]

# The same for every variant of every comparison: nothing is tuned to one of them.
RECIPE = """
[run]
name = "{name}"
seed = {seed}
steps = {steps}
workers = 0
report_every = 50

[network]
name = "replaced"

[source]
kind = "{kind}"

[optimizer]
lr = 2e-3
warmup_steps = 30

[ema]
decay = 0.98
norm_batches = 20
"""


@dataclass(frozen=True)
class Variant:
    """A network of the comparison: how the table calls it, its name in the registry and its arguments."""

    label: str
    network: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class Trained:
    """A trained variant; `seconds` is the time of its training steps."""

    variant: Variant
    network: nn.Module
    folder: Path
    seconds: float


def arguments(description: str | None, *, steps: int) -> argparse.Namespace:
    """Parse the command line that all comparisons share: where the data are, how many steps, where to write."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data")
    parser.add_argument("--steps", type=int, default=steps, help=f"training steps of each variant (default {steps})")
    parser.add_argument("--seed", type=int, default=1, help="seed of weights and batches")
    parser.add_argument("--runs", type=Path, default=Path("runs/experiments"), help="where training leaves its runs")
    parser.add_argument("--output", type=Path, default=Path("docs/experiments"), help="folder of table and picture")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for prepared images")
    return parser.parse_args()


def train_variant(variant: Variant, source: Source, *, kind: str, steps: int, seed: int, runs: Path) -> Trained:
    """Train a variant on the source's batches; a run that is complete is read instead, a stopped one resumed."""
    torch.manual_seed(seed)
    network = build_network(variant.network, **variant.arguments)
    name = re.sub(r"[^a-z0-9]+", "-", f"{kind}-{variant.label}".lower())
    recipe = parse_recipe(RECIPE.format(name=name, kind=kind, steps=steps, seed=seed))
    result = train(recipe, source=source, network=network, run_folder=runs / name)
    network.load_state_dict(load_file(runs / name / "weights.safetensors"))
    return Trained(variant, network.eval(), runs / name, result.seconds)


def write_report(
    stem: str,
    trained: Sequence[Trained],
    scores: Sequence[Mapping[str, float]],
    *,
    input_shape: tuple[int, ...],
    output: Path,
) -> str:
    """Write `stem`.md (a table, one row a variant) and `stem`.png (the learning curves); return the table."""
    output.mkdir(parents=True, exist_ok=True)
    names = list(scores[0])
    lines = [
        "| network | parameters | G multiply-adds | training, min | " + " | ".join(names) + " |",
        "| --- " * (len(names) + 4) + "|",
    ]
    for one, values in zip(trained, scores, strict=True):
        costs = summary(one.network, input_shape)
        figures = " | ".join(f"{values[name]:.3f}" for name in names)
        lines.append(
            f"| {one.variant.label} | {costs.parameters:,} | {costs.multiply_adds / 1e9:.2f} | {one.seconds / 60:.1f} "
            f"| {figures} |"
        )
    table = "\n".join(lines) + "\n"
    (output / f"{stem}.md").write_text(table, encoding="utf-8")
    _draw(trained, output / f"{stem}.png")
    return table


def _draw(trained: Sequence[Trained], path: Path) -> None:
    import numpy as np
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    for one in trained:
        loss = np.array([row.loss for row in read_log(one.folder / "log.csv")])
        window = max(1, len(loss) // 15)
        axes.plot(np.arange(window, len(loss) + 1), np.convolve(loss, np.ones(window) / window, "valid"))
    axes.set(xlabel="step", ylabel="training loss (moving mean)", ylim=(0, None))
    axes.legend([one.variant.label for one in trained])
    figure.savefig(path, dpi=100)
