"""The one package that Slicer does not bring along."""

import importlib
import os
import subprocess
import tempfile
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from LightSegLib.errors import MissingDependencyError

__all__ = ["REQUIREMENTS", "ensure_dependencies", "missing_dependencies"]

REQUIREMENTS = ("openvino>=2025.2",)
"""The same as in pyproject.toml, less what Slicer has."""


def missing_dependencies(requirements: Sequence[str] = REQUIREMENTS) -> list[str]:
    """Return the requirements that this Python does not meet, without importing anything."""
    importlib.invalidate_caches()
    return [text for text in requirements if not _is_met(Requirement(text))]


def ensure_dependencies(*, interactive: bool, requirements: Sequence[str] = REQUIREMENTS) -> None:
    """Make sure that the worker will find its packages; only if `interactive`, offer to install what is missing.

    Errors: MissingDependencyError if something is missing and was not installed, with what to do.
    """
    missing = missing_dependencies(requirements)
    if not missing:
        return
    remedy = "click Segment in the LightSeg module to install it, or run pip_install in Slicer's Python console"
    if interactive:
        _install(missing)
        missing = missing_dependencies(requirements)
        remedy = "install it with slicer.util.pip_install and try again"
    if missing:
        raise MissingDependencyError(f"LightSeg needs {', '.join(missing)}, which is not installed: {remedy}")


def _install(missing: list[str]) -> None:
    try:
        from slicer import packaging
    except ImportError:  # an older Slicer, or no application
        raise MissingDependencyError(
            f"LightSeg needs {', '.join(missing)} and cannot install it here: "
            f"run pip install {' '.join(missing)} in this Python"
        ) from None
    # pip must not exchange the numpy that Slicer has loaded for an older one.
    with tempfile.TemporaryDirectory(prefix="lightseg-") as folder:
        constraints = Path(folder) / "constraints.txt"
        constraints.write_text(f"numpy=={metadata.version('numpy')}{os.linesep}")
        try:
            packaging.pip_ensure(missing, constraints=constraints, requester="LightSeg")
        except subprocess.CalledProcessError as error:
            raise MissingDependencyError(
                f"pip could not install {', '.join(missing)} (exit code {error.returncode}): "
                "check the network connection and the log"
            ) from error
        except RuntimeError as error:
            raise MissingDependencyError(
                f"LightSeg needs {', '.join(missing)}; the installation was declined: click Segment to be asked again"
            ) from error


def _is_met(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return metadata.version(requirement.name) in requirement.specifier
    except metadata.PackageNotFoundError:
        return False
