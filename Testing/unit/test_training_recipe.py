"""Recipes say what is wrong with them, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from LightSegLib.errors import RecipeError
from LightSegLib.training.recipe import parse_recipe, read_recipe

MINIMAL = '[run]\nname = "a"\n[network]\nname = "acu"\nin_channels = 5\n[source]\nkind = "real"\n'
RECIPES = sorted((Path(__file__).parents[2] / "recipes").glob("*.toml"))


def test_defaults_fill_what_a_recipe_leaves_out():
    recipe = parse_recipe(MINIMAL)
    assert recipe.network.arguments == {"in_channels": 5}
    assert recipe.loss.name == "bce_dice" and recipe.run.minutes is None and recipe.warm_start is None


def test_the_length_of_a_run_is_not_part_of_its_fingerprint():
    longer = parse_recipe(MINIMAL.replace('"a"', '"a"\nsteps = 9000'))
    wider = parse_recipe(MINIMAL.replace("= 5", "= 6"))
    assert longer.fingerprint == parse_recipe(MINIMAL).fingerprint != wider.fingerprint


def test_a_warm_start_counts_from_the_recipe_folder(tmp_path):
    path = tmp_path / "a.toml"
    path.write_text(MINIMAL + '[warm_start]\npath = "w.safetensors"\n')
    assert read_recipe(path).warm_start == tmp_path / "w.safetensors"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (MINIMAL.replace("[source]", "[sauce]"), "unknown section: sauce; known: run, network, source"),
        (MINIMAL.replace('"a"', '"a"\nstepz = 3'), r"unknown key in \[run\]: stepz; known: name, seed, steps"),
        (MINIMAL.replace('"a"', '"a"\nsteps = 0'), "steps must be at least 1"),
        (MINIMAL.replace('"a"', '"a"\nsteps = "many"'), r"\[run\] .* wrong type"),
        (MINIMAL.replace('name = "acu"\n', ""), r"\[network\] name is missing"),
        ('[run]\nname = "a"', r"section \[network\] is missing"),
        ("run = 3", r"\[run\] must be a table"),
        ("= 3", "not valid TOML"),
    ],
)
def test_a_malformed_recipe_is_refused(text, message):
    with pytest.raises(RecipeError, match=message):
        parse_recipe(text)


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(RecipeError, match="nothing.toml: no such recipe"):
        read_recipe(tmp_path / "nothing.toml")


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_recipe_of_the_repository_is_valid(path):
    assert read_recipe(path).run.name == path.stem
