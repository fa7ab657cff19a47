"""Removes the input while it is segmented: one error in words, and the panel goes on."""

from LightSegLib.slicer_bridge.sample_data import load_sample

ui = widget.ui
nodes = load_sample("wmh")
wait(lambda: ui.segmentButton.enabled)
ui.segmentButton.click()
wait(lambda: ui.progressBar.value > 100, 60)
slicer.mrmlScene.RemoveNode(nodes["FLAIR"])
wait(lambda: ui.segmentButton.text == "Segment", 120)
errors = [dialog for dialog in layer.dialogs if dialog.kind == "error"]
assert len(errors) == 1 and "was removed from the scene" in errors[0].text, [error.text for error in errors]
layer.dialogs.remove(errors[0])
assert not ui.segmentButton.enabled and not slicer.mrmlScene.GetNumberOfNodesByClass("vtkMRMLSegmentationNode")
