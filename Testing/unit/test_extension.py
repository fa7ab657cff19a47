"""What Slicer's build reads: the lists of files, which have to name every one, and what is installed at first use."""

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from LightSegLib.slicer_bridge.installer.plan import REQUIREMENTS

# Lie in the module's folder but are not listed: what lists, and the drawing that the icon's PNG is made from.
NOT_LISTED = {"CMakeLists.txt", "Resources/Icons/LightSeg.svg"}


@pytest.fixture(scope="module")
def lists(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("cmake_lists", repository / "Testing" / "cmake_lists.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("variable", ["LIBRARY_SCRIPTS", "LIBRARY_RESOURCES"])
def test_the_build_lists_exactly_the_files_of_the_tree_in_order(lists: ModuleType, variable: str) -> None:
    assert lists.files_listed(variable) == lists.files_in_tree(variable), "run python Testing/cmake_lists.py"


def test_the_module_lists_exactly_its_files(repository: Path) -> None:
    folder = repository / "LightSeg"
    text = (folder / "CMakeLists.txt").read_text().replace("${MODULE_NAME}", "LightSeg")
    listed = set(re.findall(r"^  (\S+\.\w+)$", text, re.MULTILINE))
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert listed == {name for name in files if "__pycache__" not in name} - NOT_LISTED


def test_slicer_installs_the_versions_that_the_package_asks_for(repository: Path) -> None:
    package = (repository / "pyproject.toml").read_text()
    for texts in REQUIREMENTS.values():
        for text in texts:
            assert f'"{text}"' in package, text
