"""Configures, builds and installs a CMake project with the stand-in of Slicer's macros."""

import shutil
import subprocess
import sysconfig
from pathlib import Path

import pytest

__all__ = ["MODULES", "install", "run_cmake"]

STAND_IN = Path(__file__).parent / "stand_in"
MODULES = Path("lib", "Slicer-5.13", "qt-scripted-modules")
"""Where the stand-in, as Slicer, installs scripted modules."""


def run_cmake(*arguments: str | Path, program: str = "cmake") -> subprocess.CompletedProcess[str]:
    """Run CMake, or CTest that comes with it: those of this Python's environment before those of the system."""
    found = shutil.which(program, path=sysconfig.get_path("scripts")) or shutil.which(program)
    if found is None:
        pytest.skip(f"{program} is not installed: pip install cmake")
    return subprocess.run([found, *map(str, arguments)], capture_output=True, text=True)


def install(source: Path, folder: Path) -> Path:
    """Take a project through configure, build and install in a new folder; return the root of what was installed."""
    build, installed = folder / "build", folder / "installed"
    toolchain = STAND_IN / "no_compiler.cmake"
    steps: list[list[str | Path]] = [
        ["-S", source, "-B", build, f"-DSlicer_DIR={STAND_IN}", f"-DCMAKE_TOOLCHAIN_FILE={toolchain}"],
        ["--build", build],
        ["--install", build, "--prefix", installed],
    ]
    assert not build.exists(), "files of an earlier build would be installed, too"
    for step in steps:
        done = run_cmake(*step)
        assert done.returncode == 0, done.stdout + done.stderr
    return installed
