"""Loads each sample from the Sample Data module, and segments it with one click."""

ui = widget.ui
sources = {source.sampleName: source for source in slicer.modules.sampleDataSources["LightSeg"]}
assert len(sources) == 3, list(sources)
for title, model in (
    ("Liver CT (generated)", "liver-pocket"),
    ("Brain tumor MRI (generated)", "tumor-acu"),
    ("WMH FLAIR (generated)", "wmh-acu"),
):
    nodes = sources[title].customDownloader(sources[title])
    wait(lambda model=model: ui.modelSelector.currentText == model and ui.segmentButton.enabled)
    assert ui.referenceSelector.currentNode() is nodes[-1]
    ui.outputSelector.setCurrentNode(None)
    ui.segmentButton.click()
    wait(lambda: ui.segmentButton.text == "Segment", 180)
    assert ui.agreementTable.visible, ui.statusLabel.text
    dice = float(ui.agreementTable.mrmlTableNode().GetCellText(0, 1))
    assert dice > 0.7, (title, dice)
