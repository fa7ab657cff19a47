"""Intensities of tissues and lesions: like FLAIR, T1 or T2, or any contrast at all. White matter is about 1."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from LightSegLib.training.synthesis.anatomy import Tissue, smooth_field
from LightSegLib.training.synthesis.lesions import Lesions

__all__ = ["add_choroid_plexus", "flair", "random_contrast", "t1", "t2"]

GRAY = (
    Tissue.CORTEX,
    Tissue.THALAMUS,
    Tissue.CAUDATE,
    Tissue.PUTAMEN,
    Tissue.PALLIDUM,
    Tissue.HIPPOCAMPUS,
    Tissue.AMYGDALA,
    Tissue.ACCUMBENS,
    Tissue.VENTRAL_DIENCEPHALON,
    Tissue.CEREBELLAR_CORTEX,
)
FLUIDS = (Tissue.VENTRICLE, Tissue.LATERAL_VENTRICLE, Tissue.FLUID)
LEVELS = 64


def add_choroid_plexus(tissues: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Grow strands of choroid plexus in the lateral ventricles of a copy of `tissues`."""
    field = smooth_field(rng, tissues.shape, scale=rng.uniform(4, 8))[0].numpy()
    region = smooth_field(rng, tissues.shape, scale=rng.uniform(15, 30))[0].numpy()
    where = (tissues == Tissue.LATERAL_VENTRICLE) & (region > rng.uniform(0.2, 1.2))
    strands = where & (np.abs(field) < rng.uniform(0.1, 0.4))
    return np.where(strands, np.uint8(Tissue.CHOROID_PLEXUS), tissues)


def _paint(tissues: np.ndarray, levels: np.ndarray, rng: np.random.Generator, *, texture: float) -> np.ndarray:
    image = levels.astype(np.float32)[tissues]
    variation = smooth_field(rng, tissues.shape, scale=rng.uniform(5, 12))[0].numpy()
    variation += smooth_field(rng, tissues.shape, scale=rng.uniform(20, 40))[0].numpy()
    return image * (1 + texture * variation)


def _outside(levels: np.ndarray, rng: np.random.Generator, *, brightest: float) -> None:
    levels[Tissue.OUTSIDE :] = rng.uniform(0.05, brightest, LEVELS - Tissue.OUTSIDE)


def flair(tissues: np.ndarray, lesions: Lesions, rng: np.random.Generator) -> np.ndarray:
    """Paint a FLAIR: fluid dark, gray matter a little brighter than white, lesions brighter still; (z, y, x)."""
    levels = np.zeros(LEVELS)
    cortex = rng.uniform(1.02, 1.45)
    levels[Tissue.WHITE_MATTER] = 1
    levels[list(GRAY)] = 1 + (cortex - 1) * rng.uniform(0.2, 1.3, len(GRAY))
    levels[Tissue.CORTEX] = cortex
    levels[Tissue.PALLIDUM] = rng.uniform(0.7, 1.1)
    levels[[Tissue.HIPPOCAMPUS, Tissue.AMYGDALA]] *= rng.uniform(1.0, 1.15)
    levels[Tissue.BRAIN_STEM] = rng.uniform(0.95, 1.25)
    levels[Tissue.CEREBELLAR_WHITE_MATTER] = rng.uniform(0.9, 1.15)
    fluid = rng.uniform(0.03, 0.5)
    levels[list(FLUIDS)] = fluid
    levels[Tissue.FLUID] = fluid + rng.uniform(0, 0.25)
    levels[Tissue.VESSEL] = rng.uniform(0.2, 1.3)
    levels[Tissue.CHOROID_PLEXUS] = rng.uniform(0.5, 1.7)
    _outside(levels, rng, brightest=2.2)
    image = _paint(tissues, levels, rng, texture=rng.uniform(0.01, 0.05))
    if rng.random() < 0.3:  # cortex is not equally bright everywhere: insula, cingulum
        patches = smooth_field(rng, tissues.shape, scale=25)[0].numpy().clip(0, 2)
        image += np.where(np.isin(tissues, (Tissue.CORTEX,)), patches * rng.uniform(0, 0.2), 0)
    if rng.random() < 0.25:  # flow artifacts in the fluid
        flow = smooth_field(rng, tissues.shape, scale=8)[0].numpy().clip(0, 2)
        image += np.where(np.isin(tissues, FLUIDS), flow * rng.uniform(0, 0.5), 0)
    contrast = float(np.exp(rng.uniform(np.log(0.18), np.log(1.1)))) + max(0.0, cortex - 1.25)
    return _blend(image, lesions, 1 + contrast * lesions.brightness, 1 + contrast, rng)


def t1(tissues: np.ndarray, lesions: Lesions, rng: np.random.Generator) -> np.ndarray:
    """Paint a T1: white matter brightest, fluid dark, lesions between gray matter and white; (z, y, x)."""
    levels = np.zeros(LEVELS)
    cortex = rng.uniform(0.55, 0.95)
    levels[Tissue.WHITE_MATTER] = 1
    levels[list(GRAY)] = cortex + (1 - cortex) * rng.uniform(0, 0.8, len(GRAY))
    levels[Tissue.CORTEX] = cortex
    levels[[Tissue.BRAIN_STEM, Tissue.CEREBELLAR_WHITE_MATTER]] = rng.uniform(0.9, 1.05, 2)
    levels[list(FLUIDS)] = rng.uniform(0.1, 0.5)
    levels[Tissue.VESSEL] = rng.uniform(0.3, 1.8)
    levels[Tissue.CHOROID_PLEXUS] = rng.uniform(0.4, 1.5)
    _outside(levels, rng, brightest=2.5)
    image = _paint(tissues, levels, rng, texture=rng.uniform(0.01, 0.05))
    darkening = rng.uniform(0, 1 - levels[Tissue.FLUID]) * 0.7
    return _blend(image, lesions, 1 - darkening * lesions.brightness, 1 - darkening, rng)


def t2(tissues: np.ndarray, lesions: Lesions, rng: np.random.Generator) -> np.ndarray:
    """Paint a T2: fluid brightest, gray matter brighter than white, lesions brighter than both; (z, y, x)."""
    levels = np.zeros(LEVELS)
    cortex = rng.uniform(1.15, 1.6)
    levels[Tissue.WHITE_MATTER] = 1
    levels[list(GRAY)] = 1 + (cortex - 1) * rng.uniform(0.3, 1.2, len(GRAY))
    levels[Tissue.CORTEX] = cortex
    levels[Tissue.PALLIDUM] = rng.uniform(0.6, 0.95)
    levels[[Tissue.BRAIN_STEM, Tissue.CEREBELLAR_WHITE_MATTER]] = rng.uniform(0.95, 1.25, 2)
    fluid = rng.uniform(2.0, 3.8)
    levels[list(FLUIDS)] = fluid
    levels[Tissue.FLUID] = fluid * rng.uniform(0.65, 1)  # sulci hold vessels, which are dark
    levels[Tissue.VESSEL] = rng.uniform(0.3, 1.5)
    levels[Tissue.CHOROID_PLEXUS] = rng.uniform(1.2, fluid)
    _outside(levels, rng, brightest=2.5)
    image = _paint(tissues, levels, rng, texture=rng.uniform(0.01, 0.05))
    brightening = rng.uniform(0.2, 0.7) * (fluid - 1)
    return _blend(image, lesions, 1 + brightening * lesions.brightness, 1 + brightening, rng)


def random_contrast(tissues: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Paint every tissue at a random intensity, so that a network learns shape and not contrast; (z, y, x).

    Source: the idea of SynthStrip (Hoopes et al., 2022). Fluid and gray and white matter differ by chance from each
    other and from what lies outside; a bright or dark mass may sit in the brain, as a tumor would.
    """
    levels = rng.uniform(0.05, 1.0, LEVELS)
    levels[Tissue.BACKGROUND] = 0 if rng.random() < 0.8 else rng.uniform(0, 0.1)
    for members, spread in ((FLUIDS, 0.05), (GRAY, 0.1), ((Tissue.WHITE_MATTER, Tissue.CEREBELLAR_WHITE_MATTER), 0.03)):
        levels[list(members)] = (rng.uniform(0.05, 1.0) + rng.uniform(-spread, spread, len(members))).clip(0.02)
    if rng.random() < 0.5:  # often the scalp and fat are by far the brightest, and bone the darkest
        levels[Tissue.OUTSIDE :] *= rng.uniform(1, 2.5)
    image = _paint(tissues, levels, rng, texture=rng.uniform(0.02, 0.1))
    if rng.random() < 0.35:
        inside = np.isin(tissues, (Tissue.WHITE_MATTER, Tissue.CORTEX))
        field = smooth_field(rng, tissues.shape, scale=rng.uniform(15, 45))[0].numpy()
        mass = ((field - rng.uniform(1.0, 1.8)) * 4).clip(0, 1) * inside
        image = image * (1 - mass) + mass * rng.uniform(0.05, 1.5)
    return image


def _blend(
    image: np.ndarray, lesions: Lesions, lesion_level: np.ndarray, mimic_level: float, rng: np.random.Generator
) -> np.ndarray:
    """Mix lesions and their mimics into an image with soft edges."""
    image = image + lesions.mimic * (mimic_level - image)
    soft = ndimage.gaussian_filter(lesions.fraction, rng.uniform(0.2, 0.9), truncate=3)
    return image + soft * (lesion_level - image)
