"""`slicer.packaging`: installing is asked for and recorded, never done."""

from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

import slicer
from packaging.requirements import Requirement
from PySide6.QtCore import QTimer

__all__ = ["PIP_COMMANDS", "isPipInstallInProgress", "pip_check", "pip_ensure", "pip_install"]

RUNNING_MS = 200
"""How long an installation that was not waited for seems to take."""
_in_background: list[bool] = []

PIP_COMMANDS: list[str] = []
"""What would have been run: arguments of Python, one text a command."""

Requirements = str | Requirement | Sequence[str | Requirement]


def isPipInstallInProgress() -> bool:
    """Return whether an installation that nobody waits for is under way."""
    return bool(_in_background)


def pip_check(requirements: Requirements) -> bool:
    """Return whether the requirements are met in this Python."""
    return not _missing(requirements)


def pip_ensure(
    requirements: Requirements,
    constraints: str | Path | None = None,
    skip_packages: list[str] | None = None,
    prompt_install: bool = True,
    prompt_restart: bool = True,
    requester: str | None = None,
    skip_in_testing: bool = True,
    show_progress: bool = True,
) -> list[str] | None:
    """Ask whether to install what is missing; RuntimeError if declined. In testing mode it does nothing."""
    if skip_in_testing and slicer.app.testingEnabled():
        return None
    missing = _missing(requirements)
    if not missing:
        return None
    if prompt_install:
        text = f"{requester or 'A module'} needs packages: {', '.join(missing)}. Install them?"
        if not slicer.util.confirmOkCancelDisplay(text, "Install Python packages"):
            raise RuntimeError("User declined package installation")
    return pip_install(missing, constraints, None, skip_packages)


def pip_install(
    requirements: str | list[str],
    constraints: str | Path | None = None,
    no_deps_requirements: str | list[str] | None = None,
    skip_packages: list[str] | None = None,
    **options: Any,
) -> list[str] | None:
    """Record the command."""
    unknown = set(options) - {"blocking", "show_progress", "requester", "logCallback", "completedCallback"}
    if unknown:
        raise TypeError(f"pip_install has no arguments {', '.join(sorted(unknown))}")
    words = [requirements] if isinstance(requirements, str) else [str(requirement) for requirement in requirements]
    if constraints is not None:
        words += ["-c", str(constraints)]
    PIP_COMMANDS.append(" ".join(["-m", "pip", "install", *words]))
    if not options.get("blocking", True):
        _in_background.append(True)
        QTimer.singleShot(RUNNING_MS, _in_background.clear)
    return None


def _missing(requirements: Requirements) -> list[str]:
    single = isinstance(requirements, (str, Requirement))
    wanted = [Requirement(str(text)) for text in ([requirements] if single else requirements)]
    return [str(requirement) for requirement in wanted if not _is_met(requirement)]


def _is_met(requirement: Requirement) -> bool:
    if requirement.marker is not None and not requirement.marker.evaluate():
        return True
    try:
        return metadata.version(requirement.name) in requirement.specifier
    except metadata.PackageNotFoundError:
        return False
