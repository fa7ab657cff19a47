"""What is measured of a labelmap: its segments and the regions made of them, alone and against a reference."""

from collections.abc import Iterable, Sequence

import numpy as np
import SimpleITK as sitk

from LightSegLib.bundles import Bundle
from LightSegLib.errors import InputError
from LightSegLib.measures import Agreement, compare, volume_ml
from LightSegLib.pipeline.comparison import Comparison, label_values
from LightSegLib.segments import Segment

__all__ = ["agreements_by_name", "match_reference_values", "reference_lookup", "volumes_by_name"]


def volumes_by_name(labelmap: sitk.Image, bundle: Bundle) -> dict[str, float]:
    """Return the volume in ml of each segment, then of each region, by name."""
    return {name: volume_ml(labelmap, values) for name, values in _structures(bundle).items()}


def agreements_by_name(labelmap: sitk.Image, comparison: Comparison, bundle: Bundle) -> dict[str, Agreement]:
    """Return the agreement with the reference of each segment, then of each region, by name.

    `comparison` is that of the labelmap, which has the agreements of single labels.
    """
    agreements: dict[tuple[int, ...], Agreement] = {(value,): one for value, one in comparison.agreements.items()}
    found = {}
    for name, values in _structures(bundle).items():
        if values not in agreements:
            agreements[values] = compare(labelmap, comparison.reference, value=values)
        found[name] = agreements[values]
    return found


def match_reference_values(reference: sitk.Image, bundle: Bundle, *, name: str) -> tuple[sitk.Image, tuple[str, ...]]:
    """Give a reference labelmap the label values of the bundle's segments; return it and a note on what was assumed.

    Bundles without `reference_values` take every reference as it is. `name` is what messages call the reference.
    Raises InputError when the values fit none of the sets that the bundle knows.
    """
    if not bundle.reference_values:
        return reference, ()
    lookup = reference_lookup(label_values(reference), bundle.segments, bundle.reference_values, name=name)
    note = f"The reference's label values were taken as {_joined(lookup)} for {_names(bundle.segments)}."
    if all(given == value for given, value in lookup.items()):
        return reference, (note,)
    table = np.zeros(2**16, np.uint16)
    for given, value in lookup.items():
        table[given] = value
    relabeled = sitk.GetImageFromArray(table[sitk.GetArrayViewFromImage(reference)])
    relabeled.CopyInformation(reference)
    return relabeled, (note,)


def reference_lookup(
    found: Sequence[int], segments: Sequence[Segment], known_values: Sequence[tuple[int, ...]], *, name: str
) -> dict[int, int]:
    """Return which value of a reference stands for which segment's value, by the values (above 0) `found` in it.

    Each of `known_values` has one value for each segment; the first that has all of those found counts. `name` is what
    the message calls the reference. Raises InputError when none has them all.
    """
    for values in known_values:
        if set(found) <= set(values):
            return dict(zip(values, [segment.value for segment in segments], strict=True))
    raise InputError(
        f"{name} has the label values {', '.join(map(str, found))}, which must be of "
        f"{' or '.join(_joined(values) for values in known_values)} for {_names(segments)}: relabel it or give another."
    )


def _structures(bundle: Bundle) -> dict[str, tuple[int, ...]]:
    structures = {segment.name: (segment.value,) for segment in bundle.segments}
    return structures | {region.name: region.values for region in bundle.regions}


def _joined(values: Iterable[int]) -> str:
    return "-".join(map(str, values))


def _names(segments: Sequence[Segment]) -> str:
    return ", ".join(segment.name for segment in segments)
