"""Carries an installation plan out by Slicer's own means."""

import subprocess
import tempfile
from importlib import metadata
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from LightSegLib.errors import InstallationFailedError, MissingDependencyError
from LightSegLib.slicer_bridge.events import application
from LightSegLib.slicer_bridge.installer import torch_support
from LightSegLib.slicer_bridge.installer.machine import installed_versions, is_met
from LightSegLib.slicer_bridge.installer.plan import PROTECTED, InstallPlan
from LightSegLib.slicer_bridge.installer.wheels import check_wheels

__all__ = ["check_can_install", "install"]


def check_can_install(plan: InstallPlan) -> None:
    """Check, before anyone is asked, that this application can carry a plan out now.

    Errors: MissingDependencyError with what to do instead: no Slicer 5.11, its testing mode, another installation
    under way, no extension PyTorch.
    """
    names = ", ".join(package.requirement for package in plan.packages)
    packaging = _slicer_packaging()
    app = application()
    if packaging is None or app is None:
        commands = " ".join(f'"{package.requirement}"' for package in plan.packages)
        raise MissingDependencyError(
            f"LightSeg needs {names}, and only Slicer 5.11 or newer can install it by itself: "
            f"run `pip install --no-deps {commands}` in this Python"
        )
    if app.testingEnabled():
        raise MissingDependencyError(
            f"LightSeg needs {names}, and nothing is installed while Slicer runs with --testing: install it in an "
            "ordinary session first"
        )
    if packaging.isPipInstallInProgress():
        raise MissingDependencyError(
            f"LightSeg needs {names}, and another installation of Python packages is running: wait until it has "
            "finished, then try again"
        )
    if any(package.by_extension for package in plan.packages):
        torch_support.check_extension()


def install(plan: InstallPlan, *, folder: Path | None = None) -> None:
    """Install a plan's packages, from the package index or from a folder of wheels; Slicer shows its progress dialog.

    Errors: MissingDependencyError if the folder lacks wheels, or something is still missing afterwards;
    InstallationFailedError if pip failed, which Slicer has then already shown.
    """
    if folder is not None:
        check_wheels(plan, folder)
    before = installed_versions(PROTECTED)
    requirements = [package.requirement for package in plan.packages if not package.by_extension]
    done: set[str] = set()
    while requirements:
        _pip_install(requirements, constraints=plan.constraints, folder=folder)
        done.update(Requirement(text).name for text in requirements)
        requirements = [text for text in _needed_by(requirements, plan.skipped) if Requirement(text).name not in done]
    for package in plan.packages:
        if package.by_extension:
            torch_support.install_torch(package.requirement)
    after = installed_versions(PROTECTED)
    if after != before:
        changed = ", ".join(f"{name} {old} to {after.get(name)}" for name, old in before.items() - after.items())
        raise InstallationFailedError(
            f"The installation changed packages that Slicer is built with ({changed}): reinstall Slicer"
        )


def _pip_install(requirements: list[str], *, constraints: tuple[str, ...], folder: Path | None) -> None:
    # `pip_install` without dependencies, and not `pip_ensure(skip_packages=...)`: that one holds the window still
    # while pip downloads, and takes no options such as --find-links.
    arguments = ["--no-deps", *requirements]
    if folder is not None:
        arguments = ["--no-index", "--find-links", str(folder), *arguments]
    with tempfile.TemporaryDirectory(prefix="lightseg-") as scratch:
        file = Path(scratch) / "constraints.txt"
        file.write_text("\n".join((*constraints, "")), encoding="utf-8")
        try:
            _slicer_packaging().pip_install(arguments, constraints=file, requester="LightSeg")
        except subprocess.CalledProcessError as error:
            raise InstallationFailedError(
                f"pip could not install {', '.join(requirements)} (exit code {error.returncode}): check the network "
                f"connection, or choose a folder of wheels; what pip said is in {_log_name()}"
            ) from error
        except RuntimeError as error:  # PythonSlicer is not on PATH, or this is not the main thread
            raise MissingDependencyError(f"Slicer cannot install {', '.join(requirements)}: {error}") from error


def _needed_by(requirements: list[str], skipped: tuple[str, ...]) -> list[str]:
    """Return what installed packages need themselves and this Python lacks, less the names in `skipped`."""
    left_out = {canonicalize_name(name) for name in skipped}
    found: dict[str, None] = {}
    for text in requirements:
        try:
            needed = [Requirement(line) for line in metadata.requires(Requirement(text).name) or []]
        except metadata.PackageNotFoundError:  # told at the end, with all that is missing
            continue
        for requirement in needed:
            is_optional = requirement.marker is not None and not requirement.marker.evaluate({"extra": ""})
            plain = f"{requirement.name}{requirement.specifier}"
            is_left_out = canonicalize_name(requirement.name) in left_out
            if not is_optional and not is_left_out and not is_met(plain, installed_versions((requirement.name,))):
                found[plain] = None
    return list(found)


def _log_name() -> str:
    app = application()
    log = str(app.currentLogFile() or "") if app is not None else ""
    return log or "the application log (Help > Report a Bug)"


def _slicer_packaging() -> Any:
    """Return the module `slicer.packaging`, None before Slicer 5.11 and outside the application."""
    try:
        from slicer import packaging
    except ImportError:
        return None
    return packaging
