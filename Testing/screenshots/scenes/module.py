"""The tumor sample from Sample Data, segmented and compared with its reference."""

ui = widget.ui
source = next(one for one in slicer.modules.sampleDataSources["LightSeg"] if "tumor" in one.sampleName)
source.customDownloader(source)
wait(lambda: ui.modelSelector.currentText == "tumor-acu" and ui.segmentButton.enabled)
ui.segmentButton.click()
wait(lambda: ui.agreementTable.visible, 120)
