"""A segmentation beside its reference: brought onto one grid, matched label by label, measured."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import GeometryError
from LightSegLib.geometry import overlap_fraction, resample_onto, same_grid
from LightSegLib.measures import Agreement, compare
from LightSegLib.volumes import normalize_labelmap, read_labelmap

__all__ = ["Comparison", "compare_labelmaps", "label_values", "load_reference"]

MIN_OVERLAP = 0.5
"""A reference must cover this share of the segmentation's box; below it, it likely belongs to another image."""


@dataclass(frozen=True)
class Comparison:
    """Agreement by label value of the segmentation, the reference as it was compared, and what was done to it."""

    agreements: dict[int, Agreement]
    reference: sitk.Image
    notes: tuple[str, ...]


def load_reference(source: sitk.Image | str | Path) -> tuple[sitk.Image, str]:
    """Return a reference labelmap (uint8 or uint16, its own grid) and what it is called in messages.

    Raises InputError and GeometryError when it is no labelmap.
    """
    if isinstance(source, sitk.Image):
        return normalize_labelmap(source, name="the reference"), "the reference"
    return read_labelmap(source), str(source)


def compare_labelmaps(
    segmentation: sitk.Image,
    reference: sitk.Image,
    *,
    values: tuple[int, ...] = (),
    segmentation_name: str = "the segmentation",
    reference_name: str = "the reference",
) -> Comparison:
    """Measure the agreement of two labelmaps for each label.

    A reference on another grid is resampled onto the segmentation's (nearest neighbor). When each of them has at most
    one label, the two are compared whatever the values are (some tools write 255). `values`: the segmentation's labels
    if known beforehand; labels that only the reference has are then left out, and a note says so.
    Raises GeometryError when the reference covers less than half of the segmentation.
    """
    notes: list[str] = []
    if not same_grid(segmentation, reference):
        overlap = overlap_fraction(reference, segmentation)
        if overlap < MIN_OVERLAP:
            raise GeometryError(
                f"{reference_name} covers only {overlap:.0%} of {segmentation_name}: "
                "give a reference that was drawn on the same image."
            )
        reference = resample_onto(reference, segmentation, labels=True)
        notes.append("The reference was resampled onto the segmentation's grid (nearest neighbor).")
    found, wanted = label_values(segmentation), label_values(reference)
    labels = values or found
    if len(labels) <= 1 and len(wanted) == 1 and wanted != labels:
        value = labels[0] if labels else wanted[0]
        if value != wanted[0]:
            notes.append(f"Label {wanted[0]} of the reference was compared with label {value}.")
            reference = sitk.Cast(reference == wanted[0], sitk.sitkUInt16) * value
        wanted = (value,)
    if values:
        ignored = [value for value in wanted if value not in values]
        if ignored:
            notes.append(f"Only the reference has label {', '.join(map(str, ignored))}; it was not compared.")
    compared = values or tuple(sorted({*found, *wanted})) or (1,)
    agreements = {value: compare(segmentation, reference, value=value) for value in compared}
    return Comparison(agreements=agreements, reference=reference, notes=tuple(notes))


def label_values(labelmap: sitk.Image) -> tuple[int, ...]:
    """Return the labels above 0 that occur in a labelmap, ascending."""
    counts = np.bincount(sitk.GetArrayViewFromImage(labelmap).ravel())
    return tuple(int(value) for value in np.flatnonzero(counts) if value > 0)
