"""What a segmentation made by LightSeg knows of its run: kept with the node, so also in a saved scene."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import slicer

__all__ = ["ResultNodes", "keep_result_nodes", "result_nodes"]

MODELS = "LightSeg.Models"
PROVENANCE = "LightSeg.Provenance"
REFERENCE_SEGMENT = "LightSeg.ReferenceSegment"
INPUT_ROLE = "LightSeg.Input."
REFERENCE_ROLE = "LightSeg.Reference"
VOLUMES_ROLE = "LightSeg.Volumes"
AGREEMENT_ROLE = "LightSeg.Agreement"


@dataclass(frozen=True, kw_only=True)
class ResultNodes:
    """The nodes of one result.

    `inputs` by channel, the one that the segmentation covers first; `volumes` and `agreement` are its tables;
    `reference_segment` is "" where the reference has but one. `provenance` as in `Result`.
    """

    models: tuple[str, ...]
    inputs: "Mapping[str, slicer.vtkMRMLScalarVolumeNode]"
    reference: "slicer.vtkMRMLNode | None"
    reference_segment: str
    volumes: "slicer.vtkMRMLTableNode | None"
    agreement: "slicer.vtkMRMLTableNode | None"
    provenance: Mapping[str, Any]

    @property
    def main(self) -> "slicer.vtkMRMLScalarVolumeNode":
        """The volume that the segmentation covers."""
        return next(iter(self.inputs.values()))

    @property
    def is_corrected(self) -> bool:
        """Whether it was measured again after a correction by hand."""
        return bool((self.provenance.get("measured_again") or {}).get("corrected"))


def keep_result_nodes(
    segmentation: "slicer.vtkMRMLSegmentationNode",
    *,
    models: Sequence[str],
    inputs: "Mapping[str, slicer.vtkMRMLScalarVolumeNode]",
    reference: "slicer.vtkMRMLNode | None",
    reference_segment: str,
    provenance: Mapping[str, Any],
) -> None:
    """Note on a segmentation node what it was made from; its tables are noted by `table_of`."""
    for role in _roles(segmentation):
        if role.startswith((INPUT_ROLE, REFERENCE_ROLE)):
            segmentation.RemoveNodeReferenceIDs(role)
    for channel, node in inputs.items():
        segmentation.SetNodeReferenceID(INPUT_ROLE + channel, node.GetID())
    if reference is not None:
        segmentation.SetNodeReferenceID(REFERENCE_ROLE, reference.GetID())
    segmentation.SetAttribute(REFERENCE_SEGMENT, reference_segment)
    # With the channels in order, as a node's references have none.
    segmentation.SetAttribute(MODELS, json.dumps({"models": list(models), "channels": list(inputs)}))
    segmentation.SetAttribute(PROVENANCE, json.dumps(provenance))


def result_nodes(segmentation: "slicer.vtkMRMLSegmentationNode") -> ResultNodes | None:
    """Return what a segmentation was made from; None if LightSeg did not make it or its main input is gone."""
    noted = segmentation.GetAttribute(MODELS)
    if not noted:
        return None
    made_from = json.loads(noted)
    inputs = {name: segmentation.GetNodeReference(INPUT_ROLE + name) for name in made_from["channels"]}
    if not inputs or next(iter(inputs.values())) is None:
        return None
    return ResultNodes(
        models=tuple(made_from["models"]),
        inputs={name: node for name, node in inputs.items() if node is not None},
        reference=segmentation.GetNodeReference(REFERENCE_ROLE),
        reference_segment=segmentation.GetAttribute(REFERENCE_SEGMENT) or "",
        volumes=segmentation.GetNodeReference(VOLUMES_ROLE),
        agreement=segmentation.GetNodeReference(AGREEMENT_ROLE),
        provenance=json.loads(segmentation.GetAttribute(PROVENANCE) or "{}"),
    )


def _roles(node: "slicer.vtkMRMLNode") -> list[str]:
    return [node.GetNthNodeReferenceRole(index) for index in range(node.GetNumberOfNodeReferenceRoles())]
