"""The numbers of a labelmap, alone and against a reference, and the result that holds them."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import SimpleITK as sitk

from LightSegLib.bundles import Bundle
from LightSegLib.measures import Agreement, largest_finding_mm, lesion_count
from LightSegLib.pipeline.channels import Channels, VolumeSource
from LightSegLib.pipeline.comparison import compare_labelmaps, load_reference
from LightSegLib.pipeline.result import Result
from LightSegLib.pipeline.structures import agreements_by_name, match_reference_values, volumes_by_name
from LightSegLib.preprocess.ct import WINDOW_HU

__all__ = ["Measures", "Reference", "build_result", "measure", "read_reference", "voxel_hash"]


class Reference(NamedTuple):
    """A reference with the label values of a bundle's segments, on its own grid; its name and what was assumed."""

    image: sitk.Image
    name: str
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Measures:
    """What was measured of a labelmap, as in `Result`, and notes on the comparison with the reference."""

    volumes_ml: Mapping[str, float]
    lesion_count: int | None
    agreements: Mapping[str, Agreement]
    largest_finding_mm: tuple[float, float, float] | None
    reference: sitk.Image | None
    notes: tuple[str, ...]


def read_reference(source: VolumeSource, bundle: Bundle) -> Reference:
    """Read a reference labelmap; InputError and GeometryError when it is none, or of other values than the bundle's."""
    image, name = load_reference(source)
    image, notes = match_reference_values(image, bundle, name=name)
    return Reference(image, name, notes)


def measure(labelmap: sitk.Image, bundle: Bundle, reference: Reference | None, *, name: str) -> Measures:
    """Measure a labelmap that has the values of a bundle's segments, and compare it with a reference if there is one.

    `name` is what messages call the image that was segmented.
    Raises GeometryError when the reference covers less than half of the labelmap.
    """
    comparison = None
    if reference is not None:
        comparison = compare_labelmaps(
            labelmap,
            reference.image,
            values=tuple(segment.value for segment in bundle.segments),
            segmentation_name=name,
            reference_name=reference.name,
        )
    return Measures(
        volumes_ml=volumes_by_name(labelmap, bundle),
        lesion_count=lesion_count(labelmap) if bundle.postprocessing.get("kind") == "lesions" else None,
        agreements={} if comparison is None else agreements_by_name(labelmap, comparison, bundle),
        largest_finding_mm=largest_finding_mm(labelmap),
        reference=None if comparison is None else comparison.reference,
        notes=() if reference is None or comparison is None else reference.notes + comparison.notes,
    )


def build_result(
    labelmap: sitk.Image,
    measures: Measures,
    *,
    bundle: Bundle,
    channels: Channels,
    timings_s: Mapping[str, float],
    provenance: Mapping[str, Any],
    probabilities: sitk.Image | None = None,
) -> Result:
    """Put a labelmap on the grid of the main channel, its measures and the picture to show together."""
    shown = bundle.shown_input if bundle.shown_input in channels.images else channels.main
    modality = next(channel.modality for channel in bundle.inputs if channel.name == shown)
    return Result(
        labelmap=labelmap,
        image=channels.images[channels.main],
        shown=channels.images[shown],
        window=WINDOW_HU if modality == "CT" else None,
        segments=bundle.segments,
        regions=bundle.regions,
        volumes_ml=measures.volumes_ml,
        lesion_count=measures.lesion_count,
        largest_finding_mm=measures.largest_finding_mm,
        probabilities=probabilities,
        reference=measures.reference,
        agreements=measures.agreements,
        timings_s=timings_s,
        provenance=provenance,
    )


def voxel_hash(labelmap: sitk.Image) -> str:
    """Return the sha256 of the voxels of a uint8 labelmap, x fastest; it tells whether one was changed."""
    return hashlib.sha256(np.ascontiguousarray(sitk.GetArrayViewFromImage(labelmap)).data).hexdigest()
