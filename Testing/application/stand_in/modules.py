"""`slicer.modules`: the compiled modules whose logics LightSeg uses, and scripted modules with their panels."""

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from stand_in.mrml_widgets import qMRMLWidget
from stand_in.qt_objects import shown

__all__ = ["LOGICS", "CompiledModule", "ModuleManager", "PanelWidget", "ScriptedModule", "import_file"]

LOGICS = {
    "Segmentations": "vtkSlicerSegmentationsModuleLogic",
    "Volumes": "vtkSlicerVolumesLogic",
    "Colors": "vtkSlicerColorLogic",
    "Tables": "vtkSlicerTablesLogic",
    "Markups": "vtkSlicerMarkupsLogic",
}


class CompiledModule:
    """A module of which only the logic is here."""

    def __init__(self, name: str, logic: Any) -> None:
        self.name = self.title = name
        self._logic = logic

    def logic(self) -> Any:
        """Return the module's logic."""
        return self._logic


class ScriptedModule:
    """What a scripted module describes itself to: `parent` of the class that is named as the module."""

    __slots__ = (
        "_panel",
        "acknowledgementText",
        "associatedNodeTypes",
        "categories",
        "contributors",
        "dependencies",
        "helpText",
        "hidden",
        "icon",
        "index",
        "name",
        "path",
        "title",
    )

    def __init__(self, name: str, path: Path) -> None:
        self.name, self.path, self.title = name, str(path), name
        self._panel: Any = None

    def logic(self) -> None:
        """Return nothing: a scripted module's logic is its panel's."""

    def widgetRepresentation(self) -> Any:
        """Return the widget that holds the panel, made when first asked for."""
        if self._panel is None:
            self._panel = PanelWidget(self.name)
            self._panel.setMRMLScene(slicer.mrmlScene)
            self._panel.reload()
        return shown(self._panel)


class PanelWidget(qMRMLWidget):
    """The widget around a scripted module's panel: `parent` of the module's widget class."""

    def __init__(self, name: str) -> None:
        super().__init__()
        QtWidgets.QVBoxLayout(self)
        self._name = name
        self._python: Any = None
        self._is_entered = False

    isEntered = Property(bool, lambda self: self._is_entered)

    def self(self) -> Any:
        """Return the module's own object."""
        return self._python

    def reload(self) -> None:
        """Make the panel of the module that is imported now."""
        self._python = getattr(sys.modules[self._name], f"{self._name}Widget")(shown(self))
        setattr(slicer.modules, f"{self._name}Widget", self._python)
        self._python.setup()

    def _enter(self, is_entered: bool) -> None:
        self._is_entered = is_entered
        tell = getattr(self._python, "enter" if is_entered else "exit", None)
        if tell is not None:
            tell()


class ModuleManager(QtCore.QObject):
    """The modules by name."""

    moduleAboutToBeUnloaded = Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, Any] = {}

    def module(self, name: str) -> Any:
        """Return a module, or None."""
        return self._modules.get(name)

    def modulesNames(self) -> tuple[str, ...]:
        """Return the modules' names."""
        return tuple(self._modules)

    def _add(self, module: Any) -> None:
        self._modules[module.name] = module
        setattr(slicer.modules, module.name.lower(), module)

    def _add_scripted(self, path: Path) -> None:
        name = path.stem
        python = import_file(path)
        module = ScriptedModule(name, path)
        setattr(slicer.modules, f"{name}Instance", getattr(python, name)(module))
        self._add(module)


def import_file(path: Path) -> ModuleType:
    """Import a module's file as Slicer does: only the file's own folder is put on the search path."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
