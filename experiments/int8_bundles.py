"""Which shipped bundles survive 8-bit integers: `python -m experiments.int8_bundles`.

Calibrated on the train cases of the lesion data and scored on its validation cases, as fp32 and as int8, with the brain
mask that comes with the case and the threshold of the bundle, without its filter of small lesions.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import openvino
import SimpleITK as sitk

from experiments.int8 import compile_exactly, quantized, verdict
from LightSegLib.bundles import Bundle, list_bundles
from LightSegLib.measures import dice
from LightSegLib.preprocess import Prepared, build_preprocessor
from LightSegLib.training.cases import Case, read_cases, select_cases
from LightSegLib.training.sources.real import brain_of
from LightSegLib.volumes import read_labelmap, read_volume, to_lps

# Of each train case: enough to see all intensities, few enough to calibrate in minutes.
SLICES_OF_A_CASE, DEPTH_OF_A_CASE = 8, 32


def prepare(bundle: Bundle, case: Case) -> tuple[Prepared, np.ndarray]:
    """Return a case as the bundle's network takes it, and the reference on the scan's grid, bool (z, y, x)."""
    channels = [channel.name for channel in bundle.inputs]
    preprocessor = build_preprocessor(bundle.preprocessing, channels)
    flair = to_lps(read_volume(case.path("FLAIR")))
    images = {name: flair if name != "T1" else to_lps(read_volume(case.path("T1"))) for name in channels}
    reference = "brainmask" if bundle.postprocessing["kind"] == "brain" else "lesion"
    truth = sitk.GetArrayFromImage(to_lps(read_labelmap(case.path(reference)))) > 0
    return preprocessor.prepare(images, brain=brain_of(case, flair)), truth


def calibration_items(array: np.ndarray) -> list[np.ndarray]:
    """Return slices spread over a case, or the middle of its volume."""
    if array.ndim == 4:
        chosen = np.unique(np.linspace(0, len(array) - 1, SLICES_OF_A_CASE + 2).round().astype(int)[1:-1])
        return [array[i : i + 1] for i in chosen]
    start = max(0, (array.shape[2] - DEPTH_OF_A_CASE) // 2)
    return [np.ascontiguousarray(array[:, :, start : start + DEPTH_OF_A_CASE])]


def masks_of(model: openvino.CompiledModel, prepared: Prepared, *, threshold: float) -> np.ndarray:
    """Return what the model finds on the scan's grid, bool (z, y, x)."""
    logits = [np.array(model([prepared.array[i : i + 1]])[0]) for i in range(len(prepared.array))]
    probabilities = 1 / (1 + np.exp(-np.concatenate(logits)))
    return sitk.GetArrayFromImage(prepared.restore(probabilities)[0]) >= threshold


def row(bundle: Bundle, train: list[Case], test: list[Case]) -> str:
    """Quantize a bundle and return its line of the table."""
    model = openvino.Core().read_model(bundle.openvino_file)
    items = [item for case in train for item in calibration_items(prepare(bundle, case)[0].array)]
    compiled = [compile_exactly(each) for each in (model, quantized(model, items))]
    scores = []
    for case in test:
        prepared, truth = prepare(bundle, case)
        threshold = float(bundle.postprocessing["threshold"])
        exact, rounded = (masks_of(each, prepared, threshold=threshold) for each in compiled)
        scores.append((dice(exact, truth), dice(rounded, truth), dice(exact, rounded)))
    exact_dice, rounded_dice, agreement = np.mean(scores, axis=0)
    lowest = float(np.min(scores, axis=0)[2])
    survives = verdict(exact=exact_dice, rounded=rounded_dice, lowest=lowest)
    figures = " | ".join(f"{value:.3f}" for value in (exact_dice, rounded_dice, agreement, lowest))
    return f"| {bundle.name} | {len(test)} | {figures} | {survives} |"


def main() -> None:
    """Quantize every bundle and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder of the data")
    parser.add_argument("--output", type=Path, default=Path("docs/experiments"), help="folder of the table")
    options = parser.parse_args()
    cases = read_cases(options.data / "wmh")
    lines = [
        "| bundle | cases | Dice, fp32 | Dice, int8 | int8 to fp32, mean | lowest | survives |",
        "| --- " * 7 + "|",
    ]
    for bundle in list_bundles():
        train, test = (select_cases(cases, split=split) for split in ("train", "validation"))
        if bundle.postprocessing["kind"] == "brain":
            train, test = ([case for case in part if "brainmask" in case.files] for part in (train, test))
        lines.append(row(bundle, train, test))
        print(lines[-1], flush=True)
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "int8_bundles.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
