"""`lightseg train RECIPE`: train a network, or go on where the last session stopped."""

from __future__ import annotations

import argparse
from importlib.util import find_spec
from pathlib import Path

from LightSegLib.errors import MissingDependencyError

__all__ = ["add_arguments", "add_parser", "run"]

# Exit code of a run that was stopped before its end and can be resumed (EX_TEMPFAIL).
STOPPED = 75


def add_parser(subparsers: argparse._SubParsersAction) -> None:
    """Add the command to the command line."""
    parser = subparsers.add_parser(
        "train",
        help="train a network by a TOML recipe",
        description="Train a network by a recipe; the same command resumes a stopped or killed run.",
    )
    add_arguments(parser)
    parser.set_defaults(run=run)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments to any parser."""
    parser.add_argument("recipe", type=Path, help="recipe file, see recipes/")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of images and label maps")
    parser.add_argument("--cache", type=Path, default=Path("cache"), help="folder for prepared images")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder that holds one folder per run")
    parser.add_argument("--stop-after-minutes", type=float, metavar="M", help="save a checkpoint and stop then")
    parser.add_argument("--finish-now", action="store_true", help="do not train on, write the averaged weights")


def run(args: argparse.Namespace) -> int:
    """Train; 0 when the run is complete, 75 when it was stopped and the same command resumes it."""
    if find_spec("torch") is None:
        raise MissingDependencyError("training needs PyTorch: pip install 'lightseg[train]'")
    from LightSegLib.training.loop import train
    from LightSegLib.training.recipe import read_recipe
    from LightSegLib.training.sources import build_source

    recipe = read_recipe(args.recipe)
    source = build_source(recipe.source, data=args.data, cache=args.cache, seed=recipe.run.seed)
    result = train(
        recipe,
        source=source,
        run_folder=args.runs / recipe.run.name,
        stop_after_minutes=args.stop_after_minutes,
        finish_now=args.finish_now,
    )
    state = f"weights in {result.weights}" if result.weights else "stopped; the same command resumes it"
    print(f"{recipe.run.name}: step {result.step}, {result.seconds / 60:.1f} minutes, loss {result.loss:.4f}; {state}")
    return 0 if result.weights else STOPPED
