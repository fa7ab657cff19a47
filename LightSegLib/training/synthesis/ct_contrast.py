"""Hounsfield units of a labelled body, by contrast phase: float32 (z, y, x), and the liver with its lesions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy import ndimage

from LightSegLib.training.synthesis.anatomy import smooth_field, winding_tubes
from LightSegLib.training.synthesis.ct_anatomy import SPACING_MM, Body, Organ

__all__ = ["PHASES", "paint_ct"]

Range = tuple[float, float]
# How often a scan is taken in which phase after contrast was given.
PHASES = {"none": 0.25, "arterial": 0.2, "portal": 0.4, "late": 0.15}
# Hounsfield units without contrast, and what each phase adds to them.
PLAIN: Mapping[Organ, Range] = {
    Organ.FAT: (-115, -85),
    Organ.MUSCLE: (35, 65),
    Organ.SKIN: (-30, 40),
    Organ.LIVER: (45, 68),
    Organ.SPLEEN: (40, 58),
    Organ.KIDNEY: (25, 42),
    Organ.PANCREAS: (20, 48),
    Organ.GALLBLADDER: (0, 22),
    Organ.STOMACH: (0, 45),
    Organ.BOWEL: (10, 45),
    Organ.COLON: (-40, 50),
    Organ.ARTERY: (30, 50),
    Organ.VEIN: (30, 50),
    Organ.PORTAL_VEIN: (30, 50),
    Organ.HEART: (30, 50),
    Organ.LUNG: (-880, -720),
    Organ.BONE: (120, 420),
    Organ.CARTILAGE: (60, 180),
    Organ.BLADDER: (-5, 15),
    Organ.SPINAL_CORD: (20, 45),
    Organ.ESOPHAGUS: (20, 50),
    Organ.GLAND: (15, 45),
    Organ.AIRWAY: (-1000, -960),
    Organ.TABLE: (-700, 200),
}
GAIN: Mapping[str, Mapping[Organ, Range]] = {
    "none": {},
    "arterial": {
        Organ.ARTERY: (150, 380), Organ.HEART: (100, 300), Organ.LIVER: (5, 25), Organ.SPLEEN: (40, 110),
        Organ.KIDNEY: (60, 160), Organ.PANCREAS: (30, 80), Organ.VEIN: (0, 60), Organ.PORTAL_VEIN: (10, 90),
        Organ.MUSCLE: (0, 10), Organ.GLAND: (10, 40), Organ.BOWEL: (0, 50), Organ.ESOPHAGUS: (0, 20),
    },
    "portal": {
        Organ.ARTERY: (90, 180), Organ.HEART: (80, 170), Organ.LIVER: (35, 75), Organ.SPLEEN: (50, 95),
        Organ.KIDNEY: (110, 190), Organ.PANCREAS: (40, 80), Organ.VEIN: (70, 150), Organ.PORTAL_VEIN: (100, 180),
        Organ.MUSCLE: (5, 20), Organ.GLAND: (20, 50), Organ.BOWEL: (10, 60), Organ.ESOPHAGUS: (5, 30),
    },
    "late": {
        Organ.ARTERY: (60, 110), Organ.HEART: (50, 100), Organ.LIVER: (25, 50), Organ.SPLEEN: (30, 60),
        Organ.KIDNEY: (80, 150), Organ.PANCREAS: (20, 50), Organ.VEIN: (60, 110), Organ.PORTAL_VEIN: (60, 110),
        Organ.MUSCLE: (5, 25), Organ.GLAND: (15, 40), Organ.BOWEL: (5, 40), Organ.ESOPHAGUS: (5, 30),
        Organ.BLADDER: (0, 400),
    },
}  # fmt: skip
HOLLOW = (Organ.STOMACH, Organ.BOWEL, Organ.COLON)


def paint_ct(body: Body, rng: np.random.Generator, *, phase: str | None = None) -> np.ndarray:
    """Paint a body in Hounsfield units; `phase` is one of PHASES, at random by their weights if it is None.

    The liver may be fatty, carries its vessels and, in half of the patients, lesions; these belong to the liver, whose
    label does not change.
    """
    phase = phase or str(rng.choice(list(PHASES), p=list(PHASES.values())))
    organs = body.organs
    levels = np.full(len(Organ), -1000.0, np.float32)
    for organ, (low, high) in PLAIN.items():
        gain = GAIN[phase].get(organ, (0.0, 0.0))
        levels[organ] = rng.uniform(low, high) + rng.uniform(*gain)
    if rng.random() < 0.2:
        levels[Organ.LIVER] -= rng.uniform(10, 60)  # fatty
    image = levels[organs]
    image += _texture(organs, rng)
    _bones(image, organs, rng)
    _contents(image, organs, rng)
    _between_organs(image, organs, levels, rng)
    _lungs(image, organs, rng)
    _kidneys(image, organs, phase, rng)
    _liver(image, organs, levels, rng)
    return image


def _texture(organs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    fine, coarse = (smooth_field(rng, organs.shape, scale=scale)[0].numpy() for scale in (3.0, 10.0))
    inside = ~np.isin(organs, (Organ.AIR, Organ.TABLE, Organ.AIRWAY))
    return inside * (rng.uniform(2, 8) * fine + rng.uniform(1, 6) * coarse)


def _bones(image: np.ndarray, organs: np.ndarray, rng: np.random.Generator) -> None:
    """Give bones a dense shell and marrow of uneven density, in place."""
    bone = organs == Organ.BONE
    inner = ndimage.binary_erosion(bone)
    image[bone & ~inner] = np.maximum(image[bone & ~inner], rng.uniform(300, 900))
    marrow = smooth_field(rng, organs.shape, scale=4)[0].numpy()
    image[inner] += rng.uniform(10, 70) * marrow[inner]


def _contents(image: np.ndarray, organs: np.ndarray, rng: np.random.Generator) -> None:
    """Fill stomach and bowel with gas above fluid, stool, food or oral contrast, in place; the wall stays."""
    for organ in HOLLOW:
        hollow = organs == organ
        if not hollow.any():
            continue
        lumen = ndimage.binary_erosion(hollow)
        kind = smooth_field(rng, organs.shape, scale=rng.uniform(12, 30))[0].numpy()
        speckle = smooth_field(rng, organs.shape, scale=2)[0].numpy()
        if rng.random() < 0.3:
            bright = lumen & (kind < rng.uniform(-1, 1))
            image[bright] = rng.uniform(80, 450)
        if organ != Organ.BOWEL:
            mixed = lumen & (kind < 0) & (speckle > 0.3)
            image[mixed] += rng.uniform(-250, 60)
        # Gas rises: it fills what lies nearer to the belly (small y) by a field that leans that way.
        height = np.linspace(1.0, -1.0, organs.shape[1])[None, :, None]
        gas = lumen & (kind + rng.uniform(0, 1.5) * height > rng.uniform(0.3, 2.5))
        image[gas] = rng.uniform(-1000, -850)


def _between_organs(image: np.ndarray, organs: np.ndarray, levels: np.ndarray, rng: np.random.Generator) -> None:
    """Let vessels, nodes and loops of bowel that no label has run through the fat, in place."""
    fat = organs == Organ.FAT
    one, two = (np.abs(smooth_field(rng, organs.shape, scale=scale)[0].numpy()) for scale in (8.0, 10.0))
    strands = fat & (one < 0.12) & (two < rng.uniform(0.1, 0.35))
    image[strands] = rng.choice([levels[Organ.VEIN], levels[Organ.MUSCLE]])
    loops = fat & (smooth_field(rng, organs.shape, scale=rng.uniform(8, 14))[0].numpy() > rng.uniform(0.8, 2.5))
    image[loops] = levels[Organ.BOWEL] + rng.uniform(-15, 15)
    if rng.random() < 0.2:  # ascites
        wet = fat & (smooth_field(rng, organs.shape, scale=30)[0].numpy() > rng.uniform(-0.5, 1))
        image[wet] = rng.uniform(0, 20)


def _lungs(image: np.ndarray, organs: np.ndarray, rng: np.random.Generator) -> None:
    """Draw vessels and, sometimes, consolidation or effusion at the back of the lungs, in place."""
    lung = organs == Organ.LUNG
    vessels = lung & (winding_tubes(rng, organs.shape, scales=(5.0, 7.0)) < 0.15)
    image[vessels] = rng.uniform(0, 60)
    if rng.random() < 0.25:
        back = np.linspace(-1, 1, organs.shape[1])[None, :, None]
        field = smooth_field(rng, organs.shape, scale=25)[0].numpy() + 2 * back
        image[lung & (field > rng.uniform(1.2, 2.4))] = rng.uniform(-20, 60)


def _kidneys(image: np.ndarray, organs: np.ndarray, phase: str, rng: np.random.Generator) -> None:
    """Make cortex brighter than medulla where contrast has just arrived, and the pelvis fluid or bright, in place."""
    kidney = organs == Organ.KIDNEY
    if not kidney.any():
        return
    box = ndimage.find_objects(kidney.view(np.uint8))[0]
    depth = ndimage.distance_transform_edt(kidney[box]) * SPACING_MM
    inner = depth > rng.uniform(6, 10)
    part = image[box]
    part[inner] -= rng.uniform(20, 90) if phase == "arterial" else rng.uniform(0, 20)
    part[depth > rng.uniform(12, 18)] = rng.uniform(-80, 15) if phase != "late" else rng.uniform(100, 600)


def _liver(image: np.ndarray, organs: np.ndarray, levels: np.ndarray, rng: np.random.Generator) -> None:
    """Draw the vessels and the lesions of the liver, in place."""
    liver = organs == Organ.LIVER
    if not liver.any():
        return
    box = ndimage.find_objects(liver.view(np.uint8))[0]
    inside, part = liver[box], image[box]
    vessels = inside & (winding_tubes(rng, inside.shape, scales=(9.0, 12.0)) < rng.uniform(0.1, 0.28))
    part[vessels] = levels[Organ.PORTAL_VEIN] if rng.random() < 0.6 else levels[Organ.VEIN]
    if rng.random() < 0.5:
        for _ in range(int(rng.integers(1, 8))):
            _lesion(part, inside, levels[Organ.LIVER], rng)


def _lesion(image: np.ndarray, inside: np.ndarray, liver: float, rng: np.random.Generator) -> None:
    """Draw one lesion of 3-40 mm radius, darker or brighter than the liver, some with a rim, in place."""
    voxels = np.flatnonzero(inside)
    middle = np.unravel_index(int(voxels[rng.integers(len(voxels))]), inside.shape)
    radius = float(np.exp(rng.uniform(np.log(3), np.log(40)))) / SPACING_MM
    axes = radius * np.exp(rng.uniform(-0.3, 0.3, 3))
    box = tuple(
        slice(max(0, int(m - 1.4 * a - 2)), min(n, int(m + 1.4 * a + 3)))
        for m, a, n in zip(middle, axes, inside.shape, strict=True)
    )
    z, y, x = (((np.arange(s.start, s.stop) - m) / a) ** 2 for s, m, a in zip(box, middle, axes, strict=True))
    distance = np.sqrt(z[:, None, None] + y[None, :, None] + x)
    shape = distance.shape
    distance = distance + 0.25 * smooth_field(rng, shape, scale=max(2.0, radius / 2))[0].numpy()
    where = inside[box]
    level = rng.choice(
        [rng.uniform(0, 25), liver - rng.uniform(15, 60), liver + rng.uniform(10, 70)], p=(0.3, 0.55, 0.15)
    )
    part = image[box]
    share = (np.clip((1 - distance) * radius / rng.uniform(0.7, 2.5), 0, 1) * where).astype(np.float32)
    part += share * (level + 8 * smooth_field(rng, shape, scale=3)[0].numpy() - part)
    if rng.random() < 0.3:
        part[where & (np.abs(distance - 0.95) < 0.12)] += rng.uniform(10, 50)
