"""`slicer.app` and the main window."""

from typing import Any

import slicer
from PySide6 import QtCore, QtWidgets
from PySide6.QtCore import Property, Signal

from stand_in.modules import ModuleManager
from stand_in.node_files import NodeFiles
from stand_in.scene import SLICE_VIEWS

__all__ = ["qSlicerApplication", "qSlicerMainWindow"]


class qSlicerApplication(QtWidgets.QApplication):
    """The application object."""

    startupCompleted = Signal()

    def __init__(self, folder: str, application_logic: Any) -> None:
        super().__init__(["Slicer"])
        self._folder, self._logic = folder, application_logic
        self._manager = ModuleManager()
        self._is_testing = False
        self.setApplicationName("Slicer")
        self.setOrganizationName("LightSeg stand-in")
        QtCore.QSettings.setDefaultFormat(QtCore.QSettings.IniFormat)
        QtCore.QSettings.setPath(QtCore.QSettings.IniFormat, QtCore.QSettings.UserScope, folder)

    temporaryPath = Property(str, lambda self: self._folder)
    majorVersion = Property(int, lambda self: 5)
    minorVersion = Property(int, lambda self: 13)

    def testingEnabled(self) -> bool:
        """Return whether Slicer was started with --testing."""
        return self._is_testing

    def mrmlScene(self) -> Any:
        """Return the scene."""
        return slicer.mrmlScene

    def applicationLogic(self) -> Any:
        """Return the application's logic."""
        return self._logic

    def moduleManager(self) -> ModuleManager:
        """Return the modules."""
        return self._manager

    def coreIOManager(self) -> NodeFiles:
        """Return what reads and writes files."""
        return NodeFiles()

    ioManager = coreIOManager

    def layoutManager(self) -> "LayoutManager":
        """Return the slice views."""
        return LayoutManager()

    def settings(self) -> QtCore.QSettings:
        """Return the user's settings."""
        return QtCore.QSettings()

    userSettings = settings

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        """Return the environment variables that Slicer was started with."""
        return QtCore.QProcessEnvironment.systemEnvironment()


class LayoutManager:
    """Slice views without pictures, but with their nodes; no 3D view."""

    threeDViewCount = 0

    def sliceViewNames(self) -> tuple[str, ...]:
        """Return the views' names."""
        return tuple(SLICE_VIEWS)

    def sliceWidget(self, name: str) -> "SliceWidget | None":
        """Return a view, or None."""
        return SliceWidget(name) if name in SLICE_VIEWS else None

    def resetSliceViews(self) -> None:
        """Nothing is drawn, so nothing has to be fitted."""


class SliceWidget:
    """A slice view."""

    def __init__(self, name: str) -> None:
        self._name = name

    def mrmlSliceNode(self) -> Any:
        """Return the node that says where the view cuts."""
        return slicer.mrmlScene.GetSingletonNode(self._name, "vtkMRMLSliceNode")


class ModuleSelector(QtCore.QObject):
    """Shows one module's panel at a time."""

    moduleSelected = Signal(str)

    def __init__(self, area: QtWidgets.QScrollArea, manager: ModuleManager) -> None:
        super().__init__(area)
        self._area, self._manager = area, manager
        self._module: Any = None

    selectedModule = Property(str, lambda self: self._module.name if self._module is not None else "")

    def selectModule(self, name: str) -> None:
        """Leave the present panel and open that of another module; modules without a panel here are left empty."""
        module = self._manager.module(name)
        if module is None:
            raise RuntimeError(f"There is no module {name}")
        panel = self._area.takeWidget()
        if panel is not None:
            panel._enter(False)
        self._module = module
        if hasattr(module, "widgetRepresentation"):
            panel = module.widgetRepresentation()._object
            self._area.setWidget(panel)
            panel._enter(True)
        self.moduleSelected.emit(name)


class qSlicerMainWindow(QtWidgets.QMainWindow):
    """The main window, which holds the module panel and nothing else."""

    def __init__(self, manager: ModuleManager) -> None:
        super().__init__()
        self.setObjectName("qSlicerMainWindow")
        self.setWindowTitle("3D Slicer")
        area = QtWidgets.QScrollArea(self)
        area.setWidgetResizable(True)
        self.setCentralWidget(area)
        self._selector = ModuleSelector(area, manager)

    def moduleSelector(self) -> Any:
        """Return what opens modules."""
        return self._selector
