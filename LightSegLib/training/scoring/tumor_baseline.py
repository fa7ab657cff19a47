"""What a plain threshold on FLAIR finds of a tumor: the least that a network has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LightSegLib.errors import InputError
from LightSegLib.preprocess.normalization import z_score
from LightSegLib.training.cases import Case
from LightSegLib.training.scoring.baseline import Baseline, fixed_threshold
from LightSegLib.volumes import read_labelmap, read_volume

__all__ = ["TUMOR_THRESHOLDS", "component_dice", "tumor_baselines"]

# Candidates, in standard deviations above the brain's mean; between neighbors the Dice differs by about .01.
TUMOR_THRESHOLDS = np.arange(0.1, 4.0, 0.1)
# Of the Gaussian that FLAIR is smoothed with: without it noise tears the tumor apart, or ties it to the cortex, and
# the best thresholds of the first nine cases reach a mean of .825 instead of .881.
SMOOTHING_MM = 2.0
OUTSIDE = -3.0  # about as dark as fluid


def component_dice(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the Dice of the largest connected part of `value >= threshold` for each of TUMOR_THRESHOLDS.

    `values` float and `truth` bool, both (z, y, x); voxels outside the brain have a low value. Parts are connected by
    faces.
    """
    curve = np.zeros(len(TUMOR_THRESHOLDS))
    total = int(truth.sum())
    for index, threshold in enumerate(TUMOR_THRESHOLDS):
        groups, count = ndimage.label(values >= threshold)
        if not count:
            break
        sizes = np.bincount(groups.ravel())
        sizes[0] = 0
        largest = int(sizes.argmax())
        hits = int((groups[truth] == largest).sum())
        curve[index] = 2 * hits / (sizes[largest] + total)
    return curve


def tumor_baselines(cases: Sequence[Case], *, chosen_on: Sequence[Case], reference: str) -> dict[str, Baseline]:
    """Return the baselines of the cases by name, for the whole tumor on smoothed, z-scored FLAIR.

    The fixed threshold comes from the cases of `chosen_on` in other folds, or of other patients where there are no
    folds. The brain is what is not background: the cases are skull-stripped.
    """
    curves = {
        case.name: _curve(case, reference) for case in {case.name: case for case in [*chosen_on, *cases]}.values()
    }
    baselines = {}
    for case in cases:
        others = [curves[other.name] for other in chosen_on if _independent(case, other)]
        if not others:
            raise InputError(f"{case.name}: no case of another patient and fold to choose a fixed threshold on")
        index, best = fixed_threshold(others), int(curves[case.name].argmax())
        baselines[case.name] = Baseline(
            best_dice=float(curves[case.name][best]),
            best_threshold=float(TUMOR_THRESHOLDS[best]),
            fixed_dice=float(curves[case.name][index]),
            fixed_threshold=float(TUMOR_THRESHOLDS[index]),
        )
    return baselines


def _independent(case: Case, other: Case) -> bool:
    return other.patient != case.patient and (case.fold is None or other.fold != case.fold)


def _curve(case: Case, reference: str) -> np.ndarray:
    image = read_volume(case.path("FLAIR"))
    flair = sitk.GetArrayFromImage(image).astype(np.float32)
    truth = sitk.GetArrayFromImage(read_labelmap(case.path(reference))) > 0
    brain = flair > flair.min()
    center, scale = z_score(flair[brain])
    sigma = [SMOOTHING_MM / spacing for spacing in reversed(image.GetSpacing())]
    smooth = ndimage.gaussian_filter(np.where(brain, (flair - center) / scale, OUTSIDE), sigma, truncate=2.5)
    box = ndimage.find_objects((brain | truth).view(np.uint8))[0]
    return component_dice(smooth[box], truth[box])
