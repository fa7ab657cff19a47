"""Training: recipes, synthesis, the loop, export and evaluation. Needs the extra `train`."""

from LightSegLib.training.recipe import Recipe, parse_recipe, read_recipe

__all__ = ["Recipe", "parse_recipe", "read_recipe"]
