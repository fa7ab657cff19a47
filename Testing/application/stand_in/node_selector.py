"""The selector of MRML nodes."""

from typing import Any

import slicer
import vtk
from PySide6 import QtWidgets
from PySide6.QtCore import Property, Signal

from stand_in.dialogs import dialogs
from stand_in.observing import Observing

__all__ = ["qMRMLNodeComboBox"]

Scene = slicer.vtkMRMLScene
SCENE_EVENTS = (
    Scene.NodeAddedEvent,
    Scene.NodeRemovedEvent,
    Scene.EndCloseEvent,
    Scene.EndImportEvent,
    Scene.EndBatchProcessEvent,
)
FLAGS = {
    "noneEnabled": False,
    "addEnabled": True,
    "removeEnabled": True,
    "renameEnabled": False,
    "editEnabled": False,
    "showHidden": False,
    "showChildNodeTypes": True,
    "selectNodeUponCreation": True,
}
TEXTS = {"noneDisplay": "None", "baseName": ""}
LISTS = ("nodeTypes", "hideChildNodeTypes")


def _option(kind: Any, name: str) -> Property:
    def change(self: "qMRMLNodeComboBox", value: Any) -> None:
        self._options[name] = list(value) if name in LISTS else value
        self._update()

    return Property(kind, lambda self: self._options[name], change)


class qMRMLNodeComboBox(QtWidgets.QWidget):
    """A combo box of the nodes of a scene: none, the nodes, and what can be done with them."""

    currentNodeChanged = Signal(object)
    currentNodeIDChanged = Signal(str)
    nodeActivated = Signal(object)
    nodeAdded = Signal(object)
    nodeAddedByUser = Signal(object)
    nodeAboutToBeRemoved = Signal(object)
    currentNodeRenamed = Signal(str)
    _chosen = Signal(bool)
    cpp_signals = {
        **{
            f"{name}(vtkMRMLNode*)": f"{name}(PyObject)"
            for name in ("currentNodeChanged", "nodeActivated", "nodeAdded", "nodeAddedByUser", "nodeAboutToBeRemoved")
        },
        "currentNodeChanged(bool)": "_chosen(bool)",
    }

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._options: dict[str, Any] = {**FLAGS, **TEXTS, **{name: [] for name in LISTS}}
        self._attributes: list[tuple[str, str, str | None]] = []
        self._scene: Any = None
        self._nodes: list[Any] = []
        self._current: Any = None
        self._actions: list[Any] = []  # what each entry of the combo box stands for
        self._observing = Observing(self)
        self._combo = QtWidgets.QComboBox(self)
        self._combo.setSizePolicy(QtWidgets.QSizePolicy.Expanding, QtWidgets.QSizePolicy.Fixed)
        self._combo.setSizeAdjustPolicy(QtWidgets.QComboBox.AdjustToMinimumContentsLengthWithIcon)
        self._combo.setMinimumContentsLength(8)
        self._combo.activated.connect(self._activate)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo)
        self.setFocusProxy(self._combo)
        self.setEnabled(False)

    def mrmlScene(self) -> Any:
        """Return the scene."""
        return self._scene

    def setMRMLScene(self, scene: Any) -> None:
        """List the nodes of a scene; None disables the selector."""
        self._scene = scene
        self._observing.of("scene", scene, SCENE_EVENTS, self._update)
        self.setEnabled(scene is not None)
        self._update()

    def currentNode(self) -> Any:
        """Return the chosen node, or None."""
        return self._current

    def setCurrentNode(self, node: Any) -> None:
        """Choose a node, by itself or by its id; one that is not listed chooses none."""
        if isinstance(node, str):
            node = self._scene.GetNodeByID(node) if self._scene is not None and node else None
        self._choose(node if node in self._nodes else None)

    def setCurrentNodeID(self, node_id: str) -> None:
        """Choose a node by its id."""
        self.setCurrentNode(node_id)

    def nodeCount(self) -> int:
        """Return how many nodes are listed."""
        return len(self._nodes)

    def nodeFromIndex(self, index: int) -> Any:
        """Return a listed node, or None."""
        return self._nodes[index] if 0 <= index < len(self._nodes) else None

    def addAttribute(self, node_type: str, name: str, value: Any = None) -> None:
        """List only those nodes of a type that have the attribute, with `value` if that is given."""
        self._attributes.append((node_type, name, None if value is None else str(value)))
        self._update()

    def removeAttribute(self, node_type: str, name: str) -> None:
        """Take back `addAttribute`."""
        self._attributes = [kept for kept in self._attributes if kept[:2] != (node_type, name)]
        self._update()

    def addNode(self, node_type: str | None = None) -> Any:
        """Add a node as the user does by "Create new ...", choose and return it."""
        node = self._scene.CreateNodeByClass(node_type or self._options["nodeTypes"][0])
        node.UnRegister(None)
        name = self._options["baseName"] or node.GetDefaultNodeNamePrefix()
        node.SetName(self._scene.GenerateUniqueName(name))
        for kind, attribute, value in self._attributes:
            if node.IsA(kind):
                node.SetAttribute(attribute, value or "")
        node = self._scene.AddNode(node)
        self.nodeAdded.emit(node)
        if self._options["selectNodeUponCreation"]:
            self.setCurrentNode(node)
        self.nodeAddedByUser.emit(node)
        return node

    def removeCurrentNode(self) -> None:
        """Remove the chosen node from the scene."""
        if self._current is not None:
            self.nodeAboutToBeRemoved.emit(self._current)
            self._scene.RemoveNode(self._current)

    def renameCurrentNode(self) -> None:
        """Ask for the chosen node's new name."""
        name = dialogs.ask("getText", "Rename", self._current.GetName(), "")
        if name:
            self._current.SetName(name)
            self.currentNodeRenamed.emit(name)

    nodeTypes = _option("QStringList", "nodeTypes")
    hideChildNodeTypes = _option("QStringList", "hideChildNodeTypes")
    noneEnabled = _option(bool, "noneEnabled")
    addEnabled = _option(bool, "addEnabled")
    removeEnabled = _option(bool, "removeEnabled")
    renameEnabled = _option(bool, "renameEnabled")
    editEnabled = _option(bool, "editEnabled")
    showHidden = _option(bool, "showHidden")
    showChildNodeTypes = _option(bool, "showChildNodeTypes")
    selectNodeUponCreation = _option(bool, "selectNodeUponCreation")
    noneDisplay = _option(str, "noneDisplay")
    baseName = _option(str, "baseName")
    currentNodeID = Property(
        str, lambda self: self._current.GetID() if self._current is not None else "", setCurrentNodeID
    )

    def _lists(self, node: Any) -> bool:
        options = self._options
        if not any(
            node.IsA(kind) if options["showChildNodeTypes"] else node.GetClassName() == kind
            for kind in options["nodeTypes"]
        ):
            return False
        if node.GetHideFromEditors() and not options["showHidden"]:
            return False
        return not any(node.IsA(kind) for kind in options["hideChildNodeTypes"]) and all(
            node.GetAttribute(name) is not None and value in (None, node.GetAttribute(name))
            for kind, name, value in self._attributes
            if node.IsA(kind)
        )

    def _update(self) -> None:
        """Take the nodes of the scene; a chosen node that has left it is followed by the one in its place."""
        before, scene = self._nodes, self._scene
        everything = [scene.GetNthNode(i) for i in range(scene.GetNumberOfNodes())] if scene is not None else []
        self._nodes = [node for node in everything if self._lists(node)]
        for gone in self._observing.names() - {"scene"} - {node.GetID() for node in self._nodes}:
            self._observing.of(gone, None, (), self._show)
        for node in self._nodes:
            if node not in before:
                self._observing.of(node.GetID(), node, [vtk.vtkCommand.ModifiedEvent], self._show)
        self._show()
        if self._current is not None and self._current not in self._nodes:
            place = before.index(self._current) if self._current in before else 0
            has_heir = bool(self._nodes) and (place > 0 or self._options["noneEnabled"])
            self._choose(self._nodes[min(place, len(self._nodes) - 1)] if has_heir else None)

    def _show(self) -> None:
        options, kinds = self._options, self._options["nodeTypes"]
        entries: list[tuple[str, Any]] = [(options["noneDisplay"], None)] if options["noneEnabled"] else []
        entries += [(node.GetName() or "", node) for node in self._nodes]
        label = self._label(kinds[0]) if kinds else "node"
        if options["renameEnabled"]:
            entries.append((f"Rename current {label}", self.renameCurrentNode))
        if options["addEnabled"]:
            entries += [(f"Create new {self._label(kind)}", lambda kind=kind: self.addNode(kind)) for kind in kinds]
        if options["removeEnabled"]:
            entries.append((f"Delete current {label}", self.removeCurrentNode))
        self._actions = [action for _, action in entries]
        self._combo.clear()
        self._combo.setPlaceholderText(f"Select a {label}")
        self._combo.addItems([text for text, _ in entries])
        self._mark()

    def _label(self, kind: str) -> str:
        return (self._scene.GetTypeDisplayNameByClassName(kind) if self._scene is not None else "") or "node"

    def _mark(self) -> None:
        has_entry = self._current is not None or self._options["noneEnabled"]
        has_entry = has_entry and self._current in self._actions
        self._combo.setCurrentIndex(self._actions.index(self._current) if has_entry else -1)

    def _choose(self, node: Any) -> None:
        changed, self._current = node is not self._current, node
        self._mark()
        if changed:
            self.currentNodeChanged.emit(node)
            self._chosen.emit(node is not None)
            self.currentNodeIDChanged.emit(self.currentNodeID)

    def _activate(self, row: int) -> None:
        action = self._actions[row]
        if callable(action):
            action()
            self._mark()
        else:
            self._choose(action)
            self.nodeActivated.emit(action)
