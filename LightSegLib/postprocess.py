"""From probabilities to a labelmap: thresholds, lesion-size filter, largest component."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import SimpleITK as sitk

from LightSegLib.errors import BundleError

__all__ = ["apply", "largest_component", "threshold_and_filter"]

SIZE_TOLERANCE = 1e-6
"""Relative slack of the size filter: a lesion of just the smallest volume is kept although the spacing is rounded."""


def apply(
    settings: Mapping[str, Any], probabilities: Sequence[sitk.Image], mask: sitk.Image | None = None
) -> sitk.Image:
    """Turn the probabilities of a bundle's classes into a labelmap, as its postprocessing settings say.

    `settings` is {"kind": "lesions", "threshold", "min_lesion_ml"} or {"kind": "brain", "threshold"}.
    `probabilities`: one 3D float image in 0..1 per class, all on one grid; `mask`: uint8 on that grid, outside of
    which nothing is labeled. Returns uint8 (0 background, 1 the segment) on the same grid.
    Raises BundleError when the settings are of an unknown kind or do not fit the number of classes.
    """
    kind = settings.get("kind")
    if kind not in ("lesions", "brain"):
        raise BundleError(f"Unknown postprocessing kind {kind!r}; known: 'lesions', 'brain'. Reinstall the model.")
    if len(probabilities) != 1:
        raise BundleError(f"Postprocessing '{kind}' takes one class, but the network gave {len(probabilities)}.")
    probability = probabilities[0] if mask is None else sitk.Mask(probabilities[0], mask)
    threshold = float(settings["threshold"])
    if kind == "brain":
        return largest_component(_at_least(probability, threshold))
    return threshold_and_filter(probability, threshold=threshold, min_lesion_ml=float(settings["min_lesion_ml"]))


def threshold_and_filter(probability: sitk.Image, *, threshold: float, min_lesion_ml: float) -> sitk.Image:
    """Label voxels of at least `threshold`, then drop connected groups smaller than `min_lesion_ml`.

    `probability`: 3D float in 0..1. Voxels that share a face, an edge or a corner are one group (26-connectivity).
    Returns uint8, 0 or 1, on the same grid.
    """
    binary = _at_least(probability, threshold)
    smallest_voxels = min_lesion_ml * (1 - SIZE_TOLERANCE) / (math.prod(probability.GetSpacing()) / 1000)
    if smallest_voxels <= 1:
        return binary
    groups = sitk.ConnectedComponent(binary, True)
    # RelabelComponent keeps objects of at least so many voxels; the ceiling makes that exact for fractions.
    kept = sitk.RelabelComponent(groups, minimumObjectSize=math.ceil(smallest_voxels), sortByObjectSize=False)
    return kept > 0


def largest_component(binary: sitk.Image) -> sitk.Image:
    """Keep the largest face-connected component of a uint8 mask and fill the holes in it.

    A hole is background that no face-connected path links to the volume's border. An empty mask stays empty.
    """
    ordered = sitk.RelabelComponent(sitk.ConnectedComponent(binary, False), sortByObjectSize=True)
    return sitk.BinaryFillhole(ordered == 1, fullyConnected=False, foregroundValue=1)


def _at_least(probability: sitk.Image, threshold: float) -> sitk.Image:
    return sitk.Cast(probability >= threshold, sitk.sitkUInt8)
