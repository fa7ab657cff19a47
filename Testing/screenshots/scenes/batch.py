"""A folder of three cases, one of them damaged, segmented from the section Batch."""

import shutil
import tempfile
from pathlib import Path

from LightSegLib.resources import resources_root

ui, root = widget.ui, Path(tempfile.mkdtemp(prefix="cohort-"))
for case in ("patient-01", "patient-02", "patient-03"):
    (root / case).mkdir()
    shutil.copy(resources_root() / "Samples" / "wmh_flair.nii.gz", root / case / "flair.nii.gz")
damaged = root / "patient-03" / "flair.nii.gz"
damaged.write_bytes(damaged.read_bytes()[:5000])
ui.inputsButton.collapsed = ui.outputsButton.collapsed = True
ui.batchButton.collapsed = False
ui.batchInputEdit.currentPath = str(root)
ui.batchOutputEdit.currentPath = str(root / "results")
wait(lambda: ui.batchRunButton.enabled)
ui.batchRunButton.click()
wait(lambda: ui.batchRunButton.text == "Segment all", 120)
