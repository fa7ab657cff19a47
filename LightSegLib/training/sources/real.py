"""Real cases for training: as they were scanned, and as thicker slices would have shown them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.brain import foreground
from LightSegLib.errors import InputError
from LightSegLib.training.cases import Case
from LightSegLib.training.synthesis.acquisition import Protocol, acquire
from LightSegLib.training.synthesis.cases import as_image
from LightSegLib.volumes import read_labelmap, read_volume, to_lps

__all__ = ["Scan", "brain_of", "scans"]

# Thin-slice cases are resampled to this many thick-slice acquisitions, 2-8 mm.
THICK_VARIANTS = 8
THIN_MM = 1.5


@dataclass(frozen=True)
class Scan:
    """Images by channel with the masks of brain and lesion, uint8, all on one grid."""

    images: dict[str, sitk.Image]
    brain: sitk.Image
    lesion: sitk.Image


def scans(case: Case, channels: Sequence[str]) -> Iterator[Scan]:
    """Yield a case as it was scanned and, if its slices are thin, in several thicknesses, the same ones every time."""
    images = {name: to_lps(read_volume(case.path(name))) for name in channels}
    lesion = to_lps(read_labelmap(case.path("lesion")))
    brain = brain_of(case, images["FLAIR"])
    yield Scan(images, brain, lesion)
    if images["FLAIR"].GetSpacing()[2] < THIN_MM:
        rng = np.random.default_rng(0)
        for _ in range(THICK_VARIANTS):
            thick = _thicken({**images, "brain": brain, "lesion": lesion}, rng)
            yield Scan({name: thick[name] for name in channels}, thick["brain"], thick["lesion"])


def brain_of(case: Case, image: sitk.Image) -> sitk.Image:
    """Return the mask that comes with a whole head, or what a skull-stripped image shows, as at inference: uint8."""
    if "brainmask" in case.files:
        return to_lps(read_labelmap(case.path("brainmask")))
    mask = foreground(image)
    if mask is None:
        raise InputError(f"{case.folder}: a whole head without a brain mask; add `brainmask` to cases.json")
    return mask


def _thicken(images: dict[str, sitk.Image], rng: np.random.Generator) -> dict[str, sitk.Image]:
    """Average axial slices of 1 mm images to one random thickness; masks stay masks."""
    thickness = rng.uniform(2, 8)
    in_plane = rng.uniform(0.9, 1.2)
    protocol = Protocol((thickness * rng.uniform(1, 1.15), in_plane, in_plane), 0, thickness)
    shift = rng.uniform(0, thickness)
    out = {}
    for name, image in images.items():
        volume = acquire(sitk.GetArrayFromImage(image).astype(np.float32), protocol, shift=shift)
        if name in ("brain", "lesion"):
            volume = (volume > 0.5).astype(np.uint8)
        out[name] = as_image(volume, protocol.spacing_mm)
    return out
