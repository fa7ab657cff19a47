"""Where results appear in the subject hierarchy."""

import slicer

__all__ = ["put_under"]


def put_under(node: "slicer.vtkMRMLNode", parent: "slicer.vtkMRMLNode") -> None:
    """Put a node under another one, as a result under its input; nodes of no scene are left alone."""
    scene = parent.GetScene()
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene) if scene is not None else None
    if hierarchy is not None:
        hierarchy.SetItemParent(_item(hierarchy, node), _item(hierarchy, parent))


def _item(hierarchy: "slicer.vtkMRMLSubjectHierarchyNode", node: "slicer.vtkMRMLNode") -> int:
    # The application makes an item for every node; without it, nobody does.
    return hierarchy.GetItemByDataNode(node) or hierarchy.CreateItem(hierarchy.GetSceneItemID(), node)
