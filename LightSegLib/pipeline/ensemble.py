"""Several bundles of one task as one model: what they must share, and the average of their probabilities."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk

from LightSegLib.bundles import Bundle, InputChannel, load_bundle
from LightSegLib.errors import BundleError

__all__ = ["algorithm_of", "average_maps", "ensemble_inputs", "load_ensemble"]

PARTS = ("inputs", "labels", "regions", "kinds of postprocessing")


def load_ensemble(given: Bundle | str | Path | Sequence[Bundle | str | Path]) -> tuple[Bundle, ...]:
    """Return one model, or several of one task, as bundles; each is a name, a folder or a loaded bundle.

    Raises BundleError where one is unknown or altered, or where they cannot be averaged.
    """
    several = [given] if isinstance(given, (Bundle, str, Path)) else given
    bundles = tuple(one if isinstance(one, Bundle) else load_bundle(one) for one in several)
    _check_ensemble(bundles)
    return bundles


def _check_ensemble(bundles: Sequence[Bundle]) -> None:
    """Raise BundleError unless the bundles give probabilities of the same things for the same images.

    Inputs, label values and names, regions and the kind of postprocessing must be the same.
    """
    if not bundles:
        raise BundleError("No model is given: give at least one.")
    first = bundles[0]
    for other in bundles[1:]:
        for what, own, theirs in zip(PARTS, _parts(first), _parts(other), strict=True):
            if own != theirs:
                raise BundleError(
                    f"Models {first.name} and {other.name} cannot be averaged, their {what} differ ({', '.join(own)} "
                    f"and {', '.join(theirs)}): choose models of one task."
                )


def ensemble_inputs(bundles: Sequence[Bundle]) -> tuple[InputChannel, ...]:
    """Return the inputs of the first bundle, each required if any bundle requires it."""
    required = {channel.name for bundle in bundles for channel in bundle.inputs if channel.required}
    return tuple(replace(channel, required=channel.name in required) for channel in bundles[0].inputs)


def algorithm_of(bundles: Sequence[Bundle]) -> tuple[str, str]:
    """Return name and version of what bundles are together, for files that keep one of each."""
    versions = dict.fromkeys(bundle.version for bundle in bundles)
    return " + ".join(bundle.name for bundle in bundles), " + ".join(versions)


def average_maps(members: Iterable[list[sitk.Image]]) -> list[sitk.Image]:
    """Return the mean of each class over the members; all float32 images share one grid."""
    total: list[sitk.Image] = []
    count = 0
    for maps in members:
        total = [one + other for one, other in zip(total, maps, strict=True)] if total else maps
        count += 1
    return total if count == 1 else [image / count for image in total]


def _parts(bundle: Bundle) -> tuple[list[str], ...]:
    """Return what members share, in words, in the order of PARTS."""
    return (
        sorted(channel.name for channel in bundle.inputs),
        [f"{segment.value} {segment.name}" for segment in bundle.segments],
        sorted(f"{region.name} {region.values}" for region in bundle.regions),
        [str(bundle.postprocessing.get("kind"))],
    )
