"""From probabilities to a labelmap, as a bundle's settings say."""

from collections.abc import Mapping, Sequence
from typing import Any

import SimpleITK as sitk

from LightSegLib.errors import BundleError
from LightSegLib.postprocess.components import SIZE_TOLERANCE, at_least, drop_small_groups, largest_component
from LightSegLib.postprocess.organ import clean_organ
from LightSegLib.postprocess.tumor import argmax_tumor, nested_tumor

__all__ = ["SIZE_TOLERANCE", "apply", "largest_component", "threshold_and_filter"]

CLASSES = {"lesions": 1, "brain": 1, "organ": 1, "nested_tumor": 3, "argmax_tumor": 3}
"""How many classes each kind takes."""


def apply(
    settings: Mapping[str, Any], probabilities: Sequence[sitk.Image], mask: sitk.Image | None = None
) -> sitk.Image:
    """Turn the probabilities of a bundle's classes into a labelmap, as its postprocessing settings say.

    `settings` has a "kind" and what that kind needs: "threshold" and "min_lesion_ml" for "lesions"; "threshold" for
    "brain"; "threshold", "cleanup", "erode_mm" and "dilate_mm" for "organ"; "thresholds" (of "WT", "TC" and "ET"),
    "min_whole_tumor_ml", "min_share_of_largest", "min_enhancing_ml" and "core_reach_mm" for "nested_tumor"; nothing
    for "argmax_tumor". `probabilities`: one 3D float image in 0..1 per class, all on one grid; `mask`: uint8 on that
    grid, outside of which nothing is labeled. Returns uint8 (0 background, else the segments' values) on the same grid.
    Raises BundleError when the settings are of an unknown kind, incomplete, or do not fit the number of classes.
    """
    kind = settings.get("kind")
    if kind not in CLASSES:
        known = ", ".join(repr(name) for name in CLASSES)
        raise BundleError(f"Unknown postprocessing kind {kind!r}; known: {known}. Reinstall the model.")
    if len(probabilities) != CLASSES[kind]:
        wanted = {1: "one class", 3: "three classes (WT, TC and ET)"}[CLASSES[kind]]
        raise BundleError(f"Postprocessing '{kind}' takes {wanted}, but the network gave {len(probabilities)}.")
    if mask is not None:
        probabilities = [sitk.Mask(probability, mask) for probability in probabilities]
    try:
        if kind == "argmax_tumor":
            return argmax_tumor(probabilities)
        if kind == "nested_tumor":
            return nested_tumor(
                probabilities,
                thresholds=settings["thresholds"],
                min_whole_tumor_ml=float(settings["min_whole_tumor_ml"]),
                min_share_of_largest=float(settings["min_share_of_largest"]),
                min_enhancing_ml=float(settings["min_enhancing_ml"]),
                core_reach_mm=float(settings["core_reach_mm"]),
            )
        threshold = float(settings["threshold"])
        if kind == "brain":
            return largest_component(at_least(probabilities[0], threshold))
        if kind == "organ":
            return clean_organ(
                probabilities[0],
                threshold=threshold,
                cleanup=str(settings["cleanup"]),
                erode_mm=float(settings["erode_mm"]),
                dilate_mm=float(settings["dilate_mm"]),
            )
        return threshold_and_filter(
            probabilities[0], threshold=threshold, min_lesion_ml=float(settings["min_lesion_ml"])
        )
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"The postprocessing section is incomplete or malformed ({error!r}): reinstall the model."
        ) from error


def threshold_and_filter(probability: sitk.Image, *, threshold: float, min_lesion_ml: float) -> sitk.Image:
    """Label voxels of at least `threshold`, then drop connected groups smaller than `min_lesion_ml`.

    `probability`: 3D float in 0..1. Voxels that share a face, an edge or a corner are one group (26-connectivity).
    Returns uint8, 0 or 1, on the same grid.
    """
    return drop_small_groups(at_least(probability, threshold), min_lesion_ml)
