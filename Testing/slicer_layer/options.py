"""Options: folded away, as the model allows, kept for each model, and used."""

import json

from LightSegLib.slicer_bridge.sample_data import load_sample

ui, parameters = widget.ui, widget.logic.getParameterNode()


def spin(name):
    return slicer.util.findChild(ui.optionsButton, name)


def combo_texts(combo):
    return [combo.itemText(i) for i in range(combo.count)]


def segment(reference=None):
    ui.outputSelector.setCurrentNode(None)
    ui.segmentButton.click()
    wait(lambda: ui.segmentButton.text == "Segment", 180)
    return ui.outputSelector.currentNode(), float(ui.volumesTable.mrmlTableNode().GetCellText(0, 1))


assert ui.optionsButton.collapsed
ui.optionsButton.collapsed = False
wait()
assert combo_texts(ui.deviceSelector)[:1] == ["Automatic"] and combo_texts(ui.deviceSelector)[1].startswith("CPU")
assert not ui.postprocessingSelector.enabled and combo_texts(ui.postprocessingSelector) == ["As shipped"]
nodes = load_sample("wmh")
wait(lambda: ui.segmentButton.enabled)
_, shipped = segment()
assert spin("thresholdSpinBox").value == 0.5 and "0.5" in spin("thresholdSpinBox").toolTip
spin("thresholdSpinBox").value = 0.9
spin("min_lesion_mlSpinBox").value = 0.5
ui.deviceSelector.setCurrentIndex(1)
ui.threadsSpinBox.value = 1
segmentation, stricter = segment()
assert stricter < shipped, (stricter, shipped)
provenance = json.loads(segmentation.GetAttribute("LightSeg.Provenance"))
assert any("threshold 0.9 instead of 0.5" in note for note in provenance["notes"]), provenance["notes"]
assert parameters.device == "cpu"

# what was set is this model's
parameters.model = "tumor-acu"
wait(lambda: combo_texts(ui.postprocessingSelector) == ["As shipped", "Nested thresholds", "Most probable class"])
assert {name: round(spin(f"threshold{name}SpinBox").value, 2) for name in ("WT", "TC", "ET")} == {
    "WT": 0.45,
    "TC": 0.35,
    "ET": 0.45,
}
ui.postprocessingSelector.setCurrentIndex(2)
wait()
assert spin("thresholdWTSpinBox") is None or not spin("thresholdWTSpinBox").visible
parameters.model = "liver-pocket"
wait(lambda: "Morphological clean-up" in combo_texts(ui.postprocessingSelector))
assert ui.postprocessingSelector.currentText == "As shipped"
parameters.model = "wmh-acu"
wait(lambda: spin("thresholdSpinBox") is not None and spin("thresholdSpinBox").value == 0.9)

# a reference with several segments: one is chosen
ui.referenceSelector.setCurrentNode(segmentation)
wait()
assert not ui.referenceSegmentSelector.visible
other = segmentation.GetSegmentation().AddEmptySegment("", "Something else")
wait(lambda: ui.referenceSegmentSelector.visible)
assert ui.referenceSegmentSelector.currentText == "White matter hyperintensity"
segment()
assert ui.agreementTable.visible and float(ui.agreementTable.mrmlTableNode().GetCellText(0, 1)) > 0.99
