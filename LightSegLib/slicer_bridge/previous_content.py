"""What a segmentation node held before a run replaced it, so that the user can have it back."""

from dataclasses import dataclass
from typing import Any

import slicer
import vtk

from LightSegLib.slicer_bridge.result_nodes import result_nodes

__all__ = ["PreviousContent", "has_content", "keep_content"]

OWN = "LightSeg."
"""Starts the names of the attributes and references that a run changes."""


@dataclass(frozen=True, kw_only=True)
class PreviousContent:
    """A copy of a segmentation with its place and its tables; `restore` puts all of it back."""

    node: "slicer.vtkMRMLSegmentationNode"
    segmentation: "slicer.vtkSegmentation"
    transform_id: str | None
    attributes: dict[str, str]
    references: dict[str, str]
    tables: dict[str, vtk.vtkTable]

    def restore(self) -> None:
        """Put the copy back into the node and its tables; does nothing if the node has left the scene."""
        scene = self.node.GetScene()
        if scene is None:
            return
        modified = self.node.StartModify()
        self.node.GetSegmentation().DeepCopy(self.segmentation)
        self.node.SetAndObserveTransformNodeID(self.transform_id)
        for name in _own_attributes(self.node):
            self.node.SetAttribute(name, self.attributes.get(name))
        for role in _own_roles(self.node):
            self.node.SetNodeReferenceID(role, self.references.get(role))
        self.node.EndModify(modified)
        for node_id, content in self.tables.items():
            table = scene.GetNodeByID(node_id)
            if table is not None:
                table.GetTable().DeepCopy(content)
                table.Modified()


def has_content(node: "slicer.vtkMRMLSegmentationNode") -> bool:
    """Return whether a segmentation node has segments, which a run would replace."""
    return bool(node.GetSegmentation().GetNumberOfSegments())


def keep_content(node: "slicer.vtkMRMLSegmentationNode") -> PreviousContent:
    """Copy what a segmentation node holds."""
    segmentation = slicer.vtkSegmentation()
    segmentation.DeepCopy(node.GetSegmentation())
    nodes = result_nodes(node)
    kept: dict[str, Any] = {}
    for table in () if nodes is None else (nodes.volumes, nodes.agreement):
        if table is not None:
            kept[table.GetID()] = vtk.vtkTable()
            kept[table.GetID()].DeepCopy(table.GetTable())
    return PreviousContent(
        node=node,
        segmentation=segmentation,
        transform_id=node.GetTransformNodeID(),
        attributes={name: node.GetAttribute(name) for name in _own_attributes(node)},
        references={role: node.GetNodeReferenceID(role) for role in _own_roles(node) if node.GetNodeReferenceID(role)},
        tables=kept,
    )


def _own_attributes(node: "slicer.vtkMRMLNode") -> list[str]:
    return [name for name in node.GetAttributeNames() if name.startswith(OWN)]


def _own_roles(node: "slicer.vtkMRMLNode") -> list[str]:
    roles = [node.GetNthNodeReferenceRole(index) for index in range(node.GetNumberOfNodeReferenceRoles())]
    return [role for role in roles if role.startswith(OWN)]
