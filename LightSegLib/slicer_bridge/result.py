"""What a segmentation gives to the scene and to its caller."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from LightSegLib.measures import Agreement

if TYPE_CHECKING:
    import slicer

__all__ = ["SegmentResult"]


@dataclass(frozen=True, kw_only=True)
class SegmentResult:
    """Nodes and numbers of one finished run.

    `segmentation` and its tables are in the scene of the input; `agreement_table` is None without a reference.
    `volumes_ml` by the names of segments and of regions made of segments. `lesion_count`: None for models that segment
    no lesions. `agreements` with the reference by the same names, empty without one. `timings_s`: seconds by
    stage and in "total". `largest_finding_ras`: a point within the largest connected part of the segmentation, in
    world space (RAS, mm); None if that is empty.
    """

    segmentation: "slicer.vtkMRMLSegmentationNode"
    volumes_table: "slicer.vtkMRMLTableNode"
    agreement_table: "slicer.vtkMRMLTableNode | None"
    probabilities: "slicer.vtkMRMLScalarVolumeNode | None"
    volumes_ml: Mapping[str, float]
    lesion_count: int | None
    agreements: Mapping[str, Agreement]
    timings_s: Mapping[str, float]
    provenance: Mapping[str, Any]
    largest_finding_ras: tuple[float, float, float] | None

    @property
    def agreement(self) -> Agreement | None:
        """The agreement of the first segment with the reference; None without a reference."""
        return next(iter(self.agreements.values()), None)
