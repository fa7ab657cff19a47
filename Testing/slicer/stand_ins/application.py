"""Puts a scene, module logics and the Python modules of the application where Slicer has them."""

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType, SimpleNamespace

import slicer
import slicer.util

REPOSITORY = Path(__file__).resolve().parents[3]


def boot() -> None:
    """Make `slicer.mrmlScene`, and the modules that scripted modules import."""
    scene = slicer.vtkMRMLScene()
    application_logic = slicer.vtkSlicerApplicationLogic()
    application_logic.SetMRMLScene(scene)
    slicer.mrmlScene = scene
    slicer.stand_in_application_logic = application_logic

    @cache
    def segmentations() -> slicer.vtkSlicerSegmentationsModuleLogic:
        logic = slicer.vtkSlicerSegmentationsModuleLogic()
        logic.SetMRMLApplicationLogic(application_logic)
        logic.SetMRMLScene(scene)  # this registers the converters between labelmaps and surfaces
        return logic

    slicer.modules = SimpleNamespace(segmentations=SimpleNamespace(logic=segmentations))
    segmentations()
    _add("qt", QTimer=None, QLabel=None)
    _add("slicer.i18n", tr=lambda text: text, translate=lambda context, text: text)
    _add("slicer.parameterNodeWrapper", parameterNodeWrapper=lambda described: described)
    _add(
        "slicer.ScriptedLoadableModule",
        ScriptedLoadableModule=_ScriptedLoadableModule,
        ScriptedLoadableModuleWidget=type("ScriptedLoadableModuleWidget", (), {}),
        ScriptedLoadableModuleLogic=type("ScriptedLoadableModuleLogic", (), {}),
        ScriptedLoadableModuleTest=type("ScriptedLoadableModuleTest", (), {}),
    )


def load_module() -> ModuleType:
    """Load LightSeg.py as Slicer does from the source tree: only its own folder is on the search path."""
    path = REPOSITORY / "LightSeg" / "LightSeg.py"
    spec = importlib.util.spec_from_file_location("LightSeg", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["LightSeg"] = module
    spec.loader.exec_module(module)
    return module


class _ScriptedLoadableModule:
    def __init__(self, parent: SimpleNamespace) -> None:
        self.parent = parent


def _add(name: str, **content: object) -> None:
    module = ModuleType(name)
    vars(module).update(content)
    sys.modules[name] = module
