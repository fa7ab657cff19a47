"""Which widget shows which type of parameter, and how."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["Binding", "bind"]

# class of widget -> types of parameter, signal, attribute
KINDS: dict[str, tuple[tuple[type, ...], str, str]] = {
    "QCheckBox": ((bool,), "toggled(bool)", "checked"),
    "QPushButton": ((bool,), "toggled(bool)", "checked"),
    "QLineEdit": ((str,), "textChanged(QString)", "text"),
    "QPlainTextEdit": ((str,), "textChanged()", "plainText"),
    "QSpinBox": ((int,), "valueChanged(int)", "value"),
    "QSlider": ((int,), "valueChanged(int)", "value"),
    "QDoubleSpinBox": ((float, int), "valueChanged(double)", "value"),
    "ctkDoubleSpinBox": ((float, int), "valueChanged(double)", "value"),
    "ctkSliderWidget": ((float, int), "valueChanged(double)", "value"),
    "ctkPathLineEdit": ((Path, str), "currentPathChanged(QString)", "currentPath"),
    "QComboBox": ((str, int, float, bool), "currentIndexChanged(int)", "currentIndex"),
    "qMRMLNodeComboBox": ((), "currentNodeIDChanged(QString)", ""),
}


@dataclass
class Binding:
    """A widget and the parameter that it shows."""

    widget: Any
    name: str
    signal: str
    read: Callable[[], Any]
    write: Callable[[Any], None]
    _told: Callable[[], None] | None = None

    def on_change(self, told: Callable[[], None]) -> None:
        """Call `told` when the user changes the widget."""
        self._told = told
        self.widget.connect(self.signal, told)

    def end(self) -> None:
        """Call nothing any more."""
        self.widget.disconnect(self.signal, self._told)


def bind(widget: Any, parameter: Any) -> Binding:
    """Return how `widget` shows `parameter`; TypeError if Slicer has no such pair."""
    kind = widget.className()
    types, signal, attribute = KINDS.get(kind, ((), "", ""))
    wanted = parameter.types[0]
    if kind == "qMRMLNodeComboBox" and parameter.is_node:
        return Binding(widget, parameter.name, signal, widget.currentNode, widget.setCurrentNode)
    if wanted not in types or (kind == "QComboBox" and not parameter.choices):
        raise TypeError(f"A {kind} cannot show the parameter {parameter.name}: {wanted.__name__}")
    if kind == "QComboBox":
        choices = parameter.choices
        widget.clear()
        widget.addItems([str(choice) for choice in choices])
        read = lambda: choices[widget.currentIndex]  # noqa: E731
        return Binding(widget, parameter.name, signal, read, lambda v: _set(widget, attribute, choices.index(v)))
    convert = {Path: str}.get(wanted, wanted)
    return Binding(
        widget,
        parameter.name,
        signal,
        lambda: wanted(getattr(widget, attribute)),
        lambda value: _set(widget, attribute, convert(value)),
    )


def _set(widget: Any, attribute: str, value: Any) -> None:
    # Writing what is already there would move a text field's cursor.
    if getattr(widget, attribute) != value:
        setattr(widget, attribute, value)
