"""Inputs of a tumor model: found by name, refused with a reason where they do not fit, optional where they may be."""

import numpy as np

from LightSegLib.slicer_bridge.sample_data import load_sample

ui, panel = widget.ui, widget.panel
widget.logic.getParameterNode().model = "tumor-acu"
wait(lambda: "T1ce" in panel._inputs.nodes())
assert set(panel._inputs.nodes()) == {"T1", "T1ce", "T2", "FLAIR"} and not ui.segmentButton.enabled
nodes = load_sample("tumor")
wait(lambda: all(panel._inputs.nodes().values()))
assert {name: node.GetID() for name, node in panel._inputs.nodes().items()} == {
    name: node.GetID() for name, node in nodes.items() if name != "reference"
}
assert ui.segmentButton.enabled


def problem_of(channel):
    return panel._inputs._rows[channel]._problem


# another patient's volume
far = slicer.util.addVolumeFromArray(np.ones((8, 8, 8)), name="elsewhere")
matrix = slicer.util.vtkMatrixFromArray(np.array([[1, 0, 0, 900], [0, 1, 0, 900], [0, 0, 1, 900], [0, 0, 0, 1.0]]))
far.SetIJKToRASMatrix(matrix)
selector = panel._inputs._rows["T2"].selector
selector.setCurrentNode(far)
wait(lambda: not ui.segmentButton.enabled)
assert problem_of("T2").visible and problem_of("T2").text == "T2 does not overlap T1"
assert "T2 does not overlap T1" in ui.segmentButton.toolTip
assert not problem_of("FLAIR").visible

# the same one twice
selector.setCurrentNode(nodes["T1"])
wait(lambda: "same volume" in problem_of("T2").text)
assert not ui.segmentButton.enabled

# without T2 it goes on, and the result says so; what the user took away does not come back by itself
selector.setCurrentNode(None)
wait(lambda: ui.segmentButton.enabled)
slicer.util.addVolumeFromArray(np.ones((8, 8, 8)), name="Another T2")
wait()
assert panel._inputs.nodes()["T2"] is None
ui.segmentButton.click()
wait(lambda: ui.resultsButton.visible, 180)
table = ui.volumesTable.mrmlTableNode()
assert table.GetNumberOfRows() == 6, table.GetNumberOfRows()
segmentation = ui.outputSelector.currentNode()
assert "T2" in segmentation.GetAttribute("LightSeg.Provenance")
