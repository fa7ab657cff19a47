"""What the scanner does to an ideal image: coil sensitivity, motion, resolution, slices, noise."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from LightSegLib.training.synthesis.anatomy import smooth_field

__all__ = ["Protocol", "acquire", "corrupt", "draw_protocol"]


@dataclass(frozen=True)
class Protocol:
    """Voxel spacing of an acquisition in mm, (z, y, x), and the thickness of its slices along `slice_axis`."""

    spacing_mm: tuple[float, float, float]
    slice_axis: int
    thickness_mm: float


def draw_protocol(rng: np.random.Generator) -> Protocol:
    """Draw thick 2D slices (mostly axial) or a 3D acquisition of about 1 mm."""
    if rng.random() < 0.4:
        in_plane, thickness = rng.uniform(0.8, 1.2), rng.uniform(0.7, 1.5)
        return Protocol((thickness, in_plane, in_plane), 0, thickness)
    axis = int(rng.choice(3, p=(0.88, 0.05, 0.07)))
    in_plane = rng.uniform(0.5, 1.15)
    thickness = rng.uniform(2.0, 8.0) if axis == 0 else rng.uniform(2.0, 5.0)
    spacing = [in_plane] * 3
    spacing[axis] = thickness * rng.uniform(1.0, 1.15)
    return Protocol((spacing[0], spacing[1], spacing[2]), axis, thickness)


def acquire(volume: np.ndarray, protocol: Protocol, *, shift: float = 0.0) -> np.ndarray:
    """Average a 1 mm volume (z, y, x) over slices and sample it at the protocol's spacing; float32.

    The first sample lies at index 0; `shift` moves the slices by that many mm.
    """
    volume = volume.astype(np.float32)
    thickness = int(round(protocol.thickness_mm))
    if thickness > 1:
        volume = ndimage.uniform_filter1d(volume, thickness, axis=protocol.slice_axis, mode="nearest")
    offset = [0.0] * 3
    offset[protocol.slice_axis] = shift
    shape = [
        max(1, int((n - 1 - o) / s) + 1) for n, s, o in zip(volume.shape, protocol.spacing_mm, offset, strict=True)
    ]
    return ndimage.affine_transform(
        volume, protocol.spacing_mm, offset, output_shape=shape, order=1, mode="nearest", output=np.float32
    )


def corrupt(volume: np.ndarray, rng: np.random.Generator, *, strength: float = 1.0) -> np.ndarray:
    """Add bias field, motion, blur and Rician noise to an image in which white matter is about 1; (z, y, x)."""
    bias = smooth_field(rng, volume.shape, scale=max(volume.shape) / 2.5)[0].numpy()
    volume = volume * np.exp(rng.uniform(0, 0.25) * strength * bias)
    if rng.random() < 0.2 * strength:
        volume = _move(volume, rng)
    if rng.random() < 0.5:
        sigma = rng.uniform(0, 0.8) * strength
        volume = ndimage.gaussian_filter(volume, (0.3 * sigma, sigma, sigma), truncate=3)
    noise = float(np.exp(rng.uniform(np.log(0.005), np.log(0.07)))) * strength
    real = volume + noise * rng.standard_normal(volume.shape, dtype=np.float32)
    imaginary = noise * rng.standard_normal(volume.shape, dtype=np.float32)
    return np.sqrt(real**2 + imaginary**2).astype(np.float32)


def _move(volume: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shift the head during a part of the phase-encoding steps, which leaves ghosts and blur along y."""
    lines = np.fft.fftfreq(volume.shape[1])[None, :, None]
    displacement = np.zeros_like(lines)
    for _ in range(int(rng.integers(1, 4))):
        start = rng.uniform(0.02, 0.45)
        displacement[(np.abs(lines) > start) & (np.abs(lines) < start + rng.uniform(0.02, 0.15))] = rng.uniform(-4, 4)
    spectrum = np.fft.fft(volume, axis=1) * np.exp(-2j * np.pi * lines * displacement)
    return np.abs(np.fft.ifft(spectrum, axis=1)).astype(np.float32)
