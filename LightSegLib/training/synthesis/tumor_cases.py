"""Whole synthetic patients with a brain tumor: four co-registered images, the label map and the brain mask."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from LightSegLib.training.synthesis.acquisition import Protocol, acquire, corrupt
from LightSegLib.training.synthesis.anatomy import Head, Tissue, brain_mask, crop_to_brain, deform, load_head
from LightSegLib.training.synthesis.cases import MARGIN_MM, as_image, atrophy
from LightSegLib.training.synthesis.contrast import add_choroid_plexus
from LightSegLib.training.synthesis.lesions import LesionAtlas, Lesions, draw_lesions, plant
from LightSegLib.training.synthesis.tumor_contrast import CHANNELS, Patient, paint
from LightSegLib.training.synthesis.tumor_growth import (
    draw_cavity,
    infiltrate,
    middle_for_tumor,
    push_aside,
    signed_distance,
    to_fine,
)
from LightSegLib.training.synthesis.tumor_masks import TumorMasks, place
from LightSegLib.training.synthesis.tumor_shapes import grow, thin_out

__all__ = ["TumorCase", "TumorLibrary"]

# What patients have, and how often. "mask" is a real tumor's shape; "none" are patients without a tumor.
KINDS = {"mask": 0.48, "ring": 0.13, "solid": 0.07, "low_grade": 0.18, "small": 0.1, "none": 0.04}
INTENSITY_OF_WHITE_MATTER = 400.0
NOISE = 0.45  # of what `corrupt` does to a single scan: published tumor cases are clean
FINE_MM = 1.2  # a channel with thinner slices is painted as it is


@dataclass(frozen=True)
class TumorCase:
    """A synthetic patient, skull-stripped at 1 mm; all images share one grid.

    `images` by channel (T1, T1ce, T2, FLAIR), 0 outside the brain; `labels`: 1 necrotic and non-enhancing core,
    2 edema, 3 enhancing tumor; `brain`: mask, as `labels` uint8.
    """

    images: dict[str, sitk.Image]
    labels: sitk.Image
    brain: sitk.Image


class TumorLibrary:
    """Labelled heads, real tumor masks and real lesion masks, from which patients are drawn."""

    def __init__(self, labels: Path) -> None:
        """Find `brain/head_*.nii.gz` and `tumor_masks/*.nii.gz`, read `lesions/*.npz`; all in one folder."""
        self._heads = sorted((labels / "brain").glob("head_*.nii.gz"))
        if not self._heads:
            raise FileNotFoundError(f"no head_*.nii.gz in {labels / 'brain'}")
        self._masks = TumorMasks(labels / "tumor_masks")
        self._lesions = LesionAtlas(labels / "lesions")

    def case(self, rng: np.random.Generator, *, kind: str | None = None) -> TumorCase:
        """Draw a patient; `kind` is one of KINDS, at random by their weights if it is None."""
        patient = self.patient(rng, kind=kind or str(rng.choice(list(KINDS), p=list(KINDS.values()))))
        images = paint(patient, rng)
        stripped = _strip(patient, rng)
        shown = _scan(images, stripped, rng)
        one_mm = (1.0, 1.0, 1.0)
        return TumorCase(
            images={name: as_image(np.where(stripped, shown[name], 0), one_mm) for name in CHANNELS},
            labels=as_image(patient.labels, one_mm),
            brain=as_image(stripped.astype(np.uint8), one_mm),
        )

    def patient(self, rng: np.random.Generator, *, kind: str) -> Patient:
        """Draw the anatomy of a patient with a tumor of one of KINDS."""
        head = crop_to_brain(load_head(self._heads[rng.integers(len(self._heads))]), margin=MARGIN_MM)
        old = rng.random() < 0.3  # white matter hyperintensities of age
        head = plant(head, self._lesions, rng) if old else Head(head.tissues, np.zeros_like(head.lesions))
        head = deform(head, rng, rotation_deg=8, scaling=0.1, elastic_mm=5)
        tissues = head.tissues if rng.random() < 0.4 else _narrow_sulci(head.tissues)
        head = Head(add_choroid_plexus(atrophy(tissues, rng), rng), head.lesions)
        brain = brain_mask(head.tissues)
        labels = self._plan(kind, head, brain, rng)
        low_grade = not (labels == 3).any()
        if labels.any():
            head = push_aside(head, labels, brain, rng)
            labels = infiltrate(labels, head.tissues, brain, rng)
        cavity = None
        if rng.random() < (0.5 if kind == "none" else 0.06):
            cavity = draw_cavity(head, brain & (labels == 0), rng)
        nothing = np.zeros(labels.shape, np.float32)
        lesions = draw_lesions(head, rng) if old else Lesions(nothing, nothing, nothing)
        faint = rng.random() < (0.4 if kind == "small" else 0.2)
        return Patient(
            tissues=head.tissues,
            lesions=lesions,
            labels=labels,
            brain=brain,
            cavity=cavity,
            low_grade=low_grade,
            visibility=float(rng.uniform(0.25, 0.7) if faint else rng.uniform(0.7, 1.15)),
        )

    def _plan(self, kind: str, head: Head, brain: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """Draw the labels of a tumor before the head shapes it; sometimes it has a second focus."""
        if kind == "none":
            return np.zeros(brain.shape, np.uint8)
        center = middle_for_tumor(head.tissues, rng)
        if kind == "mask":
            labels = place(self._masks.draw(rng), brain, center, rng)
        else:
            labels = grow(kind, brain.shape, center, rng)
        if kind in ("mask", "ring", "solid") and rng.random() < 0.25:
            labels = thin_out(labels, rng)
        if rng.random() < 0.1:
            near = center + rng.normal(0, 18, 3)
            satellite = grow("small", brain.shape, near, rng)
            labels = np.where(satellite > 1, satellite, np.where(labels > 0, labels, satellite))
        return labels


def _narrow_sulci(tissues: np.ndarray) -> np.ndarray:
    """Let the cortex grow into the fluid by 1 mm: most of the labelled heads are those of elderly people."""
    grown = ndimage.binary_dilation(tissues == Tissue.CORTEX) & (tissues == Tissue.FLUID)
    return np.where(grown, np.uint8(Tissue.CORTEX), tissues)


def _strip(patient: Patient, rng: np.random.Generator) -> np.ndarray:
    """Return a brain mask as a tool would draw it, bool: 4 mm of outer fluid gone, or 1 mm more than the brain."""
    edge = to_fine(signed_distance(patient.brain), patient.brain.shape) < rng.uniform(-4, 1)
    solid = ~np.isin(patient.tissues, (Tissue.FLUID, Tissue.BACKGROUND)) & (patient.tissues < Tissue.OUTSIDE)
    return edge | (patient.brain & solid) | (patient.labels > 0)


def _scan(images: dict[str, np.ndarray], brain: np.ndarray, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Scan all channels alike or one of them thicker, with bias, motion and noise, and bring them back to 1 mm."""
    thin = rng.random() < 0.4
    thickness = 1.0 if thin else rng.uniform(2, 6)
    other = dict.fromkeys(images, thickness)
    if rng.random() < 0.6:
        other[str(rng.choice(list(images)))] = rng.uniform(2, 6) if thin else rng.uniform(1, 6)
    shown = {}
    for name, image in images.items():
        axis = 0 if rng.random() < 0.85 else int(rng.integers(1, 3))
        shown[name] = _scan_one(image, other[name], axis, rng) * INTENSITY_OF_WHITE_MATTER
    return shown


def _scan_one(image: np.ndarray, thickness: float, axis: int, rng: np.random.Generator) -> np.ndarray:
    sharp = ndimage.gaussian_filter(image, rng.uniform(0.35, 0.7), truncate=3)
    if thickness < FINE_MM:
        return corrupt(sharp, rng, strength=NOISE)
    spacing = [1.0, 1.0, 1.0]
    spacing[axis] = thickness
    protocol = Protocol((spacing[0], spacing[1], spacing[2]), axis, thickness)
    shift = rng.uniform(0, thickness)
    scanned = corrupt(acquire(sharp, protocol, shift=shift), rng, strength=NOISE)
    offset = [0.0] * 3
    offset[axis] = -shift / thickness
    return ndimage.affine_transform(
        scanned, 1 / np.array(spacing), offset, output_shape=image.shape, order=1, mode="nearest", output=np.float32
    )
