"""Means over cases with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Interval", "bootstrap_mean"]

RESAMPLES = 10_000
SEED = 20_240_229


@dataclass(frozen=True)
class Interval:
    """A mean with a 95 % percentile bootstrap interval, over `count` cases with a defined value."""

    mean: float
    low: float
    high: float
    count: int


def bootstrap_mean(
    values: Sequence[float],
    *,
    groups: Sequence[Hashable] | None = None,
    resamples: int = RESAMPLES,
    seed: int = SEED,
) -> Interval:
    """Return the mean of the finite values and the 2.5 and 97.5 percentiles of resampled means.

    `groups` names what each value belongs to (its patient): groups are drawn with replacement, all values of a drawn
    group come along, so that several scans of one patient do not count as independent. Without a finite value all
    of it is NaN. Source: Efron and Tibshirani 1993, chapter 13 (percentile interval).
    """
    array = np.asarray(values, np.float64)
    labels = list(range(len(array))) if groups is None else list(groups)
    finite = np.isfinite(array)
    names = sorted({label for label, good in zip(labels, finite, strict=True) if good}, key=str)
    if not names:
        return Interval(np.nan, np.nan, np.nan, 0)
    place = {name: index for index, name in enumerate(names)}
    sums, counts = np.zeros(len(names)), np.zeros(len(names))
    for label, value in zip(labels, array, strict=True):
        if np.isfinite(value):
            sums[place[label]] += value
            counts[place[label]] += 1
    drawn = np.random.default_rng(seed).integers(0, len(names), (resamples, len(names)))
    means = sums[drawn].sum(1) / counts[drawn].sum(1)
    low, high = np.percentile(means, [2.5, 97.5])
    return Interval(float(array[finite].mean()), float(low), float(high), int(finite.sum()))
