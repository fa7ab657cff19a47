"""A training run's folder as something to use: its recipe, its weights, a bundle made of them.

`python -m LightSegLib.training.runs RUN BUNDLE --model-card FILE` writes a run's averaged weights as a bundle.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from LightSegLib.bundles import Bundle
from LightSegLib.errors import InputError, LightSegError, RecipeError
from LightSegLib.training.recipe import Recipe, read_recipe

__all__ = ["export_run", "main", "read_run"]


def read_run(folder: Path) -> Recipe:
    """Return the recipe that a run folder was trained by."""
    return read_recipe(Path(folder) / "recipe.toml")


def export_run(folder: Path, target: Path, *, model_card: str) -> Bundle:
    """Write the averaged weights of a run as a bundle into `target`, and return it.

    The recipe's `[bundle]` section says `card`, the name of the bundle's card, and `example_shape`, (n, c, *spatial)
    of a real input. Raises RecipeError where one is missing, InputError where the run has no weights yet.
    """
    from LightSegLib.networks import build_network
    from LightSegLib.training.bundle_card import read_card
    from LightSegLib.training.checkpoint import load_weights
    from LightSegLib.training.export import export_bundle

    recipe = read_run(folder)
    missing = [key for key in ("card", "example_shape") if key not in recipe.bundle]
    if missing:
        raise RecipeError(f"{folder}/recipe.toml: [bundle] lacks {' and '.join(missing)}; needed to export the run")
    arguments = dict(recipe.network.arguments)
    network = build_network(recipe.network.name, **arguments)
    load_weights(network, Path(folder) / "weights.safetensors")
    card = read_card(recipe.bundle["card"], network={"name": recipe.network.name, "arguments": arguments})
    shape = tuple(int(length) for length in recipe.bundle["example_shape"])
    return export_bundle(network, card, Path(target), example_shape=shape, model_card=model_card)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write a finished training run as a bundle, keeping the bundle's model card unless another is given."""
    parser = argparse.ArgumentParser(prog="python -m LightSegLib.training.runs", description=main.__doc__)
    parser.add_argument("run", type=Path, help="folder of the training run")
    parser.add_argument("bundle", type=Path, help="folder of the bundle, as in Resources/Models; replaced")
    parser.add_argument("--model-card", type=Path, help="its README.md (default: the one in the bundle's folder)")
    options = parser.parse_args(arguments)
    card = options.model_card or options.bundle / "README.md"
    try:
        text = card.read_text(encoding="utf-8")
    except OSError as error:
        raise InputError(f"{card}: cannot be read ({error.strerror}); give a model card with --model-card") from error
    bundle = export_run(options.run, options.bundle, model_card=text)
    print(f"{bundle.name} {bundle.version}: {bundle.size_bytes / 1e6:.2f} MB in {bundle.folder}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LightSegError as error:
        sys.exit(f"error: {error}")
