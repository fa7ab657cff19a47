"""What matters of a computer for installing packages into its Python."""

import importlib
import platform
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

__all__ = ["Machine", "is_met"]

_ARCHITECTURES = {"amd64": "x86_64", "x86_64": "x86_64", "arm64": "arm64", "aarch64": "arm64"}


@dataclass(frozen=True, kw_only=True)
class Machine:
    """One Python on one computer.

    `system` as `sys.platform`; `architecture`: "x86_64", "arm64" or what the system calls another; `python`: major and
    minor version; `versions` of the installed packages asked about, by canonical name; `packages_folder`: where pip
    installs.
    """

    system: str
    architecture: str
    python: tuple[int, int]
    versions: Mapping[str, str]
    packages_folder: str = ""

    @classmethod
    def here(cls, names: tuple[str, ...]) -> "Machine":
        """Describe this Python and which of the packages `names` it has, without importing any of them."""
        importlib.invalidate_caches()  # pip runs in another process
        return cls(
            system=sys.platform,
            architecture=_architecture(),
            python=sys.version_info[:2],
            versions=installed_versions(names),
            packages_folder=sysconfig.get_path("purelib"),
        )


def installed_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of those packages that this Python has, by canonical name."""
    found = {}
    for name in names:
        try:
            found[str(canonicalize_name(name))] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def is_met(text: str, versions: Mapping[str, str]) -> bool:
    """Whether one of `versions`, by canonical name, fulfills a requirement such as "openvino>=2025.2"."""
    requirement = Requirement(text)
    version = versions.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _architecture() -> str:
    # What this Python was built for decides which wheels fit: on Windows for ARM, `platform.machine` names the
    # processor even where it emulates another one.
    name = sysconfig.get_platform().lower()
    for word in ("amd64", "x86_64", "arm64", "aarch64"):
        if name.endswith(word):
            return _ARCHITECTURES[word]
    machine = platform.machine().lower()  # universal builds for macOS
    return _ARCHITECTURES.get(machine, machine)
