"""What a window of Hounsfield units finds of an organ: the least that a network has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LightSegLib.errors import InputError
from LightSegLib.preprocess.ct import AIR_HU
from LightSegLib.preprocess.grid import isotropic_grid, sample
from LightSegLib.training.cases import Case
from LightSegLib.volumes import read_labelmap, read_volume

__all__ = ["WINDOWS", "WindowBaseline", "window_baselines", "window_dice"]

# Candidates, (lowest, highest) Hounsfield units.
WINDOWS = tuple((low, high) for low in range(0, 141, 10) for high in range(low + 40, 241, 20))
SPACING_MM = 3.0  # averages noise away, as smoothing would, and the many windows take seconds
OPENING = 2  # voxels: cuts the liver off from the wall of the body


@dataclass(frozen=True)
class WindowBaseline:
    """Dice of two windows of Hounsfield units with opening and the largest connected part, on voxels of 3 mm.

    `best`: the window that suits this very case best, which nobody knows beforehand. `fixed`: one window for all,
    chosen on cases of other patients.
    """

    best_dice: float
    best_window: str
    fixed_dice: float
    fixed_window: str


def window_dice(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Return the Dice of the largest part of each of WINDOWS; `values` float, `truth` bool, (z, y, x) of 3 mm."""
    curve = np.zeros(len(WINDOWS))
    ball = ndimage.iterate_structure(ndimage.generate_binary_structure(3, 1), OPENING)
    for index, (low, high) in enumerate(WINDOWS):
        eroded = ndimage.binary_erosion((values >= low) & (values <= high), ball)
        groups, count = ndimage.label(eroded)
        if not count:
            continue
        largest = 1 + int(np.bincount(groups.ravel())[1:].argmax())
        # The rest is done in the part's own box, with room for the dilation.
        box = tuple(
            slice(max(0, side.start - OPENING), side.stop + OPENING)
            for side in ndimage.find_objects(groups)[largest - 1]
        )
        mask = ndimage.binary_fill_holes(ndimage.binary_dilation(groups[box] == largest, ball))
        curve[index] = 2 * np.count_nonzero(mask & truth[box]) / (np.count_nonzero(mask) + np.count_nonzero(truth))
    return curve


def window_baselines(cases: Sequence[Case], *, chosen_on: Sequence[Case], reference: str) -> dict[str, WindowBaseline]:
    """Return the baselines of the cases by name; the fixed window comes from `chosen_on` less the same patient."""
    curves = {
        case.name: _curve(case, reference) for case in {case.name: case for case in [*chosen_on, *cases]}.values()
    }
    baselines = {}
    for case in cases:
        others = [curves[other.name] for other in chosen_on if other.patient != case.patient]
        if not others:
            raise InputError(f"{case.name}: no case of another patient to choose a fixed window on")
        fixed, best = int(np.mean(others, axis=0).argmax()), int(curves[case.name].argmax())
        own = curves[case.name]
        baselines[case.name] = WindowBaseline(float(own[best]), _text(best), float(own[fixed]), _text(fixed))
    return baselines


def _text(index: int) -> str:
    return "{} to {} HU".format(*WINDOWS[index])


def _curve(case: Case, reference: str) -> np.ndarray:
    image, labels = read_volume(case.path("CT")), read_labelmap(case.path(reference))
    grid = isotropic_grid(image, SPACING_MM)
    truth = sample(sitk.Cast(labels > 0, sitk.sitkUInt8), grid) > 0.5
    return window_dice(sample(image, grid, default=AIR_HU), truth)
