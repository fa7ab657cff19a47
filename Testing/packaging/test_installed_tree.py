"""The extension as Slicer gets it: built by CMake from an empty folder, installed, moved elsewhere and used from there.

The source tree, of which Slicer sees only the module's own folder, has to serve as well.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from LightSegLib.job import MESSAGE_PREFIX, SegmentJob, write_job

from .cmake_runs import MODULES, install, run_cmake
from .isolated_python import run_python

# Tracked in these folders but not installed, each with the reason.
PACKAGED = ("LightSeg/", "LightSegLib/", "Resources/")
NOT_INSTALLED = {
    "LightSeg/CMakeLists.txt": "tells CMake what to install",
    "LightSeg/Resources/Icons/LightSeg.svg": "the drawing that the icon's PNG is made from",
    "Resources/Screenshots/": "pictures for the README and the Extensions Index",
}

USE = """
for absent in ("openvino", "torch"):
    sys.modules[absent] = None  # the application imports neither; a new Slicer has neither
import slicer_stubs
slicer_stubs.install()
import LightSeg
import LightSegLib
from LightSegLib.bundles import list_bundles
from LightSegLib.resources import resources_root
print(LightSeg.__file__)
print(LightSegLib.__file__)
print(resources_root())
print(*[bundle.name for bundle in list_bundles()])
"""


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the build and, after the move, without the installed tree."""
    return tmp_path_factory.mktemp("cmake")


@pytest.fixture(scope="module")
def moved(repository: Path, built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The installed tree, in a place that its build knew nothing of and with a space in its name, as Slicer's have."""
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "Slicer 5.13" / "LightSeg"
    elsewhere.parent.mkdir()
    return Path(shutil.move(install(repository, built), elsewhere))


@pytest.fixture(params=["installed", "source"])
def module_folder(request: pytest.FixtureRequest, repository: Path) -> Path:
    """The one folder that Slicer puts on the search path."""
    if request.param == "source":
        return repository / "LightSeg"
    return Path(request.getfixturevalue("moved")) / MODULES


def installed_name(tracked: str) -> str:
    """Where a tracked file lies beside the installed LightSeg.py."""
    return tracked.removeprefix("LightSeg/")


def test_every_file_is_installed_and_nothing_else(moved: Path, tracked_files: frozenset[str]) -> None:
    left_out = {name for name in tracked_files if name.startswith(tuple(NOT_INSTALLED))}
    assert all(any(name.startswith(known) for name in left_out) for known in NOT_INSTALLED), "no exception is stale"
    expected = {installed_name(name) for name in tracked_files - left_out if name.startswith(PACKAGED)}
    folder = moved / MODULES
    installed = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert installed == expected


def test_installed_files_are_those_of_the_source(moved: Path, repository: Path, tracked_files: frozenset[str]) -> None:
    shipped = [name for name in tracked_files if (moved / MODULES / installed_name(name)).is_file()]
    compared = [name for name in shipped if name.startswith(PACKAGED)]
    altered = [
        name
        for name in compared
        if (moved / MODULES / installed_name(name)).read_bytes() != (repository / name).read_bytes()
    ]
    assert compared and altered == []


def test_no_list_of_files_leaves_its_folder(repository: Path) -> None:
    for folder in (".", "LightSeg", "Testing", "Testing/installed"):
        text = (repository / folder / "CMakeLists.txt").read_text(encoding="utf-8")
        assert not {part for part in ("../", "WITH_SUBDIR", '"/', " /") if part in text}, folder


def test_slicer_is_given_the_module_its_self_test_and_the_test_of_the_installation(moved: Path, built: Path) -> None:
    listing = run_cmake("--test-dir", built / "build", "-N", program="ctest").stdout
    tests = set(re.findall(r"^ +Test +#\d+: (\S+)$", listing, re.MULTILINE))
    assert tests == {"py_LightSeg", "py_nomainwindow_qSlicerLightSegModuleGenericTest", "py_LightSegInstalledTest"}


def test_the_module_finds_library_models_and_samples(module_folder: Path, repository: Path, tmp_path: Path) -> None:
    module, library, resources, names = run_python(USE, module_folder, Path(__file__).parent, cwd=tmp_path)
    root = module_folder if (module_folder / "LightSegLib").is_dir() else module_folder.parent
    assert Path(module) == module_folder / "LightSeg.py"
    assert Path(library).parent.parent == root and Path(resources) == root / "Resources"
    assert names.split() == sorted(path.parent.name for path in repository.glob("Resources/Models/*/metadata.json"))


def test_the_worker_segments_the_sample(module_folder: Path, repository: Path, tmp_path: Path) -> None:
    pytest.importorskip("openvino", reason="the worker computes with OpenVINO")
    root = module_folder if (module_folder / "LightSegLib").is_dir() else module_folder.parent
    samples = root / "Resources" / "Samples"
    job = SegmentJob(
        models=["wmh-acu"],
        inputs={"FLAIR": str(samples / "wmh_flair.nii.gz")},
        reference=str(samples / "wmh_reference.nii.gz"),
        output=str(tmp_path / "wmh.seg.nrrd"),
    )
    write_job(job, tmp_path / "job.json")
    done = subprocess.run(
        [sys.executable, "-m", "LightSegLib.worker", "job.json", str(os.getpid())],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    lines = [line for line in done.stdout.splitlines() if line.startswith(MESSAGE_PREFIX)]
    *_, last = (json.loads(line.removeprefix(MESSAGE_PREFIX)) for line in lines)
    assert last["type"] == "result" and Path(last["outputs"]["segmentation"]).is_file()
    (agreement,) = last["result"]["agreement"].values()
    assert agreement["dice"] > 0.8


def test_the_stand_in_shows_what_a_wrong_list_does(tmp_path: Path) -> None:
    """As with Slicer's own macros, a file above its list's folder is installed beside the tree, or not at all."""
    project = tmp_path / "project"
    (project / "Module").mkdir(parents=True)
    (project / "shared.py").touch()
    (project / "Module" / "Module.py").touch()
    (project / "Module" / "CMakeLists.txt").write_text(
        "slicerMacroBuildScriptedModule(NAME Module SCRIPTS Module.py ../shared.py)\n"
    )
    (project / "CMakeLists.txt").write_text(
        "cmake_minimum_required(VERSION 3.16.3...3.28.0)\nproject(Toy)\nfind_package(Slicer REQUIRED)\n"
        "include(${Slicer_USE_FILE})\nadd_subdirectory(Module)\n"
    )
    installed = install(project, tmp_path)
    assert [path.name for path in installed.rglob("*.py")] == ["Module.py"]
