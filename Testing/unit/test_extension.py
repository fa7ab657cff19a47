"""What Slicer's build and the Extensions Index read: file lists, metadata, the entry, and the installed layout."""

import importlib.util
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from LightSegLib.slicer_bridge.installer.plan import REQUIREMENTS

SCHEMA_PROPERTIES = {
    "$schema",
    "build_dependencies",
    "build_subdirectory",
    "category",
    "scm_revision",
    "scm_url",
    "tier",
}


@pytest.fixture(scope="module")
def lists(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("cmake_lists", repository / "Testing" / "cmake_lists.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def metadata(repository: Path, key: str) -> str:
    """The quoted, one-line value of an EXTENSION_ variable, as the Extensions Index wants it."""
    match = re.search(
        rf'^set\(EXTENSION_{key} "([^"\n]+)"\)$', (repository / "CMakeLists.txt").read_text(), re.MULTILINE
    )
    assert match, f"EXTENSION_{key} is missing or not one quoted line"
    return match.group(1)


@pytest.mark.parametrize("variable", ["LIBRARY_SCRIPTS", "LIBRARY_RESOURCES"])
def test_the_build_lists_exactly_the_files_of_the_tree_in_order(lists: ModuleType, variable: str) -> None:
    assert lists.files_listed(variable) == lists.files_in_tree(variable), "run python Testing/cmake_lists.py"


def test_the_module_lists_exactly_its_files(repository: Path) -> None:
    folder = repository / "LightSeg"
    text = (folder / "CMakeLists.txt").read_text().replace("${MODULE_NAME}", "LightSeg")
    listed = set(re.findall(r"^  (\S+\.\w+)$", text, re.MULTILINE))
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert listed == {name for name in files if "__pycache__" not in name} - {"CMakeLists.txt"}


def test_the_extension_describes_itself_in_single_lines(repository: Path) -> None:
    assert "project(LightSeg)" in (repository / "CMakeLists.txt").read_text()
    assert metadata(repository, "HOMEPAGE").endswith("/SlicerLightSeg")
    for key in ("CATEGORY", "CONTRIBUTORS", "DESCRIPTION", "SCREENSHOTURLS"):
        assert metadata(repository, key)


def test_the_icon_is_at_its_address(repository: Path) -> None:
    address = metadata(repository, "ICONURL")
    assert address.startswith("https://raw.githubusercontent.com/")
    assert (repository / address.partition("/main/")[2]).read_bytes().startswith(b"\x89PNG")


def test_the_index_entry_agrees_with_the_build(repository: Path) -> None:
    entry = json.loads((repository / "LightSeg.json").read_text())
    assert set(entry) == SCHEMA_PROPERTIES
    assert entry["$schema"].endswith("slicer-extension-catalog-entry-schema-v1.0.2.json#")
    assert entry["build_dependencies"] == [] and metadata(repository, "DEPENDS") == "NA"
    assert entry["category"] == metadata(repository, "CATEGORY")
    assert entry["scm_url"] == metadata(repository, "HOMEPAGE") + ".git"
    assert 1 <= entry["tier"] <= 5


def test_the_installed_layout_finds_library_and_resources(repository: Path, lists: ModuleType, tmp_path: Path) -> None:
    installed = tmp_path / "qt-scripted-modules"
    for variable in lists.VARIABLES:
        for name in lists.files_listed(variable):
            (installed / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(repository / name, installed / name)
    code = "import LightSegLib.worker, LightSegLib.resources as r; print(r.resources_root())"
    result = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(installed)!r}); {code}"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert result.returncode == 0, result.stderr
    assert Path(result.stdout.strip()) == (installed / "Resources").resolve()


def test_slicer_installs_the_versions_that_the_package_asks_for(repository: Path) -> None:
    asked = [text for texts in REQUIREMENTS.values() for text in texts]
    project = (repository / "pyproject.toml").read_text()
    assert len(asked) == 3 and [text for text in asked if f'"{text}"' not in project] == []
