"""Qt Designer's files, with CTK's and Slicer's widgets and their connections; what they misspell is an error."""

import xml.etree.ElementTree as ElementTree

from PySide6 import QtCore, QtUiTools, QtWidgets

from stand_in import ctk_widgets, mrml_widgets
from stand_in.node_selector import qMRMLNodeComboBox
from stand_in.qt_signals import connect

__all__ = ["UiLoader"]

CUSTOM: dict[str, type[QtWidgets.QWidget]] = {
    **{name: getattr(ctk_widgets, name) for name in ctk_widgets.__all__},
    **{name: getattr(mrml_widgets, name) for name in mrml_widgets.__all__},
    "qMRMLNodeComboBox": qMRMLNodeComboBox,
}
CONNECTION = ("sender", "signal", "receiver", "slot")


class UiLoader(QtUiTools.QUiLoader):
    """`qt.QUiLoader`: `load` takes an open file and returns its widget."""

    def createWidget(
        self, class_name: str, parent: QtWidgets.QWidget | None = None, name: str = ""
    ) -> QtWidgets.QWidget:
        """Make a widget; called by Qt for each element of the file."""
        if class_name not in CUSTOM:
            return super().createWidget(class_name, parent, name)
        widget = CUSTOM[class_name](parent)
        widget.setObjectName(name)
        return widget

    def load(self, file: QtCore.QFile) -> QtWidgets.QWidget:
        """Load a file; AttributeError if it names a widget class, property, signal or slot that does not exist."""
        tree = ElementTree.fromstring(bytes(file.readAll()))
        known = {*CUSTOM, *self.availableWidgets()}
        for element in tree.iter("widget"):
            if element.get("class") not in known:
                raise AttributeError(f"{file.fileName()}: there is no widget class {element.get('class')}")
        connections = tree.find("connections")
        if connections is not None:
            tree.remove(connections)
        content = QtCore.QBuffer()
        flags = _take_flags(tree)
        content.setData(ElementTree.tostring(tree))
        content.open(QtCore.QIODevice.ReadOnly)
        panel = super().load(content)
        widgets = {child.objectName(): child for child in (panel, *panel.findChildren(QtWidgets.QWidget))}
        for element in tree.iter("widget"):
            _check_properties(element, widgets[element.get("name", "")])
        for name, attribute, value in flags:
            setattr(widgets[name], attribute, value)
        for connection in () if connections is None else connections:
            sender, signal, receiver, slot = (connection.findtext(tag, "") for tag in CONNECTION)
            connect(widgets[sender], signal, getattr(widgets[receiver], slot.partition("(")[0]))
        return panel


def _check_properties(element: ElementTree.Element, widget: QtWidgets.QWidget) -> None:
    """Qt turns a property that the class lacks into a dynamic one without a word; those are marked by stdset="0"."""
    for entry in element.findall("property"):
        name = entry.get("name", "")
        if entry.get("stdset") != "0" and widget.metaObject().indexOfProperty(name) < 0:
            raise AttributeError(f"{element.get('class')} {element.get('name')} has no property '{name}'")


def _take_flags(tree: ElementTree.Element) -> list[tuple[str, str, int]]:
    """Take out of a file what Qt cannot read: enumerators of classes of ours, as (widget, property, value)."""
    found = []
    for element in tree.iter("widget"):
        owner = CUSTOM.get(element.get("class", ""))
        for entry in element.findall("property"):
            names = entry.findtext("set") or entry.findtext("enum") or ""
            if owner is not None and names.startswith(owner.__name__):
                value = sum(getattr(owner, name.rpartition("::")[2]) for name in names.split("|"))
                found.append((element.get("name", ""), entry.get("name", ""), value))
                element.remove(entry)
    return found
