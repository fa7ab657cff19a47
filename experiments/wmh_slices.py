"""ACU-Net against the U-Net whose place it takes, on slices: `python -m experiments.wmh_slices`.

Trained on synthetic patients and the train cases as wmh-acu is, but for fewer and smaller batches, and scored on the
validation cases. The paper's claim: one to two points of Dice less than the U-Net at a twentieth of its size.
"""

from __future__ import annotations

import numpy as np
import SimpleITK as sitk
import torch

from experiments.runner import Trained, Variant, arguments, train_variant, write_report
from LightSegLib.measures import dice, lesion_f1
from LightSegLib.preprocess import BrainSlices
from LightSegLib.training.bundle_card import card_preprocessor
from LightSegLib.training.cases import Case, read_cases, select_cases
from LightSegLib.training.sources import build_source
from LightSegLib.training.sources.real import brain_of
from LightSegLib.volumes import read_labelmap, read_volume, to_lps

PATIENTS = 220
BATCH = 4
SHARES = {"synthetic": 0.4, "ms3seg": 0.28, "mslesseg": 0.19, "lesjak": 0.13}
VARIANTS = (
    Variant("ACU-Net", "acu", {"in_channels": 4, "out_channels": 1}),
    Variant("U-Net-small", "unet", {"in_channels": 4, "out_channels": 1, "width": 32}),
)
SLICES_AT_A_TIME = 8


def score(trained: Trained, cases: list[Case]) -> dict[str, float]:
    """Return mean Dice and lesion F1 over the cases at a probability of one half, nothing else done to the result."""
    preprocessor = card_preprocessor("wmh-acu", BrainSlices, needed="slices of the brain")
    values = []
    for case in cases:
        images = {name: to_lps(read_volume(case.path(name))) for name in preprocessor.channels}
        prepared = preprocessor.prepare(images, brain=brain_of(case, images["FLAIR"]))
        with torch.inference_mode():
            parts = torch.from_numpy(prepared.array).split(SLICES_AT_A_TIME)
            probability = torch.cat([torch.sigmoid(trained.network(part)) for part in parts]).numpy()
        (found,) = (sitk.GetArrayFromImage(image) >= 0.5 for image in prepared.restore(probability))
        truth = sitk.GetArrayFromImage(to_lps(read_labelmap(case.path("lesion")))) > 0
        values.append((dice(found, truth), lesion_f1(found, truth)))
    means = np.mean(values, axis=0)
    return {"mean Dice": float(means[0]), "mean lesion F1": float(means[1])}


def main() -> None:
    """Train and score both networks."""
    options = arguments(__doc__, steps=400)
    settings = {"kind": "wmh", "batch": BATCH, "synthetic": PATIENTS, "shares": SHARES}
    source = build_source(settings, data=options.data, cache=options.cache, seed=options.seed)
    trained = [
        train_variant(variant, source, kind="wmh", steps=options.steps, seed=options.seed, runs=options.runs)
        for variant in VARIANTS
    ]
    cases = select_cases(read_cases(options.data / "wmh"), split="validation")
    scores = [score(one, cases) for one in trained]
    print(write_report("wmh_slices", trained, scores, input_shape=(1, 4, 224, 176), output=options.output))


if __name__ == "__main__":
    main()
