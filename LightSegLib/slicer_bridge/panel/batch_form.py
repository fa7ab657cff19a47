"""A folder or table of cases, segmented one after the other with one model."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
from slicer.i18n import tr as _

from LightSegLib.errors import CancelledError, LightSegError
from LightSegLib.slicer_bridge.panel.dialogs import Dialogs
from LightSegLib.slicer_bridge.panel.run_controls import RunControls
from LightSegLib.slicer_bridge.run import WorkerRun

__all__ = ["BatchForm"]

COLUMNS = ("Case", "Status", "Seconds", "Message")


class BatchForm:
    """The section of cohorts. `start(cases, folder)` begins a run; `changed()` is called when one begins or ends."""

    def __init__(
        self,
        ui: Any,
        dialogs: Dialogs,
        *,
        start: Callable[[Path, Path], "WorkerRun[Any]"],
        changed: Callable[[], None],
    ) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self._start, self._changed = start, changed
        self._is_allowed = True
        self._rows: dict[int, int] = {}
        self.controls = RunControls(
            button=ui.batchRunButton,
            bar=ui.batchProgressBar,
            status=ui.batchStatusLabel,
            log=ui.logText,
            label=_("Segment all"),
            start=self._on_start,
        )
        ui.batchTable.setColumnCount(len(COLUMNS))
        ui.batchTable.setHorizontalHeaderLabels(list(COLUMNS))
        ui.batchTable.horizontalHeader().setStretchLastSection(True)
        ui.batchTable.verticalHeader().visible = False
        ui.batchTable.visible = False
        ui.batchFolderButton.connect("clicked(bool)", self._on_folder)
        for edit in (ui.batchInputEdit, ui.batchOutputEdit):
            edit.connect("currentPathChanged(QString)", self._check)
        self._check()

    def allow(self, is_allowed: bool) -> None:
        """Enable the button, or not while another run is under way."""
        self._is_allowed = is_allowed
        self._check()

    def _check(self) -> None:
        if not self._is_allowed:
            reason = _("Another run is under way")
        elif not self._ui.batchInputEdit.currentPath:
            reason = _("Choose the folder or table of cases first")
        elif not self._ui.batchOutputEdit.currentPath:
            reason = _("Choose the output folder first")
        else:
            reason = ""
        self.controls.allow(reason)

    def _on_folder(self) -> None:
        folder = self._dialogs.choose_folder(_("Folder of cases"))
        if folder:
            self._ui.batchInputEdit.currentPath = folder

    def _on_start(self) -> None:
        try:
            run = self._start(Path(self._ui.batchInputEdit.currentPath), Path(self._ui.batchOutputEdit.currentPath))
        except LightSegError as error:
            self.controls.tell(str(error))
            self._dialogs.error(str(error))
            return
        self._rows = {}
        self._ui.batchTable.setRowCount(0)
        self._ui.batchTable.visible = True
        run.on_message(self._on_message)
        self.controls.follow(run, self._on_end)
        self._changed()

    def _on_message(self, message: dict[str, Any]) -> None:
        if message["type"] != "case":
            return
        table = self._ui.batchTable
        row = self._rows.setdefault(message["index"], len(self._rows))
        if row == table.rowCount:
            table.setRowCount(row + 1)
        seconds = message.get("seconds")
        cells = (
            message["name"],
            message["status"],
            "" if seconds is None else f"{seconds:.1f}",
            message.get("message") or "",
        )
        for column, text in enumerate(cells):
            item = qt.QTableWidgetItem(text)
            item.setToolTip(text)
            table.setItem(row, column, item)
        table.scrollToBottom()

    def _on_end(self, run: "WorkerRun[Any]") -> None:
        try:
            self.controls.tell(run.result().text)
        except CancelledError:
            self.controls.tell(_("Cancelled; the cases that were done are in the output folder."))
        except Exception as error:  # also the unexpected ones must reach the user
            self.controls.tell(str(error))
            self._dialogs.error(str(error))
        self._changed()
