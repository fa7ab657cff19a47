"""What the user sees of a result in the application's views and modules."""

from typing import Any

import slicer

__all__ = ["edit_segmentation", "jump_to", "show_3d"]

CLOSED_SURFACE = "Closed surface"
EDITOR_TAG = "SegmentEditor"


def jump_to(scene: "slicer.vtkMRMLScene", position_ras: tuple[float, float, float]) -> None:
    """Center the slice views on a position in world space (RAS, mm)."""
    slicer.vtkMRMLSliceNode.JumpAllSlices(scene, *position_ras, slicer.vtkMRMLSliceNode.CenteredJumpSlice)


def show_3d(segmentation: "slicer.vtkMRMLSegmentationNode", is_shown: bool) -> None:
    """Show the segments' surfaces in the 3D views, or hide them."""
    if is_shown:
        segmentation.CreateClosedSurfaceRepresentation()
    segmentation.CreateDefaultDisplayNodes()
    segmentation.GetDisplayNode().SetVisibility3D(is_shown)


def edit_segmentation(segmentation: "slicer.vtkMRMLSegmentationNode", volume: Any) -> None:
    """Open the Segment Editor on a segmentation, with `volume` as its source.

    The editor's module keeps what it edits in one node of the scene, which it finds by its tag.
    """
    scene = segmentation.GetScene()
    editor = scene.GetSingletonNode(EDITOR_TAG, "vtkMRMLSegmentEditorNode")
    if editor is None:
        editor = slicer.vtkMRMLSegmentEditorNode()
        editor.SetSingletonTag(EDITOR_TAG)
        editor = scene.AddNode(editor)
    editor.SetAndObserveSegmentationNode(segmentation)
    editor.SetAndObserveSourceVolumeNode(volume)
    slicer.util.selectModule("SegmentEditor")
