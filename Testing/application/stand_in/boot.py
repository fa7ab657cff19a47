"""Starts the stand-in: fills the package `slicer` and adds the Python modules that come with the application."""

import atexit
import os
import shlex
import sys
import tempfile
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import slicer
import slicer.util

from stand_in.scene import make_scene

__all__ = ["LIGHTSEG", "boot", "make_application"]

FOLDER = tempfile.TemporaryDirectory(prefix="lightseg-application-")
atexit.register(FOLDER.cleanup)
LIGHTSEG = Path(__file__).resolve().parents[3] / "LightSeg" / "LightSeg.py"


def boot() -> None:
    """Make the scene, module logics and all that LightSeg.py imports; no application object and no window yet.

    Once is enough: a second call does nothing.
    """
    if hasattr(slicer, "mrmlScene"):
        return
    slicer.mrmlScene, slicer.stand_in_application_logic = make_scene(FOLDER.name)
    slicer.selfTests = {}
    slicer.modules = SimpleNamespace(sampleDataSources={})

    from stand_in import mrml_widgets, sample_data, scripted_module
    from stand_in import parameter_node as parameters
    from stand_in.modules import LOGICS, CompiledModule, PanelWidget, ScriptedModule
    from stand_in.node_selector import qMRMLNodeComboBox
    from stand_in.qt_module import add_qt_modules
    from stand_in.qt_objects import type_for

    add_qt_modules()
    for name, class_name in LOGICS.items():
        logic = getattr(slicer, class_name)()
        logic.SetMRMLApplicationLogic(slicer.stand_in_application_logic)
        logic.SetMRMLScene(slicer.mrmlScene)
        slicer.stand_in_application_logic.SetModuleLogic(name, logic)
        setattr(slicer.modules, name.lower(), CompiledModule(name, logic))
    for name in mrml_widgets.__all__:
        setattr(slicer, name, type_for(getattr(mrml_widgets, name)))
    slicer.qMRMLNodeComboBox = type_for(qMRMLNodeComboBox)
    slicer.qSlicerScriptedLoadableModule = ScriptedModule
    slicer.qSlicerScriptedLoadableModuleWidget = type_for(PanelWidget)
    _add("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text)
    _add("slicer.ScriptedLoadableModule", **_public(scripted_module))
    _add("slicer.parameterNodeWrapper", **_public(parameters))
    _add("SampleData", **_public(sample_data))


def make_application() -> Any:
    """Make `slicer.app` and what needs it: settings, a temporary folder, `PythonSlicer`, packages; returns it."""
    from stand_in import pip_packages
    from stand_in.modules import LOGICS, CompiledModule
    from stand_in.qt_objects import shown
    from stand_in.slicer_application import qSlicerApplication

    _add_launcher(Path(FOLDER.name))
    application = qSlicerApplication(FOLDER.name, slicer.stand_in_application_logic)
    for name in LOGICS:
        application.moduleManager()._add(getattr(slicer.modules, name.lower()))
    # opened without its tools; what it edits is in its node of the scene
    application.moduleManager()._add(CompiledModule("SegmentEditor", None))
    slicer.app = shown(application)
    _add("slicer.packaging", **_public(pip_packages))
    return application


def _add_launcher(folder: Path) -> None:
    """Put a launcher on PATH that, like Slicer's own, starts Python as its child."""
    if os.name == "nt":
        (folder / "PythonSlicer.bat").write_text(f'@"{sys.executable}" %*\n')
    else:
        launcher = folder / "PythonSlicer"
        launcher.write_text(f'#!/bin/sh\n{shlex.quote(sys.executable)} "$@"\nexit $?\n')
        launcher.chmod(0o755)
    os.environ["PATH"] = os.pathsep.join([str(folder), os.environ.get("PATH", "")])


def _public(module: ModuleType) -> dict[str, Any]:
    return {name: getattr(module, name) for name in module.__all__}


def _add(name: str, **content: Any) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module
    package, _, attribute = name.rpartition(".")
    if package:
        setattr(sys.modules[package], attribute, module)
