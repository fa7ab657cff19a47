"""A liver CT about to be segmented, with the options unfolded."""

ui = widget.ui
source = next(one for one in slicer.modules.sampleDataSources["LightSeg"] if "Liver" in one.sampleName)
source.customDownloader(source)
wait(lambda: ui.modelSelector.currentText == "liver-pocket" and ui.segmentButton.enabled)
ui.optionsButton.collapsed = False
wait()
