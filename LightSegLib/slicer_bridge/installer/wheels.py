"""A folder of wheels, for computers that do not reach the Python Package Index."""

from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.tags import Tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from LightSegLib.errors import MissingDependencyError
from LightSegLib.slicer_bridge.installer.machine import Machine
from LightSegLib.slicer_bridge.installer.plan import InstallPlan, Package

__all__ = ["check_wheels"]


def check_wheels(plan: InstallPlan, folder: Path, *, tags: Iterable[Tag] | None = None) -> None:
    """Check that a folder has a wheel for each package of a plan that fits this Python, or one that accepts `tags`.

    Errors: MissingDependencyError that names what is missing and the command that fetches it on another computer.
    """
    if not folder.is_dir():
        raise MissingDependencyError(f"{folder} is not a folder: choose the folder with the wheel files")
    accepted = frozenset(sys_tags() if tags is None else tags)
    names = [path.name for path in sorted(folder.glob("*.whl"))]
    missing = [p for p in plan.packages if not any(_fits(name, p.requirement, accepted) for name in names)]
    if missing:
        wanted = ", ".join(package.requirement for package in missing)
        raise MissingDependencyError(
            f"{folder} has no wheel of {wanted} that fits this Slicer: on a computer with internet access, run "
            f"`{_download_command(missing)}` and copy the files into that folder"
        )


def _fits(file_name: str, text: str, accepted: frozenset[Tag]) -> bool:
    requirement = Requirement(text)
    try:
        name, version, _, tags = parse_wheel_filename(file_name)
    except InvalidWheelFilename:
        return False
    is_asked_for = name == canonicalize_name(requirement.name) and requirement.specifier.contains(version)
    return is_asked_for and not accepted.isdisjoint(tags)


def _download_command(packages: list[Package]) -> str:
    python = ".".join(map(str, Machine.here(()).python))
    tags = dict.fromkeys(tag for package in packages for tag in package.tags)
    platforms = "".join(f" --platform {tag}" for tag in tags)
    texts = " ".join(f'"{package.requirement}"' for package in packages)  # quotes that Windows knows too
    return f"pip download --no-deps --only-binary=:all: --python-version {python}{platforms} {texts}"
