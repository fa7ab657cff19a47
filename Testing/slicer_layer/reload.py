"""Reloads the module during a run and uses it again; the run has ended."""

import os
from pathlib import Path

from LightSegLib.slicer_bridge.process_tree import descendants
from LightSegLib.slicer_bridge.sample_data import load_sample

load_sample("wmh")
wait(lambda: widget.ui.segmentButton.enabled)
widget.ui.segmentButton.click()
wait(lambda: widget.ui.progressBar.value > 100, 60)
workers = descendants(os.getpid())
slicer.util.reloadScriptedModule("LightSeg")
wait(lambda: not any(Path(f"/proc/{pid}").exists() for pid in workers), 10)
widget = slicer.modules.LightSegWidget
wait(lambda: widget.ui.segmentButton.enabled)
widget.ui.segmentButton.click()
wait(lambda: widget.ui.resultsButton.visible, 120)
