"""Cancels in the middle of a run: the worker and all its processes are gone, and the scene is as it was."""

import os
from pathlib import Path

from LightSegLib.slicer_bridge.process_tree import descendants
from LightSegLib.slicer_bridge.sample_data import load_sample


def scene_content():
    return sorted(slicer.mrmlScene.GetNthNode(i).GetID() for i in range(slicer.mrmlScene.GetNumberOfNodes()))


ui = widget.ui
load_sample("wmh")
wait(lambda: ui.segmentButton.enabled)
before = scene_content()
ui.segmentButton.click()
wait(lambda: ui.progressBar.value > 100, 60)
workers = descendants(os.getpid())
assert workers
ui.segmentButton.click()
assert ui.segmentButton.text == "Segment" and ui.segmentButton.enabled
assert "Cancelled" in ui.statusLabel.text
wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 10)
assert scene_content() == before
assert not ui.resultsButton.visible

# with a probability map the node for it goes as well
ui.probabilitiesCheckBox.checked = True
ui.segmentButton.click()
wait(lambda: ui.progressBar.value > 50, 60)
ui.segmentButton.click()
assert scene_content() == before

# and the next run is not disturbed
ui.segmentButton.click()
wait(lambda: ui.resultsButton.visible, 120)
assert any(
    "probability" in slicer.mrmlScene.GetNthNode(i).GetName() for i in range(slicer.mrmlScene.GetNumberOfNodes())
)
