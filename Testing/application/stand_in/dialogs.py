"""Dialogs are recorded and answered at once, as nobody is there to click."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PySide6 import QtWidgets

from stand_in.qt_objects import replaced_methods, shown

__all__ = ["Dialog", "Dialogs", "dialogs", "record_dialogs"]

Box = QtWidgets.QMessageBox
KINDS = {Box.Critical: "error", Box.Warning: "warning", Box.Question: "question"}
BOXES = {
    "critical": ("error", Box.Ok),
    "warning": ("warning", Box.Ok),
    "information": ("information", Box.Ok),
    "question": ("question", Box.Yes),
}
NOTHING_CHOSEN = {
    "QFileDialog": {"getOpenFileName": "", "getOpenFileNames": [], "getSaveFileName": "", "getExistingDirectory": ""},
    "QInputDialog": {"getText": "", "getItem": "", "getInt": 0, "getDouble": 0.0},
}


@dataclass(frozen=True)
class Dialog:
    """A dialog that was shown. `kind`: error, warning, question, information; else the class or static function."""

    kind: str
    title: str
    text: str
    answer: Any


class Dialogs(list[Dialog]):
    """The dialogs that were shown; an error that is still here at the end makes a run fail.

    `answers`: what the next dialogs are answered, first in first out: a value, or a function of the dialog.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: list[Any] = []

    def ask(self, kind: str, title: str, text: str, default: Any, widget: Any = None) -> Any:
        """Record a dialog and return its answer: the next of `answers`, else `default`."""
        answer = self.answers.pop(0) if self.answers else default
        if callable(answer):
            answer = answer(shown(widget))
        self.append(Dialog(kind, title, text, answer))
        print(f"[dialog] {kind}: {title}: {text} -> {answer!r}", file=sys.stderr)
        return answer


dialogs = Dialogs()


def record_dialogs() -> None:
    """Put recording functions in the place of whatever would wait for the user."""
    for name, (kind, default) in BOXES.items():
        replaced_methods["QMessageBox", name] = _static(kind, default)
    for class_name, defaults in NOTHING_CHOSEN.items():
        for name, default in defaults.items():
            replaced_methods[class_name, name] = _static(name, default)
    for name in ("exec", "exec_"):
        replaced_methods["QDialog", name] = _execute
        replaced_methods["QMenu", name] = lambda menu, *_: None


def _static(kind: str, default: Any) -> Callable[..., Any]:
    def ask(_class: type, _parent: Any = None, title: str = "", text: str = "", *_: Any) -> Any:
        return dialogs.ask(kind, title, text, default)

    return ask


def _execute(dialog: QtWidgets.QDialog) -> Any:
    """Show a dialog, answer it and close it; a message box by the button that the answer names."""
    dialog.show()
    QtWidgets.QApplication.processEvents()
    if not isinstance(dialog, Box):
        text = " | ".join(label.text() for label in dialog.findChildren(QtWidgets.QLabel))
        kind = dialog.metaObject().className()
        answer = dialogs.ask(kind, dialog.windowTitle().strip(), text, int(QtWidgets.QDialog.Rejected), dialog)
        dialog.done(int(answer))
        return answer
    texts = (dialog.text(), dialog.informativeText(), dialog.detailedText())
    default = next((int(button) for button in (Box.Ok, Box.Yes) if dialog.button(button)), 0)
    kind = KINDS.get(dialog.icon(), "information")
    answer = dialogs.ask(kind, dialog.windowTitle().strip(), "\n".join(filter(None, texts)), default, dialog)
    button = dialog.button(Box.StandardButton(answer)) if answer else None
    if button is not None:
        button.click()
    else:
        dialog.done(int(answer))
    return answer
