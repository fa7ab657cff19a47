"""Choosing the nested thresholds of a tumor model out of fold: `python -m LightSegLib.training.scoring.tune_tumor`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LightSegLib.errors import InputError, LightSegError
from LightSegLib.measures import compare, dice
from LightSegLib.postprocess.tumor import argmax_tumor, nested_tumor
from LightSegLib.training.cases import Case
from LightSegLib.training.scoring.bootstrap import bootstrap_mean
from LightSegLib.training.scoring.evaluate import write_scores
from LightSegLib.training.scoring.evaluate_tumors import REGION_NAMES, SMALLEST_ML, TumorScore, tumor_row
from LightSegLib.training.scoring.out_of_fold import out_of_fold
from LightSegLib.training.scoring.tune import filtered
from LightSegLib.training.sources.tumor_packing import REGIONS
from LightSegLib.volumes import read_labelmap

__all__ = ["Choice", "Prediction", "choose", "grids_of", "main", "measured"]

THRESHOLDS = tuple(round(0.2 + 0.05 * step, 2) for step in range(13))
# Smallest groups of whole tumor as shares of the largest, and smallest enhancing tumor in all, in ml. Not more: gliomas
# with a second focus are rare among the cases, and the score is blind to tumors that enhance by less than 1 ml.
SMALLEST = {"WT": (0.0, 0.02, 0.05, 0.1, 0.2), "TC": (0.0,), "ET": (0.0, 0.1, 0.3, 0.5)}
MIN_WHOLE_TUMOR_ML = 0.1
# How far from enhancing tumor its core may lie, in mm; the last is no limit.
REACHES = (6.0, 8.0, 10.0, 15.0, 20.0, 200.0)
# Mean scores that differ by less are a draw, which the larger smallest volume wins: fewer stray voxels.
TIE = 0.002
# Mean Dice of enhancing tumor that is given up for a higher threshold.
CAUTION = 0.01
COLUMNS = ("dice", "hd95_mm")


@dataclass(frozen=True)
class Prediction:
    """What a run says about a case that it has not seen: probabilities of WT, TC and ET, and the reference.

    All 3D on one grid, cut to the box that holds the reference and every voxel of WT above the lowest threshold.
    """

    case: Case
    probabilities: tuple[sitk.Image, ...]
    reference: sitk.Image


@dataclass(frozen=True)
class Choice:
    """Settings of `postprocess.tumor.nested_tumor`."""

    thresholds: Mapping[str, float]
    min_share_of_largest: float
    min_enhancing_ml: float
    core_reach_mm: float
    min_whole_tumor_ml: float = MIN_WHOLE_TUMOR_ML


# The paper's rule alone, at 0.5.
PLAIN = Choice(dict.fromkeys(SMALLEST, 0.5), min_share_of_largest=0.0, min_enhancing_ml=0.0, core_reach_mm=REACHES[-1])


def grids_of(prediction: Prediction) -> dict[str, np.ndarray]:
    """Return the score of a case by region, (thresholds, smallest volumes), each region for itself.

    The score is the Dice, undefined where the reference holds at most 1 ml of core or enhancing tumor. "reach" holds
    the Dice of the core by REACHES, all thresholds being 0.5.
    """
    labels = sitk.GetArrayViewFromImage(prediction.reference)
    voxel_ml = math.prod(prediction.reference.GetSpacing()) / 1000
    grids: dict[str, np.ndarray] = {}
    for (key, name), values, image in zip(REGION_NAMES.items(), REGIONS, prediction.probabilities, strict=True):
        probability, truth = sitk.GetArrayViewFromImage(image), np.isin(labels, values)
        little = truth.sum() * voxel_ml <= SMALLEST_ML[key]
        scores = np.full((len(THRESHOLDS), len(SMALLEST[name])), np.nan)
        for row, threshold in enumerate(THRESHOLDS):
            mask = probability >= threshold
            groups, _ = ndimage.label(mask, np.ones((3, 3, 3))) if name == "WT" else (mask.astype(np.uint8), 1)
            sizes = np.bincount(groups.ravel(), minlength=2)
            largest_ml = sizes[1:].max() * voxel_ml
            for column, smallest in enumerate(SMALLEST[name]):
                smallest_ml = max(MIN_WHOLE_TUMOR_ML, smallest * largest_ml) if name == "WT" else smallest
                found = filtered(groups, sizes, voxel_ml=voxel_ml, min_lesion_ml=smallest_ml)
                if not little:
                    scores[row, column] = dice(found, truth)
        grids[name] = scores
    core = np.isin(labels, REGIONS[1])
    grids["reach"] = np.full(len(REACHES), np.nan)
    if core.sum() * voxel_ml > SMALLEST_ML["tc"]:
        for index, reach in enumerate(REACHES):
            nested = nested_tumor(prediction.probabilities, **asdict(replace(PLAIN, core_reach_mm=reach)))
            grids["reach"][index] = dice(np.isin(sitk.GetArrayViewFromImage(nested), REGIONS[1]), core)
    return grids


def choose(grids: Sequence[Mapping[str, np.ndarray]]) -> Choice:
    """Return the settings with the best mean score of each region over the cases; InputError if no case has one."""
    chosen = {}
    for name, smallest in SMALLEST.items():
        scored = [grid[name] for grid in grids if not np.isnan(grid[name]).any()]
        if not scored:
            raise InputError(f"no case has enough of {name} in its reference to choose a threshold by")
        means = np.mean(scored, axis=0)
        column = int(np.flatnonzero(means.max(axis=0) > means.max() - TIE)[-1])
        # The middle of the thresholds that are as good as the best: a plateau's edge is chance. But the lowest for the
        # core, because a higher one would cut enhancing tumor off, and for enhancing tumor the highest that costs
        # little: what is called enhancing in a tumor that does not enhance has no Dice, but it misleads.
        within = CAUTION if name == "ET" else TIE
        rows = np.flatnonzero(means[:, column] > means[:, column].max() - within)
        which = {"WT": len(rows) // 2, "TC": 0, "ET": -1}[name]
        chosen[name] = THRESHOLDS[int(rows[which])], smallest[column]
    thresholds = {name: threshold for name, (threshold, _) in chosen.items()}
    reaches = np.nanmean([grid["reach"] for grid in grids], axis=0)
    return Choice(
        thresholds,
        min_share_of_largest=chosen["WT"][1],
        min_enhancing_ml=chosen["ET"][1],
        core_reach_mm=REACHES[int(np.flatnonzero(reaches > reaches.max() - TIE)[-1])],
    )


def measured(prediction: Prediction, labels: sitk.Image) -> dict[str, float]:
    """Return Dice and HD95 of each region that the reference has enough of, and the ml of false enhancing tumor."""
    regions = {
        key: compare(labels, prediction.reference, value=values)
        for key, values in zip(REGION_NAMES, REGIONS, strict=True)
    }
    row = tumor_row(TumorScore(prediction.case, regions, brain=None, seconds=0.0))
    titles = {f"{key}_{column}": f"{name} {column}" for key, name in REGION_NAMES.items() for column in COLUMNS}
    titles["et_false_ml"] = "ET false_ml"
    return {title: row[key] for key, title in titles.items() if key in row}


def main(arguments: Sequence[str] | None = None) -> int:
    """Choose thresholds over all cases that the runs left out; score argmax, 0.5, and thresholds from other folds."""
    parser = argparse.ArgumentParser(prog="python -m LightSegLib.training.scoring.tune_tumor", description=main.__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="one run folder per fold")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/tumor"), help="folder with cases.json")
    parser.add_argument("--threads", type=int, help="threads of the engine")
    parser.add_argument("--output", type=Path, help="folder for choice.json, cases.csv and table.md")
    options = parser.parse_args(arguments)
    predictions = []
    for case, probabilities in out_of_fold(options.runs, options.data, threads=options.threads):
        predictions.append(_cut(case, probabilities, read_labelmap(case.path("seg"))))
        print(f"{case.name}: predicted", file=sys.stderr, flush=True)
    grids = [grids_of(prediction) for prediction in predictions]
    choice = choose(grids)
    rows = []
    for prediction in predictions:
        fold = prediction.case.fold
        others = [grid for grid, other in zip(grids, predictions, strict=True) if other.case.fold != fold]
        rows += _rows(prediction, choose(others) if others else choice)
    table = _table(rows)
    print(json.dumps(asdict(choice)))
    print(table)
    if options.output:
        write_scores(options.output, rows=rows, table=table, summary=("choice.json", asdict(choice)))
    return 0


def _cut(case: Case, probabilities: sitk.Image, reference: sitk.Image) -> Prediction:
    maps = [sitk.VectorIndexSelectionCast(probabilities, index) for index in range(len(REGIONS))]
    marked = sitk.Cast(maps[0] >= THRESHOLDS[0], sitk.sitkUInt8) | sitk.Cast(reference > 0, sitk.sitkUInt8)
    shape = sitk.LabelShapeStatisticsImageFilter()
    shape.Execute(marked)
    box = shape.GetBoundingBox(1)
    start, size = box[:3], box[3:]
    cut = [sitk.RegionOfInterest(image, size, start) for image in (*maps, reference)]
    return Prediction(case, tuple(cut[:-1]), cut[-1])


def _rows(prediction: Prediction, elsewhere: Choice) -> list[dict[str, Any]]:
    ways = {
        "argmax": argmax_tumor(prediction.probabilities),
        "nested, 0.5": nested_tumor(prediction.probabilities, **asdict(PLAIN)),
        "nested, settings of the other folds": nested_tumor(prediction.probabilities, **asdict(elsewhere)),
    }
    return [
        {"postprocessing": way, "case": prediction.case.name, **measured(prediction, labels)}
        for way, labels in ways.items()
    ]


def _table(rows: Sequence[Mapping[str, Any]]) -> str:
    names = [f"{name} {column}" for name in ("ET", "WT", "TC") for column in COLUMNS] + ["ET false_ml"]
    lines = [["postprocessing", *names], ["---", *("---:" for _ in names)]]
    for way in dict.fromkeys(row["postprocessing"] for row in rows):
        cells = []
        for name in names:
            held = [row for row in rows if row["postprocessing"] == way and name in row]
            mean = bootstrap_mean([row[name] for row in held], groups=[row["case"] for row in held])
            form = ".3f" if name.endswith("dice") else ".1f"
            cells.append(f"{mean.mean:{form}} [{mean.low:{form}}, {mean.high:{form}}] (n={mean.count})")
        lines.append([way, *cells])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LightSegError as error:
        sys.exit(f"error: {error}")
