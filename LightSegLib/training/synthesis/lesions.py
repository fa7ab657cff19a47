"""White matter lesions: real masks and shapes, periventricular rims, punctate foci, and their normal look-alikes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from LightSegLib.training.synthesis.anatomy import Head, Tissue, smooth_field

__all__ = ["LesionAtlas", "Lesions", "draw_lesions"]

# The cerebrum's box in the index space of the MNI152 masks, (z, y, x) with y running backward: start and length.
MNI_CEREBRUM = ((27, 20, 20), (124, 176, 140))
WHITE = (Tissue.WHITE_MATTER, Tissue.CEREBELLAR_WHITE_MATTER)


@dataclass(frozen=True)
class Lesions:
    """What a head's white matter carries, float32 (z, y, x)."""

    fraction: np.ndarray  # share of a voxel that is lesion, 0..1
    brightness: np.ndarray  # contrast of the lesion relative to the head's lesion contrast, about 0.5..1.5
    mimic: np.ndarray  # normal caps, rims and diffuse haze: the share of lesion contrast they reach, 0..1; not lesion


class LesionAtlas:
    """Real lesion masks and single lesion shapes in MNI152 space at 1 mm."""

    def __init__(self, folder: Path) -> None:
        """Read `ms_lesion_masks_mni152_1mm.npz` and `lesion_shapes_mni152_1mm.npz` from `folder`."""
        masks = np.load(folder / "ms_lesion_masks_mni152_1mm.npz", allow_pickle=False)
        self._shape = tuple(int(n) for n in masks["shape"])
        self._masks = masks["masks"]
        shapes = np.load(folder / "lesion_shapes_mni152_1mm.npz", allow_pickle=False)
        self._bits, self._offsets, self._boxes = shapes["bits"], shapes["offsets"], shapes["boxes_zyx"]
        # A tenth of the "shapes" are confluent masks of half a hemisphere; single lesions are below 2 ml.
        self._small = np.flatnonzero(shapes["voxels"] < 2000)

    def patient(self, rng: np.random.Generator) -> np.ndarray:
        """Return the lesion mask of one random patient, bool (z, y, x) with y running backward."""
        bits = self._masks[rng.integers(len(self._masks))]
        mask = np.unpackbits(bits, count=int(np.prod(self._shape))).reshape(self._shape)
        return mask[:, ::-1].astype(bool)

    def scattered(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Return `count` random single lesions near where they were seen, bool (z, y, x) with y running backward."""
        canvas = np.zeros(self._shape, bool)
        for index in rng.choice(self._small, count):
            start, size = self._boxes[index][:3].astype(int), self._boxes[index][3:].astype(int)
            bits = self._bits[self._offsets[index] : self._offsets[index + 1]]
            shape = np.unpackbits(bits, count=int(size.prod())).reshape(size).astype(bool)
            for axis in range(3):
                if rng.random() < 0.5:
                    shape = np.flip(shape, axis)
            corner = (start + rng.integers(-6, 7, 3)).clip(0, np.array(self._shape) - size)
            canvas[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] |= shape
        return canvas[:, ::-1]

    def place(self, mask: np.ndarray, tissues: np.ndarray) -> np.ndarray:
        """Map a mask from MNI152 space onto a head by the box of its cerebrum: float32 in 0..1."""
        box = ndimage.find_objects(np.isin(tissues, (Tissue.WHITE_MATTER, Tissue.CORTEX)).astype(np.uint8))[0]
        start = np.array([s.start for s in box])
        length = np.array([s.stop - s.start for s in box])
        ratio = np.array(MNI_CEREBRUM[1]) / length
        offset = np.array(MNI_CEREBRUM[0]) - ratio * start
        return ndimage.affine_transform(
            mask.astype(np.float32), ratio, offset, output_shape=tissues.shape, order=1, output=np.float32
        )


def plant(head: Head, atlas: LesionAtlas, rng: np.random.Generator) -> Head:
    """Add real lesion masks and shapes to an undeformed head, and keep its own lesions or not."""
    lesions = head.lesions * float(rng.random() < 0.7)
    if rng.random() < 0.35:
        lesions = np.maximum(lesions, atlas.place(atlas.patient(rng), head.tissues))
    if rng.random() < 0.6:
        count = int(np.exp(rng.uniform(0, np.log(60))))
        lesions = np.maximum(lesions, atlas.place(atlas.scattered(rng, count), head.tissues))
    return Head(head.tissues, lesions)


def draw_lesions(head: Head, rng: np.random.Generator) -> Lesions:
    """Complete a deformed head's lesions and draw their look.

    To the planted masks come, each by chance: a periventricular rim of varying thickness that may become confluent
    (age-related disease), and punctate foci down to 1 mm. Normal caps and rims of at most about 2 mm, and a haze of
    diffusely abnormal white matter around lesions, are bright but are not lesions; nor are caps of up to 5 mm on the
    tips of the frontal and occipital horns, which may be as bright as a lesion.
    """
    shape = head.tissues.shape
    white = np.isin(head.tissues, WHITE)
    # Lesions reach slightly into what the label map calls gray matter: those maps were drawn on T1.
    near_white = ndimage.binary_dilation(white, iterations=1) & (head.tissues < Tissue.OUTSIDE)
    near_white &= ~np.isin(head.tissues, (Tissue.FLUID, Tissue.VENTRICLE, Tissue.LATERAL_VENTRICLE, Tissue.BACKGROUND))
    depth = _distance_to(head.tissues == Tissue.LATERAL_VENTRICLE)
    cerebral = head.tissues == Tissue.WHITE_MATTER

    fraction = head.lesions.copy()
    load = rng.random()
    if load < 0.45:
        mean_mm = float(np.exp(rng.uniform(np.log(0.7), np.log(9.0))))
        rough = smooth_field(rng, shape, scale=rng.uniform(8, 24))[0].numpy()
        fine = smooth_field(rng, shape, scale=rng.uniform(3, 6))[0].numpy()
        thickness = mean_mm * (1 + 0.9 * rough + 0.4 * fine) - rng.uniform(0, 1.5)
        rim = (thickness - depth).clip(-1, 1) / 2 + 0.5
        fraction = np.maximum(fraction, np.where(cerebral & (depth < 40), rim, 0))
    if rng.random() < 0.5:
        fraction = np.maximum(fraction, _punctate(white, rng, count=int(np.exp(rng.uniform(0, np.log(80))))))
    if rng.random() < 0.08:
        fraction[:] = 0
    fraction = np.where(near_white, fraction, 0).astype(np.float32)

    patchy = smooth_field(rng, shape, scale=rng.uniform(6, 14))[0].numpy()
    fine = smooth_field(rng, shape, scale=3)[0].numpy()
    brightness = (1 + rng.uniform(0, 0.3) * patchy + rng.uniform(0, 0.15) * fine).clip(0.45, 1.6)

    mimic = np.zeros(shape, np.float32)
    if rng.random() < 0.7:
        width = rng.uniform(0.5, 2.2) * (1 + 0.6 * smooth_field(rng, shape, scale=14)[0].numpy())
        mimic = np.where(cerebral, ((width - depth).clip(-1, 1) / 2 + 0.5) * rng.uniform(0.2, 0.75), 0)
    if rng.random() < 0.6:
        width = rng.uniform(1.5, 5) * (1 + 0.4 * smooth_field(rng, shape, scale=10)[0].numpy())
        cap = ((width - _distance_to(_horn_tips(head.tissues, rng))).clip(-1, 1) / 2 + 0.5) * rng.uniform(0.3, 1)
        mimic = np.maximum(mimic, np.where(cerebral, cap, 0))
    if rng.random() < 0.6:
        haze = ndimage.gaussian_filter(fraction, rng.uniform(2, 5), truncate=2.5)
        mimic = np.maximum(mimic, np.where(near_white, haze * rng.uniform(0.2, 0.7), 0))
    if rng.random() < 0.3:
        patches = smooth_field(rng, shape, scale=rng.uniform(10, 25))[0].numpy().clip(0, 2) / 2
        mimic = np.maximum(mimic, np.where(cerebral, patches * rng.uniform(0.1, 0.35), 0))
    mimic = (mimic * (1 - fraction)).astype(np.float32)
    return Lesions(fraction, brightness.astype(np.float32), mimic)


def _distance_to(mask: np.ndarray) -> np.ndarray:
    """Distance in mm to a mask, computed at 2 mm: its errors of a millimeter are far below the drawn variation."""
    if not mask.any():
        return np.full(mask.shape, 1e3, np.float32)
    coarse = ndimage.distance_transform_edt(~mask[::2, ::2, ::2]).astype(np.float32) * 2
    ratio = [c / n for c, n in zip(coarse.shape, mask.shape, strict=True)]
    return ndimage.affine_transform(coarse, ratio, output_shape=mask.shape, order=1, mode="nearest", output=np.float32)


def _horn_tips(tissues: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the last 3-8 mm of the lateral ventricles toward the front and the back, on either side."""
    tips = np.zeros(tissues.shape, bool)
    inside = np.argwhere(tissues == Tissue.LATERAL_VENTRICLE)
    if not len(inside):
        return tips
    left = inside[:, 2] > np.median(inside[:, 2])
    for side in (inside[left], inside[~left]):
        if len(side):
            y = side[:, 1]
            ends = (y < y.min() + rng.uniform(3, 8)) | (y > y.max() - rng.uniform(3, 8))
            tips[tuple(side[ends].T)] = True
    return tips


def _punctate(white: np.ndarray, rng: np.random.Generator, *, count: int) -> np.ndarray:
    """Draw ellipsoids of 0.8-3.5 mm radius, centered in white matter."""
    out = np.zeros(white.shape, np.float32)
    inside = np.flatnonzero(white)
    reach = 5
    offsets = np.stack(np.meshgrid(*[np.arange(-reach, reach + 1)] * 3, indexing="ij"), axis=-1)
    for flat in rng.choice(inside, count) if inside.size else ():
        center = np.array(np.unravel_index(flat, white.shape))
        if (center < reach).any() or (center + reach >= white.shape).any():
            continue
        radius = np.exp(rng.uniform(np.log(0.8), np.log(3.5))) * rng.uniform(0.7, 1.4, 3)
        blob = (1.5 - np.sqrt(((offsets / radius) ** 2).sum(-1))).clip(0, 1)
        window = tuple(slice(c - reach, c + reach + 1) for c in center)
        out[window] = np.maximum(out[window], blob)
    return out
