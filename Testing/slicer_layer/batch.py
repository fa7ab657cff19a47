"""Segments a folder of cases, one of them unusable, from the panel and from the console."""

import csv
import shutil
import tempfile
from pathlib import Path

from LightSegLib.resources import resources_root

ui = widget.ui
samples, root = resources_root() / "Samples", Path(tempfile.mkdtemp())
for case in ("one", "two"):
    (root / "cases" / case).mkdir(parents=True)
    shutil.copy(samples / "wmh_flair.nii.gz", root / "cases" / case / "flair.nii.gz")
shutil.copy(samples / "wmh_reference.nii.gz", root / "cases" / "one" / "reference.nii.gz")
(root / "cases" / "zero").mkdir()
(root / "cases" / "zero" / "flair.nii.gz").write_bytes(b"no image")

assert not ui.batchRunButton.enabled and "cases" in ui.batchRunButton.toolTip
ui.batchButton.collapsed = False
ui.batchInputEdit.currentPath = str(root / "cases")
ui.batchOutputEdit.currentPath = str(root / "out")
wait(lambda: ui.batchRunButton.enabled)
ui.batchRunButton.click()
assert ui.batchRunButton.text == "Cancel"
wait(lambda: not ui.segmentButton.enabled)
wait(lambda: ui.batchRunButton.text == "Segment all", 180)
shown = {ui.batchTable.item(row, 0).text(): ui.batchTable.item(row, 1).text() for row in range(ui.batchTable.rowCount)}
assert shown == {"one": "done", "two": "done", "zero": "failed"}, shown
assert "2" in ui.batchStatusLabel.text and "1" in ui.batchStatusLabel.text, ui.batchStatusLabel.text
tables = list((root / "out").glob("*.csv"))
assert len(tables) == 1
rows = list(csv.DictReader(tables[0].open(encoding="utf-8-sig")))
assert {row["case"] for row in rows} == {"one", "two", "zero"}

done = widget.logic.segmentFolder(str(root / "cases"), str(root / "again"), model="wmh-pocket")
assert done.table.is_file() and (root / "again").is_dir()
