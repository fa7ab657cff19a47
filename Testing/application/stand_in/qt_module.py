"""The modules `qt` and `ctk` as Slicer's modules import them."""

import sys
from types import ModuleType
from typing import Any

from PySide6 import QtCore, QtGui, QtWidgets

from stand_in import ctk_widgets
from stand_in.qt_objects import type_for
from stand_in.ui_files import UiLoader

__all__ = ["add_qt_modules", "class_of"]

SOURCES = (QtCore, QtGui, QtWidgets)


def add_qt_modules() -> None:
    """Make `qt` and `ctk` importable."""
    for name, find in (("qt", _qt_name), ("ctk", _ctk_name)):
        module = ModuleType(name)
        module.__getattr__ = find  # type: ignore[method-assign]
        sys.modules[name] = module


def class_of(found: Any) -> Any:
    """Return a class as modules see it: QObjects through their views, values such as QSize as they are."""
    return type_for(found) if isinstance(found, type) and issubclass(found, QtCore.QObject) else found


def _qt_name(name: str) -> Any:
    if name == "QUiLoader":
        return type_for(UiLoader)
    found = next((getattr(source, name) for source in SOURCES if hasattr(source, name)), None)
    if not name.startswith("Q") or found is None:
        raise AttributeError(f"qt has no attribute '{name}'")
    return class_of(found)


def _ctk_name(name: str) -> Any:
    if name not in ctk_widgets.__all__:
        raise AttributeError(f"The stand-in of ctk has no '{name}'")
    return class_of(getattr(ctk_widgets, name))
