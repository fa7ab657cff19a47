"""LightSeg.py as Slicer loads it."""

import re
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import slicer
from conftest import LIGHTSEG

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def panel() -> ElementTree.Element:
    return ElementTree.parse(REPOSITORY / "LightSeg" / "Resources" / "UI" / "LightSeg.ui").getroot()


def test_the_module_describes_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    parent, connected = SimpleNamespace(), []
    application = SimpleNamespace(connect=lambda signal, slot: connected.append(signal))
    monkeypatch.setattr(slicer, "app", application, raising=False)
    LIGHTSEG.LightSeg(parent)
    assert parent.title == "LightSeg" and parent.categories == ["Segmentation"]
    assert parent.helpText and parent.contributors
    assert connected == ["startupCompleted()"]


def test_only_its_own_folder_on_the_path_is_enough_to_find_the_library(tmp_path: Path) -> None:
    """Slicer puts only the module's folder on the path when it loads a module from source."""
    code = f"""
import sys
sys.path[:] = [p for p in sys.path if p not in ("", {str(REPOSITORY)!r})]
sys.path.insert(0, {str(REPOSITORY / "Testing" / "application")!r})
sys.meta_path[:] = [finder for finder in sys.meta_path if "editable" not in repr(finder).lower()]
from pathlib import Path
from stand_in import boot
from stand_in.modules import import_file
boot()
import_file(Path({str(REPOSITORY / "LightSeg" / "LightSeg.py")!r}))
import LightSegLib
print(LightSegLib.__file__)
print("openvino" in sys.modules, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    where, loaded = done.stdout.splitlines()[-2:]
    assert Path(where).parent.parent == REPOSITORY
    assert loaded == "False False", "inference engines are imported by the worker, not by the application"


def test_parameters_in_the_panel_are_those_of_the_parameter_node(panel: ElementTree.Element) -> None:
    named = {prop.findtext("string") for prop in panel.iter("property") if prop.get("name") == "SlicerParameterName"}
    assert named == {"reference", "output", "threads", "probabilities"}
    assert named < set(LIGHTSEG.LightSegParameterNode.__annotations__)


def test_the_code_uses_only_widgets_that_the_panel_has(panel: ElementTree.Element) -> None:
    sections = (REPOSITORY / "LightSegLib" / "slicer_bridge" / "panel").glob("*.py")
    sources = [path.read_text(encoding="utf-8") for path in (REPOSITORY / "LightSeg" / "LightSeg.py", *sections)]
    used = {name for source in sources for name in re.findall(r"\bui\.(\w+)", source)}
    assert len(used) > 30
    assert used <= {widget.get("name") for widget in panel.iter("widget")}


def test_everything_that_can_be_used_has_a_tool_tip(panel: ElementTree.Element) -> None:
    passive = {"QLabel", "QWidget", "qMRMLWidget", "ctkCollapsibleButton", "QProgressBar"}
    told_in_code = {"segmentButton", "batchRunButton"}
    silent = [
        widget.get("name")
        for widget in panel.iter("widget")
        if widget.get("class") not in passive
        and not any(p.get("name") == "toolTip" for p in widget.findall("property"))
    ]
    assert set(silent) == told_in_code


def test_node_selectors_follow_the_scene(panel: ElementTree.Element) -> None:
    selectors = {w.get("name") for w in panel.iter("widget") if (w.get("class") or "").startswith("qMRML")}
    connected = {connection.findtext("receiver") for connection in panel.iter("connection")}
    assert connected == selectors - {"LightSeg"}


def test_the_console_call_of_the_readme_works(logic: Any, bundle: Path, flair: Any) -> None:
    result = logic.segment(model=str(bundle), volumes={"FLAIR": flair}, reference=None, output=None, interactive=False)
    assert isinstance(result.segmentation, slicer.vtkMRMLSegmentationNode)
    assert isinstance(result.volumes_table, slicer.vtkMRMLTableNode)
    assert result.volumes_ml["White matter hyperintensity"] > 1
    assert result.timings_s["total"] > 0
    assert result.provenance["engine"]["name"] == "openvino"
