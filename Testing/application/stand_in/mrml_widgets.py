"""Slicer's widgets on MRML nodes, bound to the real scene; the node selector has a file of its own."""

from typing import Any

import slicer
import vtk
from PySide6 import QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from stand_in.node_selector import qMRMLNodeComboBox
from stand_in.observing import Observing

__all__ = ["qMRMLSegmentSelectorWidget", "qMRMLTableView", "qMRMLWidget"]


class qMRMLWidget(QtWidgets.QWidget):
    """A panel that hands a scene to what it holds."""

    mrmlSceneChanged = Signal(object)
    cpp_signals = {"mrmlSceneChanged(vtkMRMLScene*)": "mrmlSceneChanged(PyObject)"}

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: Any = None

    def mrmlScene(self) -> Any:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """Show a scene."""
        self._scene = scene
        self.mrmlSceneChanged.emit(scene)


class qMRMLTableView(QtWidgets.QTableView):
    """The cells of a table node."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._node: Any = None
        self._scene: Any = None
        self._observing = Observing(self)

    def setMRMLScene(self, scene: Any) -> None:
        """Take a scene; its closing empties the view."""
        self._scene = scene
        self._observing.of("scene", scene, [slicer.vtkMRMLScene.NodeRemovedEvent], self._let_go)

    def mrmlTableNode(self) -> Any:
        """Return the table node that is shown, or None."""
        return self._node

    def setMRMLTableNode(self, node: Any) -> None:
        """Show a table node."""
        self._node = node
        self._observing.of("table", node, [vtk.vtkCommand.ModifiedEvent], self._show)
        self._show()

    def _let_go(self) -> None:
        if self._node is not None and self._node.GetScene() is None:
            self.setMRMLTableNode(None)

    def _show(self) -> None:
        table = self._node.GetTable() if self._node is not None else vtk.vtkTable()
        rows, columns = table.GetNumberOfRows(), table.GetNumberOfColumns()
        model = QtGui.QStandardItemModel(rows, columns, self)
        model.setHorizontalHeaderLabels([table.GetColumnName(column) or "" for column in range(columns)])
        for row in range(rows):
            for column in range(columns):
                model.setItem(row, column, QtGui.QStandardItem(table.GetValue(row, column).ToString()))
        self.setModel(model)


class qMRMLSegmentSelectorWidget(QtWidgets.QWidget):
    """A segmentation node and one of its segments."""

    currentNodeChanged = Signal(object)
    currentSegmentChanged = Signal(str)
    cpp_signals = {"currentNodeChanged(vtkMRMLNode*)": "currentNodeChanged(PyObject)"}

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._observing = Observing(self)
        self._nodes = qMRMLNodeComboBox(self)
        self._nodes.nodeTypes = ["vtkMRMLSegmentationNode"]
        self._nodes.addEnabled = self._nodes.removeEnabled = False
        self._segments = QtWidgets.QComboBox(self)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._nodes)
        row.addWidget(self._segments)
        self._allows_none = False
        self._nodes.currentNodeChanged.connect(self._take_node)
        self._segments.currentIndexChanged.connect(lambda: self.currentSegmentChanged.emit(self.currentSegmentID()))

    def setMRMLScene(self, scene: Any) -> None:
        """Take a scene."""
        self._nodes.setMRMLScene(scene)

    def currentNode(self) -> Any:
        """Return the segmentation node, or None."""
        return self._nodes.currentNode()

    def setCurrentNode(self, node: Any) -> None:
        """Choose a segmentation node."""
        self._nodes.setCurrentNode(node)

    def currentNodeID(self) -> str:
        """Return the id of the segmentation node."""
        return self._nodes.currentNodeID

    def currentSegmentID(self) -> str:
        """Return the id of the segment, "" if none is chosen."""
        return self._segments.currentData() or ""

    def setCurrentSegmentID(self, segment: str) -> None:
        """Choose a segment."""
        self._segments.setCurrentIndex(self._segments.findData(segment))

    def _take_node(self, node: Any) -> None:
        segmentation = node.GetSegmentation() if node is not None else None
        events = [segmentation.SegmentAdded, segmentation.SegmentRemoved] if segmentation is not None else []
        self._observing.of("segmentation", segmentation, events, self._show)
        self._show()
        self.currentNodeChanged.emit(node)

    def _show(self) -> None:
        node, chosen = self.currentNode(), self.currentSegmentID()
        segmentation = node.GetSegmentation() if node is not None else None
        ids = [segmentation.GetNthSegmentID(i) for i in range(segmentation.GetNumberOfSegments())] if node else []
        self._segments.blockSignals(True)
        self._segments.clear()
        for name, segment in [("None", "")] * self._allows_none + [
            (segmentation.GetSegment(i).GetName(), i) for i in ids
        ]:
            self._segments.addItem(name, segment)
        self._segments.setCurrentIndex(max(self._segments.findData(chosen), 0))
        self._segments.blockSignals(False)
        if self.currentSegmentID() != chosen:
            self.currentSegmentChanged.emit(self.currentSegmentID())

    def _set_allows_none(self, allows: bool) -> None:
        self._allows_none = allows
        self._show()

    def _set_shows_nodes(self, shows: bool) -> None:
        self._nodes.setVisible(shows)

    noneEnabled = Property(bool, lambda self: self._allows_none, _set_allows_none)
    segmentationNodeSelectorVisible = Property(bool, lambda self: not self._nodes.isHidden(), _set_shows_nodes)
