"""A training run's folder as something to use: its recipe, its weights, a bundle made of them."""

from __future__ import annotations

from pathlib import Path

from LightSegLib.bundles import Bundle
from LightSegLib.errors import RecipeError
from LightSegLib.training.recipe import Recipe, read_recipe

__all__ = ["export_run", "read_run"]


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
