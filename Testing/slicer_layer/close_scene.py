"""Closes the scene during a run, and saves and loads a scene with a result."""

import os
import tempfile
from pathlib import Path

from LightSegLib.slicer_bridge.process_tree import descendants
from LightSegLib.slicer_bridge.sample_data import load_sample

ui = widget.ui
load_sample("wmh")
wait(lambda: ui.segmentButton.enabled)
ui.segmentButton.click()
wait(lambda: ui.progressBar.value > 100, 60)
workers = descendants(os.getpid())
slicer.mrmlScene.Clear(0)
wait()
wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 10)
assert ui.segmentButton.text == "Segment" and not ui.segmentButton.enabled
assert not slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")

# the panel goes on with the new scene
nodes = load_sample("wmh")
wait(lambda: ui.segmentButton.enabled)
parameters = widget.logic.getParameterNode()
parameters.threads = 1
ui.referenceSelector.setCurrentNode(nodes["reference"])
ui.segmentButton.click()
wait(lambda: ui.resultsButton.visible, 120)
name, volume = ui.outputSelector.currentNode().GetName(), ui.volumesTable.mrmlTableNode().GetCellText(0, 1)

# the input is removed during a run: an error, not a crash
ui.outputSelector.setCurrentNode(None)
ui.segmentButton.click()
wait(lambda: ui.progressBar.value > 100, 60)
extra = nodes["FLAIR"]

path = os.path.join(tempfile.mkdtemp(), "scene.mrb")
ui.segmentButton.click()
assert slicer.util.saveScene(path)
slicer.mrmlScene.Clear(0)
wait()
assert not ui.resultsButton.visible
slicer.util.loadScene(path)
wait(lambda: ui.segmentButton.enabled)
assert widget.logic.getParameterNode().threads == 1 and ui.threadsSpinBox.value == 1
wait(lambda: ui.resultsButton.visible)
assert ui.volumesTable.mrmlTableNode().GetCellText(0, 1) == volume
assert ui.agreementTable.visible
