"""What a CT scanner does to an ideal image: resolution, slices, noise, streaks, the field of view."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

from LightSegLib.training.synthesis.anatomy import smooth_field
from LightSegLib.training.synthesis.ct_anatomy import SPACING_MM

__all__ = ["scan_ct"]


def scan_ct(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Blur, slice, and roughen an image in Hounsfield units, (z, y, x) at 2 mm; float32, at least -1024.

    Noise is correlated in plane, as reconstruction leaves it, and uneven; streaks run from left to right.
    Outside a circular field of view some scanners write -1024.
    """
    in_plane = rng.uniform(0.2, 0.7)
    image = ndimage.gaussian_filter(image, (0, in_plane, in_plane), truncate=3)
    thickness = float(np.exp(rng.uniform(np.log(1), np.log(8))))
    if thickness > 1.5 * SPACING_MM:
        image = ndimage.uniform_filter1d(image, round(thickness / SPACING_MM), axis=0, mode="nearest")
    strength = float(np.exp(rng.uniform(np.log(3), np.log(40)))) / max(1.0, thickness / 2) ** 0.5
    grain = rng.uniform(0.3, 0.9)
    noise = ndimage.gaussian_filter(rng.standard_normal(image.shape, dtype=np.float32), (0, grain, grain), truncate=3)
    noise /= noise.std()
    uneven = np.exp(0.3 * smooth_field(rng, image.shape, scale=30)[0].numpy())
    image = image + strength * uneven * noise
    if rng.random() < 0.25:
        lines = rng.standard_normal((image.shape[0], image.shape[1], 1), dtype=np.float32)
        lines = ndimage.gaussian_filter1d(lines, 1.0, axis=1) * smooth_field(rng, image.shape, scale=25)[0].numpy()
        image = image + rng.uniform(5, 40) * lines * (image > -500)
    image = image + rng.uniform(-8, 8)  # scanners differ in calibration
    if rng.random() < 0.4:
        y, x = (np.linspace(-1, 1, n) for n in image.shape[1:])
        outside = y[:, None] ** 2 + x[None, :] ** 2 > rng.uniform(0.95, 1.3) ** 2
        image[:, outside] = -1024
    return image.clip(-1024).astype(np.float32)
