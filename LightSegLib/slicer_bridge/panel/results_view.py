"""What a segmentation gave: its tables, and what can be done with it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LightSegLib.errors import LightSegError
from LightSegLib.slicer_bridge.dicom_sources import why_no_dicom_seg
from LightSegLib.slicer_bridge.panel.dialogs import Dialogs
from LightSegLib.slicer_bridge.result_nodes import ResultNodes, result_nodes
from LightSegLib.slicer_bridge.tables import table_text
from LightSegLib.slicer_bridge.views import edit_segmentation, show_3d

__all__ = ["ResultsView"]

ROW_PADDING = 8
"""Between the lines of a table, in pixels."""


class ResultsView:
    """The section of results. `measure(segmentation, report)` and `export(segmentation, path)` do the long work."""

    def __init__(
        self,
        ui: Any,
        dialogs: Dialogs,
        *,
        measure: Callable[[Any, Path | None], None],
        export: Callable[[Any, Path], None],
    ) -> None:
        self._ui = ui
        self._dialogs = dialogs
        self._measure, self._export = measure, export
        self._segmentation: Any = None
        self._nodes: Any = None
        ui.editButton.connect("clicked(bool)", self._on_edit)
        ui.updateButton.connect("clicked(bool)", self._on_update)
        ui.show3DButton.connect("clicked(bool)", self._on_show_3d)
        ui.copyButton.connect("clicked(bool)", self._on_copy)
        ui.reportButton.connect("clicked(bool)", self._on_report)
        ui.dicomButton.connect("clicked(bool)", self._on_dicom)
        self.show(None)

    def show(self, segmentation: "slicer.vtkMRMLSegmentationNode | None") -> None:
        """Show what a segmentation of ours holds; nothing for None and for other segmentations."""
        nodes = None if segmentation is None else result_nodes(segmentation)
        self._ui.resultsButton.visible = nodes is not None
        self._show_tables(nodes)
        if segmentation is None or nodes is None:
            self._segmentation = self._nodes = None
            return
        self._segmentation, self._nodes = segmentation, nodes
        self._ui.resultLabel.text = "\n".join([segmentation.GetName(), *nodes.provenance.get("notes", ())])
        display = segmentation.GetDisplayNode()
        shown = segmentation.GetSegmentation().ContainsRepresentation("Closed surface")
        self._ui.show3DButton.checked = bool(display is not None and display.GetVisibility3D() and shown)
        reason = why_no_dicom_seg(nodes.main)
        self._ui.dicomButton.enabled = not reason
        self._ui.dicomButton.toolTip = reason or _("Save the segmentation as DICOM.")

    def allow(self, is_allowed: bool) -> None:
        """Enable what starts a run of its own, or not while another is under way."""
        for button in (self._ui.updateButton, self._ui.reportButton):
            button.enabled = is_allowed

    def _show_tables(self, nodes: ResultNodes | None) -> None:
        agreement = None if nodes is None else nodes.agreement
        self._ui.volumesTable.setMRMLTableNode(None if nodes is None else nodes.volumes)
        self._ui.agreementTable.setMRMLTableNode(agreement)
        for view in (self._ui.volumesTable, self._ui.agreementTable):
            _fit(view)
        self._ui.agreementTable.visible = self._ui.agreementLabel.visible = agreement is not None
        if nodes is not None and nodes.reference is not None:
            self._ui.agreementLabel.text = _("Agreement with {name}").format(name=nodes.reference.GetName())

    def _on_edit(self) -> None:
        edit_segmentation(self._segmentation, self._nodes.main)

    def _on_update(self) -> None:
        self._measure(self._segmentation, None)

    def _on_show_3d(self) -> None:
        show_3d(self._segmentation, self._ui.show3DButton.checked)

    def _on_copy(self) -> None:
        tables = (self._nodes.volumes, self._nodes.agreement)
        text = "\n".join(table_text(table) for table in tables if table is not None)
        qt.QApplication.clipboard().setText(text)

    def _on_report(self) -> None:
        path = self._dialogs.save_file(_("Export report"), self._file_name(".html"), "HTML (*.html)")
        if path:
            self._measure(self._segmentation, Path(path).with_suffix(".html"))

    def _on_dicom(self) -> None:
        path = self._dialogs.save_file(_("Export DICOM SEG"), self._file_name(".dcm"), "DICOM (*.dcm)")
        if path:
            try:
                self._export(self._segmentation, Path(path).with_suffix(".dcm"))
            except LightSegError as error:
                self._dialogs.error(str(error))

    def _file_name(self, suffix: str) -> str:
        name = "".join(letter if letter.isalnum() else "_" for letter in self._segmentation.GetName())
        return str(Path.home() / (name + suffix))


def _fit(view: Any) -> None:
    """Make a table as high as its rows, as a few lines need no room for many."""
    node = view.mrmlTableNode()
    line = view.fontMetrics().height() + ROW_PADDING
    view.verticalHeader().visible = False
    view.verticalHeader().defaultSectionSize = line
    view.resizeColumnsToContents()
    # the titles, the rows, and room for a horizontal scroll bar
    height = line * ((0 if node is None else node.GetNumberOfRows()) + 2)
    view.minimumHeight = view.maximumHeight = height
