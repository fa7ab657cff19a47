"""What users install: the wheel and the sdist carry the resources, and the library finds them wherever it lies."""

import importlib.util
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from .isolated_python import run_python

pytestmark = pytest.mark.skipif(importlib.util.find_spec("hatchling") is None, reason="hatchling is not installed")

# Prints where the library and its resources are.
WHERE = "import LightSegLib.resources as r; print(r.__file__); print(r.resources_root())"


def build(source: Path, target: str, folder: Path) -> Path:
    command = [sys.executable, "-m", "hatchling", "build", "-t", target, "-d", str(folder)]
    subprocess.run(command, cwd=source, check=True, capture_output=True)
    (built,) = folder.iterdir()
    return built


def contents(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as archive:
        return set(archive.namelist())


@pytest.fixture(scope="module")
def wheel(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(repository, "wheel", tmp_path_factory.mktemp("wheel"))


def test_the_wheel_carries_every_resource_inside_the_package(wheel: Path, tracked_files: frozenset[str]) -> None:
    resources = {name for name in tracked_files if name.startswith("Resources/")}
    shipped = {name for name in resources if not name.startswith("Resources/Screenshots/")}
    assert shipped
    assert {f"LightSegLib/{name}" for name in shipped} - contents(wheel) == set()


def test_the_wheel_installs_nothing_beside_the_package(wheel: Path) -> None:
    top_level = {name.split("/")[0] for name in contents(wheel)}
    assert {name for name in top_level if not name.endswith(".dist-info")} == {"LightSegLib"}


def test_the_wheel_carries_the_type_marker_and_the_license(wheel: Path) -> None:
    assert "LightSegLib/py.typed" in contents(wheel)
    assert any(name.endswith("licenses/LICENSE.txt") for name in contents(wheel))


def test_a_wheel_built_from_the_sdist_is_the_same(wheel: Path, repository: Path, tmp_path: Path) -> None:
    sdist = build(repository, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path / "source", filter="data")
    (source,) = (tmp_path / "source").iterdir()
    assert contents(build(source, "wheel", tmp_path / "again")) == contents(wheel)


def test_an_installed_wheel_finds_its_resources(wheel: Path, tmp_path: Path) -> None:
    site = tmp_path / "site"
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site)]
    subprocess.run([*command, str(wheel)], check=True, capture_output=True)
    library, resources = run_python(WHERE, site, cwd=tmp_path)
    assert Path(library).is_relative_to(site)
    assert Path(resources) == site / "LightSegLib" / "Resources"
    assert (site / "bin" / "lightseg").exists() or (site / "Scripts" / "lightseg.exe").exists()


def test_the_source_tree_finds_its_resources(repository: Path, tmp_path: Path) -> None:
    library, resources = run_python(WHERE, repository, cwd=tmp_path)
    assert Path(library).is_relative_to(repository)
    assert Path(resources) == repository / "Resources"


def test_the_module_loads_the_library_with_only_its_own_folder_on_the_path(repository: Path, tmp_path: Path) -> None:
    # Slicer, given the source tree, puts nothing but LightSeg/ on the path; no engine is installed yet
    code = f"""
for absent in ("openvino", "torch"):
    sys.modules[absent] = None
import slicer_stubs
slicer_stubs.install()
import LightSeg
assert {str(repository)!r} == sys.path[-1]
"""
    stubs = Path(__file__).parent
    lines = run_python(code + WHERE, repository / "LightSeg", stubs, cwd=tmp_path)
    assert [Path(line) for line in lines] == [repository / "LightSegLib" / "resources.py", repository / "Resources"]


def test_the_library_loads_without_any_inference_engine(repository: Path, tmp_path: Path) -> None:
    # everything but the bridge, which needs Slicer, the entry point, and the parts that PyTorch is for
    code = """
import importlib, pkgutil
for absent in ("openvino", "torch", "safetensors", "matplotlib", "rich", "slicer", "qt", "ctk"):
    sys.modules[absent] = None
import LightSegLib
of_torch = ("LightSegLib.networks", "LightSegLib.training", "LightSegLib.engines.pytorch", "LightSegLib.attention")
apart = (*of_torch, "LightSegLib.slicer_bridge", "LightSegLib.__main__")
for module in pkgutil.walk_packages(LightSegLib.__path__, "LightSegLib.", onerror=lambda name: None):
    if not module.name.startswith(apart):
        importlib.import_module(module.name)
print(LightSegLib.Segmenter.__name__)
"""
    assert run_python(code, repository, cwd=tmp_path) == ["Segmenter"]
