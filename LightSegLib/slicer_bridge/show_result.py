"""A result's measures as table nodes and as what the caller gets."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import slicer

from LightSegLib.measures import Agreement
from LightSegLib.slicer_bridge.hierarchy import put_under
from LightSegLib.slicer_bridge.result import SegmentResult
from LightSegLib.slicer_bridge.result_nodes import AGREEMENT_ROLE, VOLUMES_ROLE
from LightSegLib.slicer_bridge.tables import show_agreement, show_volumes

__all__ = ["segment_result", "show_tables"]


def show_tables(segmentation: "slicer.vtkMRMLSegmentationNode", measures: Mapping[str, Any]) -> None:
    """Show measures, a result in JSON form, in the segmentation's tables, which are made if it has none yet.

    Without a reference there is no table of agreement; one of an earlier run is removed.
    """
    _show(segmentation, VOLUMES_ROLE, "volumes", show_volumes, measures)
    if measures["agreement"]:
        _show(segmentation, AGREEMENT_ROLE, "agreement", show_agreement, measures)
    else:
        old = segmentation.GetNodeReference(AGREEMENT_ROLE)
        if old is not None:
            segmentation.SetNodeReferenceID(AGREEMENT_ROLE, None)
            segmentation.GetScene().RemoveNode(old)


def segment_result(
    segmentation: "slicer.vtkMRMLSegmentationNode",
    measures: Mapping[str, Any],
    *,
    probabilities: "slicer.vtkMRMLScalarVolumeNode | None" = None,
) -> SegmentResult:
    """Return nodes and measures, a result in JSON form, as one object."""
    place = measures["largest_finding_mm"]
    return SegmentResult(
        segmentation=segmentation,
        volumes_table=segmentation.GetNodeReference(VOLUMES_ROLE),
        agreement_table=segmentation.GetNodeReference(AGREEMENT_ROLE),
        probabilities=probabilities,
        volumes_ml=measures["volumes_ml"],
        lesion_count=measures["lesion_count"],
        agreements={name: _agreement(values) for name, values in (measures["agreement"] or {}).items()},
        timings_s=measures["timings_s"],
        provenance=measures["provenance"],
        # from LPS
        largest_finding_ras=None if place is None else (-place[0], -place[1], place[2]),
    )


def _show(
    segmentation: "slicer.vtkMRMLSegmentationNode",
    role: str,
    title: str,
    fill: Callable[[Any, Mapping[str, Any]], None],
    measures: Mapping[str, Any],
) -> None:
    # A second run into the same segmentation updates its tables rather than adding others.
    table, scene = segmentation.GetNodeReference(role), segmentation.GetScene()
    if table is None:
        name = segmentation.GetName().removesuffix(" segmentation")
        table = scene.AddNewNodeByClass("vtkMRMLTableNode", scene.GenerateUniqueName(f"{name} {title}"))
        segmentation.SetNodeReferenceID(role, table.GetID())
        put_under(table, segmentation)
    fill(table, measures)


def _agreement(values: Mapping[str, Any]) -> Agreement:
    numbers: dict[str, Any] = {name: math.nan if value is None else value for name, value in values.items()}
    return Agreement(**numbers)
