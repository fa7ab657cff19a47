"""Synthetic patients and real cases by group, made once into pools, as sources need them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from LightSegLib.errors import RecipeError
from LightSegLib.training.cases import Case, left_out, read_cases, select_cases
from LightSegLib.training.sources.pool import fill_pool

__all__ = ["Maker", "draw_patients", "fill_groups", "normalized_shares"]

Patient = TypeVar("Patient")

Maker = Callable[[int], dict[str, np.ndarray]]


def fill_groups(
    settings: Mapping[str, Any],
    *,
    cases: Path,
    cache: Path,
    kind: str,
    synthetic: Maker,
    real: Callable[[Case], Maker],
) -> dict[str, list[Path]]:
    """Return the pool items of each group: "synthetic", and the patients or centers of the real cases.

    `settings`: `synthetic` (number of generated patients), `shares` (weight of "synthetic" and of each center, or of
    each patient who has several cases; 0 leaves a group out), and what `cases.left_out` knows. Real cases are those of
    the train split of the folder `cases` that are not left out. `kind` names the pools' folders; `synthetic` makes the
    items of generated patients, `real(case)` the one of a case.
    """
    shares = settings["shares"]
    groups: dict[str, list[Path]] = {}
    if shares.get("synthetic"):
        groups["synthetic"] = fill_pool(cache / f"synthetic-{kind}", count=int(settings["synthetic"]), make=synthetic)
    for case in _train_cases(cases, settings):
        group = case.patient if case.patient in shares else case.center
        if shares.get(group):
            (path,) = fill_pool(cache / f"real-{kind}" / case.name, count=1, make=real(case))
            groups.setdefault(group, []).append(path)
    if not groups:
        raise RecipeError("[source] leaves nothing to train on: check shares and what is left out")
    return groups


def normalized_shares(shares: Mapping[str, float], groups: Mapping[str, Any]) -> np.ndarray:
    """Return the probability of each group, in their order."""
    weights = np.array([shares[name] for name in groups], float)
    return weights / weights.sum()


def draw_patients(
    groups: Sequence[Sequence[Patient]], shares: np.ndarray, count: int, rng: np.random.Generator
) -> Iterator[Patient]:
    """Yield `count` patients: the group of each is drawn by `shares`, the patient of the group all alike.

    Lazily, so that what is drawn of a patient comes from the same generator before the next one is drawn.
    """
    for group in rng.choice(len(groups), count, p=shares):
        yield groups[group][int(rng.integers(len(groups[group])))]


def _train_cases(folder: Path, settings: Mapping[str, Any]) -> list[Case]:
    cases = read_cases(folder)
    excluded = {case.name for case in left_out(cases, dict(settings))}
    return [case for case in select_cases(cases, split="train") if case.name not in excluded]
