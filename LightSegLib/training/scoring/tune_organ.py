"""Choosing an organ's threshold and clean-up out of fold: `python -m LightSegLib.training.scoring.tune_organ`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import LightSegError
from LightSegLib.measures import dice
from LightSegLib.postprocess.organ import clean_organ
from LightSegLib.training.cases import Case
from LightSegLib.training.scoring.out_of_fold import out_of_fold
from LightSegLib.volumes import read_labelmap

__all__ = ["CHOICES", "OrganChoice", "best_choice", "main", "score_choices"]

THRESHOLDS = (0.3, 0.4, 0.5, 0.6, 0.7)
# (erode, dilate) in mm: the paper's two voxels and one at usual 0.75 mm, and twice that; openings, which lose nothing.
MORPHOLOGICAL = ((1.5, 0.75), (3.0, 1.5), (3.0, 3.0), (5.0, 5.0))
# Mean Dice values that differ by less are a draw, which the clean-up wins that comes first in CHOICES.
TIE = 0.0005


@dataclass(frozen=True)
class OrganChoice:
    """Settings of `postprocess.organ.clean_organ`."""

    threshold: float
    cleanup: str
    erode_mm: float = 0.0
    dilate_mm: float = 0.0


# All thresholds of a clean-up follow each other. An organ is one part, so that keeping one comes first; opening, last.
CHOICES = tuple(
    OrganChoice(threshold, cleanup, *sizes)
    for cleanup, sizes in (
        ("largest_component", (0.0, 0.0)),
        ("none", (0.0, 0.0)),
        *(("morphological", sizes) for sizes in MORPHOLOGICAL),
    )
    for threshold in THRESHOLDS
)


def score_choices(probability: sitk.Image, reference: sitk.Image) -> np.ndarray:
    """Return the Dice of each of CHOICES for one case; both images on one grid, the reference a mask."""
    # What no choice keeps and the reference lacks is the same for all, and most of a scan.
    box = sitk.LabelShapeStatisticsImageFilter()
    box.Execute((probability >= min(THRESHOLDS)) | (reference > 0))
    if box.HasLabel(1):
        sides = np.array(box.GetBoundingBox(1)).reshape(2, 3)
        # With a voxel of background on each side, where there is one: erosion begins there.
        low, high = np.maximum(sides[0] - 1, 0), np.minimum(sides.sum(axis=0) + 1, probability.GetSize())
        size, index = (high - low).tolist(), low.tolist()
        probability, reference = (sitk.RegionOfInterest(image, size, index) for image in (probability, reference))
    truth = sitk.GetArrayViewFromImage(reference) > 0
    return np.array(
        [dice(sitk.GetArrayFromImage(clean_organ(probability, **asdict(choice))) > 0, truth) for choice in CHOICES]
    )


def best_choice(scores: Mapping[Case, np.ndarray]) -> tuple[OrganChoice, np.ndarray]:
    """Return the choice with the best mean Dice over patients, and the means of all; `scores` by case."""
    means = _mean_over_patients(scores)
    by_cleanup = means.reshape(-1, len(THRESHOLDS))
    # The best threshold of the first clean-up that is as good as the best one.
    first = int(np.flatnonzero(by_cleanup.max(axis=1) >= means.max() - TIE)[0])
    return CHOICES[first * len(THRESHOLDS) + int(by_cleanup[first].argmax())], means


def _mean_over_patients(scores: Mapping[Case, np.ndarray]) -> np.ndarray:
    by_patient: dict[str, list[np.ndarray]] = {}
    for case, own in scores.items():
        by_patient.setdefault(case.patient, []).append(own)
    return np.mean([np.mean(own, axis=0) for own in by_patient.values()], axis=0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print mean Dice by clean-up and threshold, the choice, and what the other folds' choices reach."""
    parser = argparse.ArgumentParser(prog="python -m LightSegLib.training.scoring.tune_organ", description=main.__doc__)
    parser.add_argument("--runs", type=Path, nargs="+", required=True, help="one run folder a fold")
    parser.add_argument("--data", type=Path, required=True, help="folder with cases.json, as padded_livers writes it")
    parser.add_argument("--reference", default="liver", help="reference file of a case, without .nii.gz")
    parser.add_argument("--threads", type=int, help="threads of the engine")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    options = parser.parse_args(arguments)
    scores: dict[Case, np.ndarray] = {}
    for case, probability in out_of_fold(options.runs, options.data, threads=options.threads):
        scores[case] = score_choices(probability, read_labelmap(case.path(options.reference)))
        print(f"{case.name}: best Dice {scores[case].max():.3f}", file=sys.stderr, flush=True)
    best, means = best_choice(scores)
    honest = _of_other_folds(scores)
    if options.json:
        body = {"cases": [case.name for case in scores], "best": asdict(best), "other_folds": honest}
        print(
            json.dumps(body | {"grid": [asdict(c) | {"dice": float(m)} for c, m in zip(CHOICES, means, strict=True)]})
        )
        return 0
    print(f"{len(scores)} out-of-fold cases; mean Dice over patients by clean-up (erode, dilate in mm) and threshold")
    print(f"{'':32}" + "".join(f"{threshold:>8g}" for threshold in THRESHOLDS))
    for start in range(0, len(CHOICES), len(THRESHOLDS)):
        choice = CHOICES[start]
        name = f"{choice.cleanup} ({choice.erode_mm:g}, {choice.dilate_mm:g})"
        print(f"{name:32}" + "".join(f"{mean:8.4f}" for mean in means[start : start + len(THRESHOLDS)]))
    print(f"best: {best.cleanup}, threshold {best.threshold:g}, {best.erode_mm:g} and {best.dilate_mm:g} mm")
    print(f"settings of the other folds: {honest:.4f}")
    return 0


def _of_other_folds(scores: Mapping[Case, np.ndarray]) -> float:
    """Return the mean Dice over patients when each fold is scored with what the other folds choose."""
    chosen: dict[Case, np.ndarray] = {}
    for fold in {case.fold for case in scores}:
        others = {case: own for case, own in scores.items() if case.fold != fold}
        if not others:
            return float("nan")
        index = CHOICES.index(best_choice(others)[0])
        chosen |= {case: own[index : index + 1] for case, own in scores.items() if case.fold == fold}
    return float(_mean_over_patients(chosen)[0])


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LightSegError as error:
        sys.exit(f"error: {error}")
