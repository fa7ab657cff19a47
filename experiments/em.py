"""SD-UNet's ablations on the ISBI 2012 electron-microscopy stack: `python -m experiments.em`.

Trained on the first 20 sections and scored on the last 10: neighboring sections look alike, so single sections drawn at
random would be known. Cells are foreground, membranes background, as in the paper's labels.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from experiments.runner import Trained, Variant, arguments, train_variant, write_report
from LightSegLib.measures import dice, mean_iou, pixel_accuracy, segments_between_membranes, v_info, v_rand

TRAIN_SECTIONS = 20
CROP, BATCH = 192, 4
WIDTH = 16  # the paper's 64 would take days on two cores; equal for all
SEPARABLE = {"width": WIDTH, "convolution": "separable"}
VARIANTS = (
    Variant("U-Net", "unet", {"width": WIDTH}),
    Variant("U-Net + GN", "unet", {"width": WIDTH, "normalization": "group"}),
    Variant("depthwise + BN", "unet", {**SEPARABLE, "normalization": "batch"}),
    Variant("depthwise + GN", "unet", {**SEPARABLE, "normalization": "group"}),
    Variant("SD-UNet + BN", "sd_unet", {"width": WIDTH, "normalization": "batch"}),
    Variant("SD-UNet", "sd_unet", {"width": WIDTH}),
)
# The challenge scores a map of membranes at its best threshold.
THRESHOLDS = np.round(np.arange(0.1, 0.95, 0.1), 1)


class Sections:
    """Random crops of the train sections, mirrored, turned by quarters, with other brightness: (4, 1, 192, 192)."""

    def __init__(self, images: np.ndarray, cells: np.ndarray, *, seed: int) -> None:
        self._images, self._cells, self._seed = images, cells, seed

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return batch `index`; see `training.loader.Source`."""
        rng = np.random.default_rng([self._seed, index])
        crops = []
        for _ in range(BATCH):
            section = rng.integers(len(self._images))
            y, x = rng.integers(0, self._images.shape[1] - CROP + 1, 2)
            window = np.s_[section, y : y + CROP, x : x + CROP]
            crop = np.rot90(np.stack([self._images[window], self._cells[window]]), rng.integers(4), axes=(1, 2))
            crop = crop[:, :, :: rng.choice([-1, 1])].copy()
            crop[0] = crop[0] * rng.uniform(0.8, 1.2) + rng.uniform(-0.3, 0.3)
            crops.append(crop)
        batch = np.stack(crops).astype(np.float32)
        return batch[:, :1], batch[:, 1:]


def read_stack(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the sections with mean 0 and standard deviation 1 each, float32 (30, 512, 512), and their cells, bool."""
    images = [np.asarray(Image.open(path), np.float32) for path in sorted((folder / "image").glob("*.png"))]
    cells = [np.asarray(Image.open(path)) > 127 for path in sorted((folder / "label").glob("*.png"))]
    return np.stack([(image - image.mean()) / image.std() for image in images]), np.stack(cells)


def score(trained: Trained, images: np.ndarray, cells: np.ndarray) -> dict[str, float]:
    """Score a network on whole sections; V-Rand and V-Info at the threshold that suits each best on average."""
    with torch.inference_mode():
        probability = [torch.sigmoid(trained.network(torch.from_numpy(i[None, None])))[0, 0].numpy() for i in images]
    pairs = [(p >= 0.5, c) for p, c in zip(probability, cells, strict=True)]
    references = [segments_between_membranes(1.0 - c.astype(np.float32), threshold=0.5) for c in cells]
    rand, info = [], []
    for threshold in THRESHOLDS:
        found = [segments_between_membranes(1 - p, threshold=float(threshold)) for p in probability]
        rand.append(np.mean([v_rand(f, r) for f, r in zip(found, references, strict=True)]))
        info.append(np.mean([v_info(f, r) for f, r in zip(found, references, strict=True)]))
    return {
        "accuracy": float(np.mean([pixel_accuracy(p, c) for p, c in pairs])),
        "mean IoU": float(np.mean([mean_iou(p, c) for p, c in pairs])),
        "Dice": float(np.mean([dice(p, c) for p, c in pairs])),
        "V-Rand": float(max(rand)),
        "V-Info": float(max(info)),
    }


def main() -> None:
    """Train and score the six networks of the paper's Table 1."""
    options = arguments(__doc__, steps=400)
    images, cells = read_stack(options.data / "em")
    source = Sections(images[:TRAIN_SECTIONS], cells[:TRAIN_SECTIONS].astype(np.float32), seed=options.seed)
    trained = [
        train_variant(variant, source, kind="em", steps=options.steps, seed=options.seed, runs=options.runs)
        for variant in VARIANTS
    ]
    scores = [score(one, images[TRAIN_SECTIONS:], cells[TRAIN_SECTIONS:]) for one in trained]
    print(write_report("em", trained, scores, input_shape=(1, 1, 512, 512), output=options.output))


if __name__ == "__main__":
    main()
