"""What one run of the pipeline gives."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import SimpleITK as sitk

from LightSegLib.measures import Agreement
from LightSegLib.segments import Region, Segment

__all__ = ["Result", "json_ready"]


@dataclass(frozen=True, kw_only=True)
class Result:
    """A segmentation with its measures and provenance.

    `labelmap`: uint8 in the exact geometry (LPS origin, spacing, direction) of `image`, the first input. `shown`: the
    input on that grid that pictures show best, `window` the intensities that they show black and white, None for what
    suits the image. `probabilities`: float32 in 0..1 on the same grid, a vector image if the network has several
    classes; None unless asked for. `regions` are unions of segments. `volumes_ml` by the names of
    segments and regions. `reference`: the reference on the same grid, with the segments' values; `agreements` by the
    names of segments and regions, empty without a reference. `lesion_count`: connected lesions, None for models that
    segment no lesions. `largest_finding_mm`: a point within the largest connected part (LPS), None if there is none.
    `timings_s`: seconds by stage and in "total".
    """

    labelmap: sitk.Image
    image: sitk.Image
    shown: sitk.Image
    segments: tuple[Segment, ...]
    regions: tuple[Region, ...]
    volumes_ml: Mapping[str, float]
    lesion_count: int | None
    largest_finding_mm: tuple[float, float, float] | None
    timings_s: Mapping[str, float]
    provenance: Mapping[str, Any]
    window: tuple[float, float] | None = None
    probabilities: sitk.Image | None = None
    reference: sitk.Image | None = None
    agreements: Mapping[str, Agreement]

    @property
    def agreement(self) -> Agreement | None:
        """The agreement of the first segment with the reference; None without a reference."""
        return next(iter(self.agreements.values()), None)

    def to_json(self) -> dict[str, Any]:
        """Return everything but the images, ready for `json.dumps`; NaN and infinity, which JSON lacks, are None."""
        return json_ready(
            {
                "segments": [
                    {"value": segment.value, "name": segment.name, "volume_ml": self.volumes_ml[segment.name]}
                    for segment in self.segments
                ],
                "regions": [
                    {"name": region.name, "values": region.values, "volume_ml": self.volumes_ml[region.name]}
                    for region in self.regions
                ],
                "volumes_ml": self.volumes_ml,
                "lesion_count": self.lesion_count,
                "largest_finding_mm": self.largest_finding_mm,
                "agreement": {name: agreement.to_json() for name, agreement in self.agreements.items()} or None,
                "timings_s": {stage: round(seconds, 4) for stage, seconds in self.timings_s.items()},
                "provenance": self.provenance,
            }
        )


def json_ready(value: Any) -> Any:
    """Return a copy made of dicts, lists, texts, finite numbers, booleans and None; other numbers become None."""
    if isinstance(value, Mapping):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value
