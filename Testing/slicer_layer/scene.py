"""The panel's choices are kept in a scene file; closing the scene and reloading the module leave it working."""

from LightSegLib.resources import resources_root

SAMPLES = resources_root() / "Samples"

flair = slicer.util.loadVolume(str(SAMPLES / "wmh_flair.nii.gz"))
reference = slicer.util.loadLabelVolume(str(SAMPLES / "wmh_reference.nii.gz"))
widget.ui.modelSelector.setCurrentIndex(widget.ui.modelSelector.findText("wmh-pocket"))
widget.ui.referenceSelector.setCurrentNode(reference)
assert logic.getParameterNode().reference is reference
assert logic.getParameterNode().model == "wmh-pocket"
file = slicer.util.tempDirectory() + "/scene.mrb"
assert slicer.util.saveScene(file)

slicer.mrmlScene.Clear()
wait()
assert widget.ui.referenceSelector.currentNode() is None and not widget.ui.segmentButton.enabled
assert logic.getParameterNode().model != "wmh-pocket"

slicer.mrmlScene.Clear()
slicer.util.loadScene(file)
widget.cleanup()
widget.enter()
wait()
assert logic.getParameterNode().model == widget.ui.modelSelector.currentText == "wmh-pocket"
assert widget.ui.referenceSelector.currentNode().GetName() == "wmh_reference"
assert widget.inputs.nodes()["FLAIR"].GetName() == "wmh_flair" and widget.ui.segmentButton.enabled

widget.onReload()
again = slicer.util.getModuleWidget("LightSeg")
assert again is not widget and again.ui.modelSelector.currentText == "wmh-pocket"
assert again.ui.segmentButton.enabled
slicer.mrmlScene.Clear()
wait()
assert not again.ui.segmentButton.enabled
