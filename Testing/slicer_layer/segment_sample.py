"""Load the sample: the input fills itself; Segment shows progress and ends with a segmentation and a table."""

from LightSegLib.resources import resources_root

SAMPLES = resources_root() / "Samples"
ui = widget.ui

assert ui.segmentButton.text == "Segment" and not ui.segmentButton.enabled
flair = slicer.util.loadVolume(str(SAMPLES / "wmh_flair.nii.gz"))
widget._on_model()
assert widget.inputs.nodes()["FLAIR"] is flair, widget.inputs.nodes()
wait(lambda: ui.segmentButton.enabled)

seen = []
ui.progressBar.connect("valueChanged(int)", seen.append)
ui.segmentButton.click()
assert ui.segmentButton.text == "Cancel" and ui.progressBar.visible
wait(lambda: ui.segmentButton.text == "Segment", seconds=120)
assert seen == sorted(seen) and len(set(seen)) > 3, seen
assert not ui.progressBar.visible

(segmentation,) = slicer.util.getNodesByClass("vtkMRMLSegmentationNode")
(table,) = slicer.util.getNodesByClass("vtkMRMLTableNode")
assert segmentation.GetSegmentation().GetNumberOfSegments() == 1
assert ui.resultsTable.visible and ui.resultsTable.mrmlTableNode() is table
assert ui.resultsTable.model().rowCount() == table.GetNumberOfRows() == 1
assert segmentation.GetName() in ui.statusLabel.text
hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
assert hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation)) == hierarchy.GetItemParent(
    hierarchy.GetItemByDataNode(flair)
)
assert not layer.dialogs
