"""Synthetic CT scans of the trunk with their livers, from labelled bodies."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
import torch

from LightSegLib.training.synthesis.anatomy import grid_positions, normalized, sample, smooth_field, turn_and_scale
from LightSegLib.training.synthesis.cases import as_image
from LightSegLib.training.synthesis.ct_anatomy import SPACING_MM, Body, Organ, dress, load_body
from LightSegLib.training.synthesis.ct_contrast import paint_ct
from LightSegLib.training.synthesis.ct_scanner import scan_ct

__all__ = ["CTCase", "CTLibrary"]

ROTATION_DEG, SCALING, ELASTIC_MM = 8.0, 0.15, 12.0
CLIPPED = 0.25  # share of the scans that have lost what lies outside a soft-tissue window
WINDOW = (-160.0, 240.0)


@dataclass(frozen=True)
class CTCase:
    """A synthetic scan: `image` in Hounsfield units, float32, and `liver`, uint8 mask, on one grid of 2 mm (LPS)."""

    image: sitk.Image
    liver: sitk.Image


class CTLibrary:
    """Labelled bodies, from which scans are drawn."""

    def __init__(self, labels: Path) -> None:
        """Find `abdomen/s*_labels.nii.gz` and the names of their ids in the folder `labels`."""
        folder = labels / "abdomen"
        paths = sorted(folder.glob("s*_labels.nii.gz"))
        if not paths:
            raise FileNotFoundError(f"no s*_labels.nii.gz in {folder}")
        self._bodies = [load_body(path, folder / "totalsegmentator_labels.json") for path in paths]

    def case(self, rng: np.random.Generator, *, whole: bool = False) -> CTCase:
        """Draw a scan of the whole trunk or of a part of it.

        With `whole` it is of all of the body that shows most above and below its liver, and not clipped.
        """
        chosen = max(self._bodies, key=_around_liver) if whole else self._bodies[rng.integers(len(self._bodies))]
        body = deform_body(chosen, rng)
        body = dress(body if whole else _part(body, rng), rng)
        image = scan_ct(paint_ct(body, rng), rng)
        if not whole and rng.random() < CLIPPED:
            image = image.clip(*WINDOW)
        liver = (body.organs == Organ.LIVER).astype(np.uint8)
        spacing = (SPACING_MM, SPACING_MM, SPACING_MM)
        return CTCase(image=as_image(image, spacing), liver=as_image(liver, spacing))


def _around_liver(body: Body) -> int:
    """Return how many slices lie above the liver, or below it if these are fewer; 0 without a liver."""
    liver = np.flatnonzero((body.organs == Organ.LIVER).any(axis=(1, 2)))
    return min(int(liver[0]), len(body.organs) - 1 - int(liver[-1])) if len(liver) else 0


def deform_body(body: Body, rng: np.random.Generator) -> Body:
    """Turn, scale and bend a body; it is never mirrored, because the liver lies on the right."""
    shape = body.organs.shape
    position = grid_positions(shape, turn_and_scale(rng, rotation_deg=ROTATION_DEG, scaling=SCALING))
    for scale in (40.0, 15.0):
        field = smooth_field(rng, shape, scale=scale, channels=3) * float(rng.uniform(0, ELASTIC_MM / SPACING_MM))
        position += field.permute(1, 2, 3, 0) * scale / 40
    volume = torch.from_numpy(body.organs[None].astype(np.float32))
    organs = sample(volume, normalized(position, shape), mode="nearest")[0].numpy().astype(np.uint8)
    return Body(_trim(organs))


def _trim(organs: np.ndarray) -> np.ndarray:
    """Drop slices without any label at both ends, which turning leaves."""
    kept = np.flatnonzero(organs.any(axis=(1, 2)))
    return organs[kept[0] : kept[-1] + 1]


def _part(body: Body, rng: np.random.Generator) -> Body:
    """Cut a range of slices out: most often with liver, sometimes all, sometimes none of it."""
    liver = np.flatnonzero((body.organs == Organ.LIVER).any(axis=(1, 2)))
    n = len(body.organs)
    draw = rng.random()
    if draw < 0.25 or not len(liver):
        return body
    low, high = int(liver[0]), int(liver[-1])
    if draw < 0.85:  # around the liver, which the scan's ends may cut
        start = low - round(rng.uniform(-20, 150) / SPACING_MM)
        stop = high + round(rng.uniform(-20, 150) / SPACING_MM)
    elif draw < 0.93:
        start, stop = 0, low
    else:
        start, stop = high, n
    start, stop = max(0, start), min(n, stop)
    return Body(body.organs[start:stop]) if stop - start > 20 else body
