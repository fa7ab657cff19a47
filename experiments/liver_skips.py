"""Skip connections ORG, AT, ST and SAT on liver slices: `python -m experiments.liver_skips`.

Trained on the patients of folds 1 and 2, scored on those of fold 0, each stack as a whole. The stacks have no slices
without liver and their HU are clipped, so these figures compare skip connections and nothing else.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from experiments.runner import Trained, Variant, arguments, train_variant, write_report
from LightSegLib.measures import dice

TEST_FOLD = 0
CANVAS = 128  # voxels of 3 mm: wider than any body here
PIXEL_MM = 3.0
LOWEST_HU, HIGHEST_HU = -160.0, 240.0  # what the rebuilt HU are clipped to
BATCH = 8
NETWORK = {"in_channels": 1, "out_channels": 1, "dimensions": 2, "width": 16}
VARIANTS = tuple(Variant(skip.upper(), "sat_unet", {**NETWORK, "skip": skip}) for skip in ("org", "at", "st", "sat"))


@dataclass(frozen=True)
class Stack:
    """A CT on the canvas: slices in -1..1, float32 (z, y, x), its liver, bool, and which fold it belongs to."""

    slices: np.ndarray
    liver: np.ndarray
    fold: int


class Slices:
    """Random slices of the train stacks, mirrored, scaled, shifted, with other brightness: (8, 1, 128, 128)."""

    def __init__(self, stacks: list[Stack], *, seed: int) -> None:
        self._stacks, self._seed = stacks, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`; see `training.loader.Source`."""
        rng = np.random.default_rng([self._seed, index])
        rows = []
        for _ in range(BATCH):
            stack = self._stacks[rng.integers(len(self._stacks))]
            z = rng.integers(len(stack.slices))
            rows.append(np.stack([stack.slices[z], stack.liver[z]]))
        theta = np.zeros((BATCH, 2, 3), np.float32)
        theta[:, 0, 0] = rng.uniform(0.85, 1.15, BATCH)
        theta[:, 1, 1] = rng.uniform(0.85, 1.15, BATCH)
        theta[:, :, 2] = rng.uniform(-0.1, 0.1, (BATCH, 2))
        grid = torch.nn.functional.affine_grid(torch.from_numpy(theta), [BATCH, 1, CANVAS, CANVAS], align_corners=False)
        stacked = torch.from_numpy(np.stack(rows).astype(np.float32))
        moved = torch.nn.functional.grid_sample(stacked, grid, padding_mode="border", align_corners=False).numpy()
        brightness = rng.uniform(-0.15, 0.15, (BATCH, 1, 1, 1)).astype(np.float32)
        return moved[:, :1] * rng.uniform(0.9, 1.1) + brightness, moved[:, 1:]


def read_stacks(folder: Path) -> list[Stack]:
    """Read the stacks of `cases.json` that have a fold, sampled at 3 mm in plane on the canvas."""
    stacks = []
    for case in json.loads((folder / "cases.json").read_text(encoding="utf-8")):
        if not case["case"].startswith("lits_"):
            continue
        ct = sitk.ReadImage(str(folder / case["case"] / "CT.nii.gz"), sitk.sitkFloat32)
        liver = sitk.ReadImage(str(folder / case["case"] / "liver.nii.gz"))
        hu = sitk.GetArrayFromImage(_on_canvas(ct, sitk.sitkLinear, LOWEST_HU)).clip(LOWEST_HU, HIGHEST_HU)
        scaled = 2 * (hu - LOWEST_HU) / (HIGHEST_HU - LOWEST_HU) - 1
        mask = sitk.GetArrayFromImage(_on_canvas(liver, sitk.sitkNearestNeighbor, 0)) > 0
        stacks.append(Stack(scaled.astype(np.float32), mask, int(case["fold"])))
    return stacks


def _on_canvas(image: sitk.Image, interpolator: int, outside: float) -> sitk.Image:
    image = sitk.DICOMOrient(image, "LPS")
    width, height, depth = image.GetSize()
    center = image.TransformContinuousIndexToPhysicalPoint([(width - 1) / 2, (height - 1) / 2, 0])
    half = (CANVAS - 1) / 2 * PIXEL_MM
    origin = (center[0] - half, center[1] - half, center[2])
    spacing = (PIXEL_MM, PIXEL_MM, image.GetSpacing()[2])
    return sitk.Resample(
        image, (CANVAS, CANVAS, depth), sitk.Transform(), interpolator, origin, spacing, image.GetDirection(), outside
    )


def score(trained: Trained, stacks: list[Stack]) -> dict[str, float]:
    """Return the mean and the lowest Dice over the stacks at threshold 0.5."""
    values = []
    for stack in stacks:
        with torch.inference_mode():
            parts = [trained.network(torch.from_numpy(part)) for part in np.array_split(stack.slices[:, None], 8)]
        values.append(dice(torch.cat(parts)[:, 0].numpy() > 0, stack.liver))
    return {"mean Dice": float(np.mean(values)), "lowest Dice": float(np.min(values))}


def main() -> None:
    """Train and score the four skip connections."""
    options = arguments(__doc__, steps=400)
    stacks = read_stacks(options.data / "liver")
    source = Slices([stack for stack in stacks if stack.fold != TEST_FOLD], seed=options.seed)
    trained = [
        train_variant(variant, source, kind="liver", steps=options.steps, seed=options.seed, runs=options.runs)
        for variant in VARIANTS
    ]
    scores = [score(one, [stack for stack in stacks if stack.fold == TEST_FOLD]) for one in trained]
    print(write_report("liver_skips", trained, scores, input_shape=(1, 1, CANVAS, CANVAS), output=options.output))


if __name__ == "__main__":
    main()
