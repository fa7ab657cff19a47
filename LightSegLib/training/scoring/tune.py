"""Choosing threshold and smallest lesion out of fold: `python -m LightSegLib.training.scoring.tune`."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LightSegLib.errors import LightSegError
from LightSegLib.measures import dice, lesion_f1
from LightSegLib.measures.lesions import CONNECTIVITY
from LightSegLib.postprocess import SIZE_TOLERANCE
from LightSegLib.training.scoring.out_of_fold import out_of_fold
from LightSegLib.volumes import read_labelmap

__all__ = ["GridPoint", "best_point", "filtered", "grid_of_case", "main"]

THRESHOLDS = tuple(round(0.2 + 0.05 * step, 2) for step in range(13))
MIN_LESION_ML = (0.0, 0.003, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05)
# Mean Dice values that differ by less are a draw, which the lesion F1 decides.
DICE_TIE = 0.002


@dataclass(frozen=True)
class GridPoint:
    """Mean Dice and lesion F1 over the cases for one setting of the postprocessing."""

    threshold: float
    min_lesion_ml: float
    dice: float
    lesion_f1: float


def filtered(groups: np.ndarray, sizes: np.ndarray, *, voxel_ml: float, min_lesion_ml: float) -> np.ndarray:
    """Return the mask of all groups of at least `min_lesion_ml`, as `postprocess.threshold_and_filter` keeps them.

    `groups`: labels from 1, 0 background; `sizes`: voxels by label, that of the background included.
    """
    keep = sizes >= math.ceil(min_lesion_ml * (1 - SIZE_TOLERANCE) / voxel_ml)
    keep[0] = False
    return keep[groups]


def grid_of_case(probability: np.ndarray, truth: np.ndarray, *, voxel_ml: float) -> np.ndarray:
    """Return Dice and lesion F1, (thresholds, sizes, 2), of one case; both arrays (z, y, x), truth bool."""
    box = ndimage.find_objects(((probability >= THRESHOLDS[0]) | truth).view(np.uint8))
    if box:
        probability, truth = probability[box[0]], truth[box[0]]
    scores = np.zeros((len(THRESHOLDS), len(MIN_LESION_ML), 2))
    for row, threshold in enumerate(THRESHOLDS):
        groups, _ = ndimage.label(probability >= threshold, CONNECTIVITY)
        sizes = np.bincount(groups.ravel())
        for column, smallest in enumerate(MIN_LESION_ML):
            mask = filtered(groups, sizes, voxel_ml=voxel_ml, min_lesion_ml=smallest)
            scores[row, column] = dice(mask, truth), lesion_f1(mask, truth)
    return scores


def best_point(grids: Sequence[np.ndarray]) -> tuple[GridPoint, list[GridPoint]]:
    """Return the point with the best mean Dice over the cases (draws within 0.002: the best F1), and all points."""
    means = np.nanmean(grids, axis=0)
    points = [
        GridPoint(threshold, smallest, *(float(value) for value in means[row, column]))
        for row, threshold in enumerate(THRESHOLDS)
        for column, smallest in enumerate(MIN_LESION_ML)
    ]
    top = max(point.dice for point in points)
    return max((point for point in points if point.dice > top - DICE_TIE), key=lambda point: point.lesion_f1), points


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the grid and the choice, over the train cases that each run's recipe leaves out."""
    parser = argparse.ArgumentParser(prog="python -m LightSegLib.training.scoring.tune", description=main.__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="leave-one-center-out run folders")
    parser.add_argument("--data", type=Path, default=Path("../shared/data/wmh"), help="folder with cases.json")
    parser.add_argument("--reference", default="lesion", help="reference file of a case, without .nii.gz")
    parser.add_argument("--threads", type=int, help="threads of the engine")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    options = parser.parse_args(arguments)
    grids = {}
    for case, probability in out_of_fold(options.runs, options.data, threads=options.threads):
        truth = read_labelmap(case.path(options.reference))
        voxel_ml = math.prod(truth.GetSpacing()) / 1000
        arrays = sitk.GetArrayFromImage(probability), sitk.GetArrayFromImage(truth) > 0
        grids[case.name] = grid_of_case(*arrays, voxel_ml=voxel_ml)
        print(f"{case.name}: best Dice {grids[case.name][..., 0].max():.3f}", file=sys.stderr, flush=True)
    best, points = best_point(list(grids.values()))
    if options.json:
        print(json.dumps({"cases": list(grids), "best": asdict(best), "grid": [asdict(point) for point in points]}))
        return 0
    print(f"{len(grids)} out-of-fold train cases; mean Dice / lesion F1 by threshold and smallest lesion (ml)")
    print("threshold " + "".join(f"{smallest:>12g}" for smallest in MIN_LESION_ML))
    for start in range(0, len(points), len(MIN_LESION_ML)):
        row = points[start : start + len(MIN_LESION_ML)]
        print(f"{row[0].threshold:9g} " + "".join(f"  {p.dice:.3f}/{p.lesion_f1:.3f}"[-12:].rjust(12) for p in row))
    print(f"best: threshold {best.threshold:g}, min_lesion_ml {best.min_lesion_ml:g}: ", end="")
    print(f"Dice {best.dice:.3f}, lesion F1 {best.lesion_f1:.3f}")
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LightSegError as error:
        sys.exit(f"error: {error}")
