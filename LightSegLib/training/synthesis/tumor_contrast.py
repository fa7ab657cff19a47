"""Intensities of the four contrasts of a tumor protocol: T1, T1ce, T2 and FLAIR. White matter is about 1.

The same tumor is painted four times: edema bright on T2 and FLAIR and a little dark on T1, the core dark on T1 and
bright on T2, on FLAIR anything between fluid and edema, enhancement bright on T1ce alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from LightSegLib.training.synthesis.anatomy import Tissue, smooth_field, winding_tubes
from LightSegLib.training.synthesis.contrast import flair, t1, t2
from LightSegLib.training.synthesis.lesions import Lesions
from LightSegLib.training.synthesis.tumor_growth import Cavity, signed_distance, to_fine

__all__ = ["CHANNELS", "Patient", "paint"]

CHANNELS = ("T1", "T1ce", "T2", "FLAIR")
CORE, EDEMA, ENHANCING = 1, 2, 3
MARGIN = 4  # voxels around a tumor that its soft borders reach
Levels = Mapping[str, float]


@dataclass(frozen=True)
class Patient:
    """What the four images show, all (z, y, x) at 1 mm."""

    tissues: np.ndarray  # uint8, `Tissue`
    lesions: Lesions  # white matter lesions that are not tumor
    labels: np.ndarray  # uint8: 1 core, 2 edema, 3 enhancing tumor
    brain: np.ndarray  # bool
    cavity: Cavity | None
    low_grade: bool  # the core is solid tumor, not necrosis
    visibility: float  # contrast of the tumor to its surroundings, 1 = usual


def paint(patient: Patient, rng: np.random.Generator) -> dict[str, np.ndarray]:
    """Paint the four contrasts of a patient: float32 (z, y, x) by channel."""
    tissues, lesions = patient.tissues, patient.lesions
    images = {"T1": t1(tissues, lesions, rng), "T2": t2(tissues, lesions, rng)}
    images["FLAIR"] = _flatten_fluid(flair(tissues, lesions, rng), tissues, rng)
    # Some centers take up contrast with the same sequence as before, others with another one.
    images["T1ce"] = images["T1"].copy() if rng.random() < 0.4 else t1(tissues, lesions, rng)
    depth = -to_fine(signed_distance(patient.brain), tissues.shape)
    images["T1ce"] = _vessels(images["T1ce"], patient, depth, rng)
    if rng.random() < 0.4:
        _leave_skin(images, depth, rng)
    if patient.cavity is not None:
        _cavity(images, patient.cavity, rng)
    if patient.labels.any():
        _tumor(images, patient, rng)
    return {name: images[name].astype(np.float32, copy=False) for name in CHANNELS}


def _between(rng: np.random.Generator, **ranges: tuple[float, float]) -> dict[str, float]:
    return {name: float(rng.uniform(*pair)) for name, pair in ranges.items()}


def _levels(low_grade: bool, rng: np.random.Generator) -> dict[int, Levels]:
    """Draw the intensity of each label on each channel, in standard deviations above the mean of the healthy brain.

    The ranges hold what the z-scored means of real cases' labels show, and half as much again around it.
    """
    edema = _between(rng, T1=(-1.1, 0.6), T2=(0.4, 2.5), FLAIR=(1.6, 3.5))
    edema["T1ce"] = edema["T1"] + rng.uniform(-0.5, 0.1)
    core = {"T1": edema["T1"] - rng.uniform(-0.2, 1.8), "T2": edema["T2"] + rng.uniform(-0.2, 2.4)}
    core["FLAIR"] = rng.uniform(1.7, 3.8) if low_grade else rng.uniform(-0.8, 3.8)
    core["T1ce"] = core["T1"] + (rng.uniform(-0.4, 0.2) if low_grade else rng.uniform(-0.3, 0.9))
    enhancing = _between(rng, T1=(-1.4, 0.9), T2=(0.1, 2.2), T1ce=(1.1, 4.4))
    enhancing["FLAIR"] = (edema["FLAIR"] + core["FLAIR"]) / 2 + rng.uniform(-0.4, 1.2)
    return {EDEMA: edema, CORE: core, ENHANCING: enhancing}


def _tumor(images: dict[str, np.ndarray], patient: Patient, rng: np.random.Generator) -> None:
    """Blend the tumor into the images, in place."""
    found = ndimage.find_objects((patient.labels > 0).view(np.uint8))[0]
    box = tuple(slice(max(0, s.start - MARGIN), s.stop + MARGIN) for s in found)
    labels, shape = patient.labels[box], patient.labels[box].shape
    levels = _levels(patient.low_grade, rng)
    coarse, fine = (smooth_field(rng, shape, scale=scale)[0].numpy() for scale in (rng.uniform(6, 14), 3.0))
    strands = np.abs(smooth_field(rng, shape, scale=rng.uniform(5, 9))[0].numpy())
    cystic = patient.low_grade and rng.random() < 0.4
    cysts = ((coarse - rng.uniform(0.4, 1.2)) * 4).clip(0, 1) if cystic else np.zeros(shape, np.float32)
    blood = ((coarse - 0.7) * 2).clip(0, 1) * float(rng.random() < 0.12) * rng.uniform(0.5, 2.5)
    share = {label: _soft(labels == label, rng, edge) for label, edge in ((EDEMA, 1.2), (CORE, 0.7), (ENHANCING, 0.6))}
    # Gray matter within edema keeps some of its own signal: the bright fingers are white matter.
    gray = np.isin(patient.tissues[box], (Tissue.CORTEX, Tissue.PUTAMEN, Tissue.CAUDATE, Tissue.THALAMUS))
    share[EDEMA] *= 1 - rng.uniform(0, 0.5) * gray
    share[EDEMA] *= (1 + rng.uniform(0, 0.3) * (coarse - 0.5)).clip(0.3, 1)
    for name, image in images.items():
        mean, deviation, white = _reference(image, patient)
        part = image[box]
        for label in (EDEMA, CORE, ENHANCING):
            z = levels[label][name] + rng.uniform(-1.4, 1.4) * coarse + rng.uniform(0.3, 1.05) * fine
            if label == CORE:
                z += cysts * ({"T1": -2.0, "T1ce": -2.0, "T2": 4.0, "FLAIR": -1.5}[name] - z)
                if not patient.low_grade:  # strands of tissue in the necrosis
                    z += (strands < 0.12) * {"T1ce": 1.0, "FLAIR": 0.5}.get(name, 0.0)
            if label == ENHANCING and name == "T1ce":
                z += 1.2 * fine - 1.5 * (strands < 0.2)
            if label != EDEMA and name == "T1":
                z += blood
            level = white + patient.visibility * (mean + z * deviation - white)
            part += share[label] * (level - part)
        np.maximum(part, 0.02, out=part)


def _reference(image: np.ndarray, patient: Patient) -> tuple[float, float, float]:
    """Return mean and standard deviation of the brain, and the median of white matter, of some of the voxels."""
    sparse = (slice(None, None, 3),) * 3
    values, tissues, brain = image[sparse], patient.tissues[sparse], patient.brain[sparse]
    white = values[tissues == Tissue.WHITE_MATTER]
    return float(values[brain].mean()), float(values[brain].std()), float(np.median(white)) if white.size else 1.0


def _soft(mask: np.ndarray, rng: np.random.Generator, edge: float) -> np.ndarray:
    return ndimage.gaussian_filter(mask.astype(np.float32), rng.uniform(0.4, 1) * edge, truncate=3)


def _flatten_fluid(image: np.ndarray, tissues: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Make fluid less dark and gray matter brighter: FLAIRs of tumor protocols are flatter than those of `flair`."""
    lifted = image + rng.uniform(0.1, 0.6) * (0.85 - image).clip(0)
    return lifted + rng.uniform(0, 0.2) * np.isin(tissues, (Tissue.CORTEX, Tissue.CEREBELLAR_CORTEX))


def _leave_skin(images: dict[str, np.ndarray], depth: np.ndarray, rng: np.random.Generator) -> None:
    """Leave bright patches of fat and skin where the brain's `depth` (mm) is small, in place, as extraction may."""
    patches = smooth_field(rng, depth.shape, scale=rng.uniform(15, 35))[0].numpy()
    left = ((depth < rng.uniform(0.5, 3)) & (patches > rng.uniform(0.3, 1.3))).astype(np.float32)
    left = ndimage.gaussian_filter(left, rng.uniform(0.5, 1), truncate=3)
    for name, image in images.items():
        if name.startswith("T1") or rng.random() < 0.5:
            image += left * (rng.uniform(1.1, 2.6) - image).clip(0)


def _vessels(image: np.ndarray, patient: Patient, depth: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Let vessels, choroid plexus and patches of the meninges take up contrast: bright, and no tumor.

    `depth` is the distance below the brain's surface in mm.
    """
    shape, tissues = image.shape, patient.tissues
    level = rng.uniform(1.4, 3.4)
    field = winding_tubes(rng, shape, scales=(7.0, 9.0))
    wide = rng.uniform(0.03, 0.09)
    dense = np.isin(tissues, (Tissue.FLUID, Tissue.CORTEX))
    tubes = (field < wide * (1 + dense)) & (tissues > 0) & (tissues < Tissue.OUTSIDE)
    bright = tubes.astype(np.float32)
    if rng.random() < 0.7:
        bright[np.isin(tissues, (Tissue.CHOROID_PLEXUS, Tissue.VESSEL))] = rng.uniform(0.4, 1)
    edge = patient.brain & (depth < rng.uniform(1, 3.5))
    patches = smooth_field(rng, shape, scale=rng.uniform(10, 30))[0].numpy()
    bright[edge & (patches > rng.uniform(0.2, 1.5))] = rng.uniform(0.4, 1)
    middle = shape[2] // 2
    falx = np.zeros(shape, bool)
    falx[:, :, middle - 3 : middle + 4] = True
    bright[falx & patient.brain & (depth < 6) & (tissues == Tissue.FLUID)] = 1  # the sagittal sinus
    bright = ndimage.gaussian_filter(bright, rng.uniform(0.4, 0.8), truncate=3)
    return image + bright * (level - image).clip(0)


def _cavity(images: dict[str, np.ndarray], cavity: Cavity, rng: np.random.Generator) -> None:
    """Fill a resection cavity with fluid and paint its border, in place."""
    inside, border = (_soft(mask, rng, 0.8) for mask in (cavity.inside, cavity.border))
    fluid = _between(rng, T1=(0.25, 0.5), T2=(2.2, 3.6), FLAIR=(0.15, 0.9))
    scar = _between(rng, T1=(0.7, 1.0), T2=(1.2, 1.8), FLAIR=(1.2, 2.0))
    fluid["T1ce"] = fluid["T1"]
    scar["T1ce"] = rng.choice([scar["T1"], rng.uniform(1.3, 2.2)])
    for name, image in images.items():
        image += border * (scar[name] - image)
        image += inside * (fluid[name] - image)
