"""The MRML scene as the application sets it up: nodes of the slice views, an item of the hierarchy for each node."""

from pathlib import Path
from typing import Any

import slicer
import vtk

__all__ = ["SLICE_VIEWS", "make_scene"]

SLICE_VIEWS = {"Red": "Axial", "Yellow": "Sagittal", "Green": "Coronal"}
WITH_ITEM = ("vtkMRMLDisplayableNode", "vtkMRMLTableNode", "vtkMRMLTextNode", "vtkMRMLTransformNode")


def make_scene(folder: str) -> tuple[Any, Any]:
    """Return a scene and the application logic that looks after it; scene files are unpacked into `folder`."""
    scene = slicer.vtkMRMLScene()
    scene.SetCacheManager(slicer.vtkCacheManager())
    scene.GetCacheManager().SetRemoteCacheDirectory(folder)
    scene.SetDataIOManager(slicer.vtkDataIOManager())
    scene.GetDataIOManager().SetCacheManager(scene.GetCacheManager())
    logic = slicer.vtkSlicerApplicationLogic()
    # where color files would be; slicer-core brings none
    (Path(folder) / "share" / "ColorFiles").mkdir(parents=True)
    logic.SetHomeDirectory(folder)
    logic.SetShareDirectory("share")
    logic.SetMRMLScene(scene)
    slicer.vtkMRMLSliceNode.AddDefaultSliceOrientationPresets(scene)
    for view, orientation in SLICE_VIEWS.items():
        slice_node = _add_singleton(scene, "vtkMRMLSliceNode", view)
        slice_node.SetOrientation(orientation)
        _add_singleton(scene, "vtkMRMLSliceCompositeNode", view)
    _keep_hierarchy(scene)
    return scene, logic


def _add_singleton(scene: Any, node_class: str, view: str) -> Any:
    node = scene.CreateNodeByClass(node_class)
    node.UnRegister(None)
    node.SetName(view)
    node.SetLayoutName(view)
    node.SetSingletonTag(view)
    return scene.AddNode(node)


def _keep_hierarchy(scene: Any) -> None:
    """Let the subject hierarchy follow the nodes, as the application's plugins do."""

    def hierarchy() -> Any:
        return slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(scene)

    def add_item(node: Any) -> None:
        is_shown = any(node.IsA(kind) for kind in WITH_ITEM) and not node.GetHideFromEditors()
        if is_shown and not hierarchy().GetItemByDataNode(node):
            hierarchy().CreateItem(hierarchy().GetSceneItemID(), node)

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def on_added(_scene: Any, _event: str, node: Any) -> None:
        if not scene.IsImporting():  # a scene file brings its items along
            add_item(node)

    def on_imported(_scene: Any, _event: str) -> None:
        for number in range(scene.GetNumberOfNodes()):
            add_item(scene.GetNthNode(number))

    @vtk.calldata_type(vtk.VTK_OBJECT)
    def on_removed(_scene: Any, _event: str, node: Any) -> None:
        if not scene.IsClosing() and any(node.IsA(kind) for kind in WITH_ITEM):
            item = hierarchy().GetItemByDataNode(node)
            if item:
                hierarchy().RemoveItem(item, False, False)

    scene.AddObserver(scene.NodeAddedEvent, on_added)
    scene.AddObserver(scene.EndImportEvent, on_imported)
    scene.AddObserver(scene.NodeAboutToBeRemovedEvent, on_removed)
