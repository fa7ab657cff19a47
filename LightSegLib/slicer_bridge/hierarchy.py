"""Where results appear in the subject hierarchy."""

import slicer

__all__ = ["put_beside"]


def put_beside(node: "slicer.vtkMRMLNode", input_node: "slicer.vtkMRMLNode") -> None:
    """Put a node under the folder, study or patient that holds `input_node`; nodes of no scene are left alone."""
    scene = input_node.GetScene()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if scene is not None else None
    if hierarchy is None:
        return
    parent = hierarchy.GetItemParent(_item(hierarchy, input_node))
    hierarchy.SetItemParent(_item(hierarchy, node), parent)


def _item(hierarchy: "slicer.vtkMRMLSubjectHierarchyNode", node: "slicer.vtkMRMLNode") -> int:
    # The application makes an item for every node; without it, nobody does.
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
