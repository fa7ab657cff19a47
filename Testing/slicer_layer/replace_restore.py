"""Replaces a segmentation only after a question, and brings back what it held; two runs one after the other."""

import numpy as np

from LightSegLib.slicer_bridge.sample_data import load_sample

ui = widget.ui
nodes = load_sample("wmh")
wait(lambda: ui.segmentButton.enabled)
mine = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Mine")
mine.SetReferenceImageGeometryParameterFromVolumeNode(nodes["FLAIR"])
segment_id = mine.GetSegmentation().AddEmptySegment("", "By hand")
drawn = np.zeros(slicer.util.arrayFromVolume(nodes["FLAIR"]).shape, np.uint8)
drawn[10:14, 20:30, 20:30] = 1
slicer.util.updateSegmentBinaryLabelmapFromArray(drawn, mine, segment_id, nodes["FLAIR"])
ui.outputSelector.setCurrentNode(mine)
wait()


def drawn_voxels():
    return int(
        slicer.util.arrayFromSegmentBinaryLabelmap(
            mine, "Segment_1" if segment_id not in ids() else segment_id, nodes["FLAIR"]
        ).sum()
    )


def ids():
    return list(mine.GetSegmentation().GetSegmentIDs())


# no
layer.dialogs.answers.append(qt.QMessageBox.No)
ui.segmentButton.click()
assert 'Replace the content of "Mine"?' in layer.dialogs[-1].text
assert ui.segmentButton.text == "Segment" and ids() == [segment_id] and drawn_voxels() == drawn.sum()

# yes, but cancelled: untouched
layer.dialogs.answers.append(qt.QMessageBox.Yes)
ui.segmentButton.click()
wait(lambda: ui.progressBar.value > 100, 60)
ui.segmentButton.click()
assert ids() == [segment_id] and not ui.restoreButton.visible

# yes
layer.dialogs.answers.append(qt.QMessageBox.Yes)
ui.segmentButton.click()
wait(lambda: ui.resultsButton.visible, 120)
assert mine.GetSegmentation().GetNthSegment(0).GetName() == "White matter hyperintensity" and len(ids()) == 1
assert ui.restoreButton.visible
ui.restoreButton.click()
assert ids() == [segment_id] and drawn_voxels() == drawn.sum()
assert not ui.restoreButton.visible and not ui.resultsButton.visible

# twice into a new one: the second asks, and both tables stay one
ui.outputSelector.setCurrentNode(None)
ui.segmentButton.click()
wait(lambda: ui.resultsButton.visible, 120)
first = ui.outputSelector.currentNode()
assert first is not None and first is not mine
tables = slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode")
layer.dialogs.answers.append(qt.QMessageBox.Yes)
ui.segmentButton.click()
wait(lambda: ui.segmentButton.text == "Segment" and ui.restoreButton.visible, 120)
assert slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLTableNode") == tables
assert ui.outputSelector.currentNode() is first

# the next patient's result does not go into it
other = slicer.util.addVolumeFromArray(slicer.util.arrayFromVolume(nodes["FLAIR"]).copy(), name="Next patient FLAIR")
widget.panel._inputs._rows["FLAIR"].selector.setCurrentNode(other)
wait(lambda: ui.outputSelector.currentNode() is None)
assert ui.resultsButton.visible
