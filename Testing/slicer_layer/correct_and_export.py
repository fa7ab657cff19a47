"""Corrects a result, measures it again, and saves the report; opens the Segment Editor on it."""

import os
import tempfile
from pathlib import Path

import numpy as np

from LightSegLib.slicer_bridge.sample_data import load_sample

ui = widget.ui
nodes = load_sample("wmh")
wait(lambda: ui.segmentButton.enabled)
ui.referenceSelector.setCurrentNode(nodes["reference"])
ui.segmentButton.click()
wait(lambda: ui.resultsButton.visible, 120)
segmentation = ui.outputSelector.currentNode()
before = float(ui.volumesTable.mrmlTableNode().GetCellText(0, 1))
dice = float(ui.agreementTable.mrmlTableNode().GetCellText(0, 1))

segment_id = segmentation.GetSegmentation().GetNthSegmentID(0)
voxels = slicer.util.arrayFromSegmentBinaryLabelmap(segmentation, segment_id, nodes["FLAIR"])
voxels[: voxels.shape[0] // 2] = 0
slicer.util.updateSegmentBinaryLabelmapFromArray(voxels.astype(np.uint8), segmentation, segment_id, nodes["FLAIR"])
ui.referenceSelector.setCurrentNode(None)
ui.updateButton.click()
wait(lambda: ui.segmentButton.text == "Segment", 60)
after = float(ui.volumesTable.mrmlTableNode().GetCellText(0, 1))
spacing = np.prod(nodes["FLAIR"].GetSpacing())
assert 0 < after < before and abs(after - voxels.sum() * spacing / 1000) < 0.01, (before, after)
reference = slicer.util.arrayFromVolume(nodes["reference"]) > 0
expected = 2 * (reference & (voxels > 0)).sum() / (reference.sum() + (voxels > 0).sum())
measured = float(ui.agreementTable.mrmlTableNode().GetCellText(0, 1))
assert abs(measured - expected) < 1e-3 and measured != dice, (dice, measured, expected)

path = os.path.join(tempfile.mkdtemp(), "report.html")
layer.dialogs.answers.append(path)
ui.reportButton.click()
wait(lambda: ui.segmentButton.text == "Segment" and "Saved" in ui.statusLabel.text, 60)
text = Path(path).read_text(encoding="utf-8")
assert nodes["FLAIR"].GetName() in text and "<img" in text and "corrected" in text.lower()

ui.editButton.click()
editor = slicer.mrmlScene.GetSingletonNode("SegmentEditor", "vtkMRMLSegmentEditorNode")
assert editor.GetSegmentationNode() is segmentation and editor.GetSourceVolumeNode() is nodes["FLAIR"]
assert slicer.util.selectedModule() == "SegmentEditor"
slicer.util.selectModule("LightSeg")
wait(lambda: ui.resultsButton.visible)

# a reference that is chosen afterwards is what counts
ui.referenceSelector.setCurrentNode(segmentation)
wait()
ui.updateButton.click()
wait(lambda: ui.segmentButton.text == "Segment", 60)
assert float(ui.agreementTable.mrmlTableNode().GetCellText(0, 1)) == 1
