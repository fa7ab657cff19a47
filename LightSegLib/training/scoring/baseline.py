"""What a plain threshold on FLAIR reaches: the least that a network has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.preprocess.normalization import tissue_mode
from LightSegLib.training.cases import Case
from LightSegLib.volumes import read_labelmap, read_volume

__all__ = ["Baseline", "best_threshold", "dice_by_threshold", "fixed_threshold", "threshold_baselines"]

# Candidates for the fixed threshold, in standard deviations above the tissue peak.
THRESHOLDS = np.arange(0.0, 10.0, 0.05)


@dataclass(frozen=True)
class Baseline:
    """Dice of two plain thresholds on tissue-mode normalized FLAIR inside the brain.

    `best`: the threshold that suits this very case best, which nobody knows beforehand. `fixed`: one threshold for
    all, chosen on train cases of other patients.
    """

    best_dice: float
    best_threshold: float
    fixed_dice: float
    fixed_threshold: float


def best_threshold(values: np.ndarray, truth: np.ndarray, *, outside: int = 0) -> tuple[float, float]:
    """Return (Dice, threshold) of the best rule `value >= threshold`, exactly, over all thresholds.

    `values` float and `truth` bool of one shape, the voxels inside the brain; `outside`: true voxels beyond them.
    """
    flat, true = values.ravel(), truth.ravel()
    order = np.argsort(-flat, kind="stable")
    ordered = flat[order]
    hits = np.cumsum(true[order])
    last = np.flatnonzero(np.append(ordered[1:] != ordered[:-1], True))  # equal values fall on one side together
    dice = 2 * hits[last] / (last + 1 + true.sum() + outside)
    best = int(dice.argmax())
    return float(dice[best]), float(ordered[last[best]])


def dice_by_threshold(values: np.ndarray, truth: np.ndarray, *, outside: int = 0) -> np.ndarray:
    """Return the Dice of `value >= threshold` for each of THRESHOLDS; arguments as for `best_threshold`."""
    above_all = len(THRESHOLDS) - np.searchsorted(THRESHOLDS, values.ravel(), side="right")
    counts = np.bincount(above_all, minlength=len(THRESHOLDS) + 1)[: len(THRESHOLDS)].cumsum()[::-1]
    hits = np.bincount(above_all[truth.ravel()], minlength=len(THRESHOLDS) + 1)[: len(THRESHOLDS)].cumsum()[::-1]
    total = counts + truth.sum() + outside
    return np.divide(2.0 * hits, total, out=np.zeros(len(THRESHOLDS)), where=total > 0)


def fixed_threshold(curves: Sequence[np.ndarray]) -> int:
    """Return the index into THRESHOLDS with the highest mean Dice over the curves of `dice_by_threshold`."""
    return int(np.mean(curves, axis=0).argmax())


def threshold_baselines(cases: Sequence[Case], *, chosen_on: Sequence[Case], reference: str) -> dict[str, Baseline]:
    """Return the baselines of the cases by name; the fixed threshold comes from `chosen_on` less the same patient.

    The brain is the data's `brainmask`, or what is not background where the image is skull-stripped.
    """
    curves, best = {}, {}
    for case in {case.name: case for case in [*chosen_on, *cases]}.values():
        values, truth, outside = _inside_brain(case, reference)
        curves[case.name] = dice_by_threshold(values, truth, outside=outside)
        best[case.name] = best_threshold(values, truth, outside=outside)
    baselines = {}
    for case in cases:
        others = [curves[other.name] for other in chosen_on if other.patient != case.patient]
        if not others:
            raise InputError(f"{case.name}: no train case of another patient to choose a fixed threshold on")
        index = fixed_threshold(others)
        baselines[case.name] = Baseline(*best[case.name], float(curves[case.name][index]), float(THRESHOLDS[index]))
    return baselines


def _inside_brain(case: Case, reference: str) -> tuple[np.ndarray, np.ndarray, int]:
    flair = sitk.GetArrayFromImage(read_volume(case.path("FLAIR"))).astype(np.float32)
    truth = sitk.GetArrayFromImage(read_labelmap(case.path(reference))) > 0
    if "brainmask" in case.files:
        brain = sitk.GetArrayFromImage(read_labelmap(case.path("brainmask"))) > 0
    else:
        brain = flair > flair.min()
    center, scale = tissue_mode(flair[brain])
    return (flair[brain] - center) / scale, truth[brain], int(truth[~brain].sum())
