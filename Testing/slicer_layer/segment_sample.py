"""Loads the sample, which fills the inputs; segments it, follows the progress, and looks at what came of it."""

import vtk

from LightSegLib.slicer_bridge.sample_data import load_sample

ui = widget.ui
assert ui.segmentButton.text == "Segment" and not ui.segmentButton.enabled
assert "FLAIR" in ui.segmentButton.toolTip
assert not ui.resultsButton.visible and not ui.restoreButton.visible and not ui.referenceSegmentSelector.visible
assert "MB" in ui.modelDescription.text and "Dice" in ui.modelDescription.text

nodes = load_sample("wmh")
wait(lambda: ui.segmentButton.enabled)
assert widget.panel._inputs.nodes()["FLAIR"] is nodes["FLAIR"]
ui.referenceSelector.setCurrentNode(nodes["reference"])

fractions, texts = [], set()
ui.progressBar.connect("valueChanged(int)", fractions.append)
ui.segmentButton.click()
assert ui.segmentButton.text == "Cancel" and ui.progressBar.visible
wait(lambda: texts.add(ui.statusLabel.text) or ui.resultsButton.visible, 120)
assert ui.segmentButton.text == "Segment" and ui.segmentButton.enabled and not ui.progressBar.visible
assert fractions == sorted(fractions) and len(fractions) > 4, fractions
assert any("Finding the brain" in text for text in texts), texts
assert "Segmented in" in ui.statusLabel.text

segmentation = ui.outputSelector.currentNode()
segment = segmentation.GetSegmentation().GetNthSegment(0)
assert segment.GetName() == "White matter hyperintensity"
text = vtk.reference("")
assert segment.GetTag(slicer.vtkSegment.GetTerminologyEntryTagName(), text) and "SCT" in str(text)
hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene)
parent = hierarchy.GetItemParent(hierarchy.GetItemByDataNode(segmentation))
assert hierarchy.GetItemDataNode(parent) is nodes["FLAIR"]

volumes, agreement = ui.volumesTable.mrmlTableNode(), ui.agreementTable.mrmlTableNode()
assert volumes.GetNumberOfRows() == 1 and float(volumes.GetCellText(0, 1)) > 1
assert agreement.GetColumnName(1) == "Dice" and float(agreement.GetCellText(0, 1)) > 0.8
assert ui.agreementTable.visible and nodes["reference"].GetName() in ui.agreementLabel.text
ui.copyButton.click()
copied = qt.QApplication.clipboard().text().splitlines()
assert copied[0].startswith("Segment\tVolume [ml]") and len(copied) == 5, copied
assert not ui.dicomButton.enabled and "DICOM" in ui.dicomButton.toolTip

# the views look at the largest finding
bounds = [0.0] * 6
segmentation.GetRASBounds(bounds)
red = slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceNode")
if red is not None:
    offset = red.GetSliceOffset()
    assert bounds[4] <= offset <= bounds[5], (offset, bounds)

ui.show3DButton.click()
assert segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
assert segmentation.GetDisplayNode().GetVisibility3D()
ui.show3DButton.click()
assert not segmentation.GetDisplayNode().GetVisibility3D()
