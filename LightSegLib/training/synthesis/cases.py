"""Whole synthetic cases: a FLAIR with T1 and lesions, or a head of any contrast with its brain mask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LightSegLib.training.synthesis.acquisition import Protocol, acquire, corrupt, draw_protocol
from LightSegLib.training.synthesis.anatomy import Head, Tissue, brain_mask, crop_to_brain, deform, load_head
from LightSegLib.training.synthesis.contrast import add_choroid_plexus, flair, random_contrast, t1
from LightSegLib.training.synthesis.lesions import LesionAtlas, Lesions, draw_lesions, plant

__all__ = ["MARGIN_MM", "FlairCase", "HeadCase", "HeadLibrary", "as_image", "atrophy"]

MARGIN_MM = 6
INTENSITY_OF_WHITE_MATTER = 400.0


@dataclass(frozen=True)
class FlairCase:
    """A synthetic patient; all images share one grid. `lesion` and `brain` are uint8 masks."""

    flair: sitk.Image
    t1: sitk.Image
    lesion: sitk.Image
    brain: sitk.Image


@dataclass(frozen=True)
class HeadCase:
    """A synthetic head of random contrast; `brain` is a uint8 mask on the same grid."""

    image: sitk.Image
    brain: sitk.Image


def as_image(array: np.ndarray, spacing_zyx: tuple[float, float, float]) -> sitk.Image:
    """Wrap (z, y, x) as an image with LPS axes, centered on the origin."""
    image = sitk.GetImageFromArray(np.ascontiguousarray(array))
    image.SetSpacing([float(s) for s in reversed(spacing_zyx)])
    extent = [(n - 1) * s for n, s in zip(array.shape, spacing_zyx, strict=True)]
    image.SetOrigin([-e / 2 for e in reversed(extent)])
    return image


class HeadLibrary:
    """Labelled heads and real lesion masks, from which cases are drawn."""

    def __init__(self, labels: Path) -> None:
        """Read the folder of label maps: `brain/head_*.nii.gz` and `lesions/*.npz`."""
        self._paths = sorted((labels / "brain").glob("head_*.nii.gz"))
        if not self._paths:
            raise FileNotFoundError(f"no head_*.nii.gz in {labels / 'brain'}")
        self._atlas = LesionAtlas(labels / "lesions")

    def _head(self, rng: np.random.Generator) -> Head:
        return load_head(self._paths[rng.integers(len(self._paths))])

    def flair_case(
        self, rng: np.random.Generator, *, protocol: Protocol | None = None, skull: bool = False
    ) -> FlairCase:
        """Draw a patient: FLAIR, T1, lesions and brain mask on the grid of one acquisition."""
        head = self._head(rng)
        if not skull:
            head = crop_to_brain(head, margin=MARGIN_MM)
        head = plant(head, self._atlas, rng)
        head = deform(head, rng, rotation_deg=10, scaling=0.1, elastic_mm=6)
        head = Head(add_choroid_plexus(atrophy(head.tissues, rng), rng), head.lesions)
        lesions = draw_lesions(head, rng)
        protocol = protocol or draw_protocol(rng)
        shift = rng.uniform(0, protocol.spacing_mm[protocol.slice_axis])
        brain = _strip(head.tissues, brain_mask(head.tissues), rng)

        def scan(volume: np.ndarray) -> sitk.Image:
            picture = corrupt(acquire(volume, protocol, shift=shift), rng)
            return as_image(picture * INTENSITY_OF_WHITE_MATTER, protocol.spacing_mm)

        def mask(volume: np.ndarray) -> sitk.Image:
            return as_image((acquire(volume, protocol, shift=shift) > 0.5).astype(np.uint8), protocol.spacing_mm)

        return FlairCase(
            flair=scan(flair(head.tissues, lesions, rng)),
            t1=scan(t1(head.tissues, lesions, rng)),
            lesion=mask(lesions.fraction > 0.5),
            brain=mask(brain),
        )

    def head_cases(self, rng: np.random.Generator, *, contrasts: int) -> list[HeadCase]:
        """Draw one head and scan it with several random contrasts; a third of the scans are skull-stripped."""
        head = deform(_surround(self._head(rng), rng), rng, rotation_deg=15, scaling=0.12, elastic_mm=8)
        truth = brain_mask(head.tissues)
        cases = []
        for _ in range(contrasts):
            protocol = draw_protocol(rng)
            picture = _any_contrast(head.tissues, rng)
            if rng.random() < 0.33:
                picture = np.where(_strip(head.tissues, truth, rng), picture, 0)
            low, high = _field_of_view(truth, rng)
            scanned = corrupt(acquire(picture[low:high], protocol), rng)
            if rng.random() < 0.5:  # many scanners and tools zero the air
                scanned[scanned < rng.uniform(0.01, 0.05)] = 0
            brain = acquire(truth[low:high], protocol) > 0.5
            scale = rng.choice([1.0, 100.0, 1000.0])
            cases.append(
                HeadCase(
                    as_image(scanned * scale, protocol.spacing_mm),
                    as_image(brain.astype(np.uint8), protocol.spacing_mm),
                )
            )
        return cases


def _surround(head: Head, rng: np.random.Generator) -> Head:
    """Put 0-40 mm of air around a head, whose label map ends at the skin: scanners show more."""
    margins = [(0, int(rng.integers(0, 15))), *(tuple(rng.integers(0, 40, 2)) for _ in range(2))]
    return Head(np.pad(head.tissues, margins), np.pad(head.lesions, margins))


def _field_of_view(brain: np.ndarray, rng: np.random.Generator) -> tuple[int, int]:
    """Draw where an acquisition starts and ends along z: mostly around the brain, sometimes cutting into it."""
    filled = np.flatnonzero(brain.any(axis=(1, 2)))
    bottom, top = int(filled[0]), int(filled[-1])
    if rng.random() < 0.3:
        return 0, len(brain)
    low = bottom + int(rng.integers(-40, 25))
    high = top + int(rng.integers(-15, 30))
    return max(0, low), min(len(brain), high)


def _any_contrast(tissues: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint a FLAIR or T1 without lesions, or, as often as both together, a contrast that no sequence has."""
    nothing = np.zeros(tissues.shape, np.float32)
    healthy = Lesions(nothing, nothing, nothing)
    choice = rng.random()
    if choice < 0.25:
        return flair(tissues, healthy, rng)
    if choice < 0.5:
        return t1(tissues, healthy, rng)
    return random_contrast(tissues, rng)


def atrophy(tissues: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Widen the lateral ventricles into white matter by 0-4 mm, as age and disease do."""
    steps = int(rng.choice([0, 0, 0, 1, 2, 3, 4]))
    if not steps:
        return tissues
    wide = ndimage.binary_dilation(tissues == Tissue.LATERAL_VENTRICLE, iterations=steps)
    return np.where(wide & (tissues == Tissue.WHITE_MATTER), np.uint8(Tissue.LATERAL_VENTRICLE), tissues)


def _strip(tissues: np.ndarray, brain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a brain mask as a tool would draw it: with or without outer fluid, too tight or too wide by 1-2 mm."""
    mask = brain & (tissues != Tissue.FLUID) if rng.random() < 0.3 else brain
    steps = int(rng.integers(-2, 3))
    if steps > 0:
        mask = ndimage.binary_dilation(mask, iterations=steps)
    elif steps < 0:
        mask = ndimage.binary_erosion(mask, iterations=-steps)
    return mask
