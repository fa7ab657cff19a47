"""What an engine still needs on a machine: a plan to show and to carry out, or why it cannot be installed there."""

from dataclasses import dataclass

from packaging.requirements import Requirement

from LightSegLib.errors import EngineError
from LightSegLib.slicer_bridge.installer.machine import Machine, is_met

__all__ = [
    "PROTECTED",
    "REQUIREMENTS",
    "InstallPlan",
    "Package",
    "Refusal",
    "here",
    "make_plan",
    "missing_requirements",
]

REQUIREMENTS = {
    "openvino": ("openvino>=2025.2",),
    "pytorch": ("torch>=2.6", "safetensors>=0.4"),
}
"""Per engine the same as in pyproject.toml, less what Slicer has."""

PROTECTED = ("numpy", "scipy", "SimpleITK")
"""What Slicer is built with and has loaded: another version can crash it."""

# OpenVINO's Python package asks for both and needs neither's version: it sends usage statistics with the first if that
# is there, and finds numpy's functions at run time, so the upper bound of numpy is only a precaution. Tested:
# OpenVINO 2025.4.1 and 2026.4.1 with numpy 2.4.6 and without openvino-telemetry, see docs/decisions.md.
SKIPPED = ("openvino-telemetry", *PROTECTED)


@dataclass(frozen=True)
class _Wheel:
    """A requirement that a system has wheels for, the download in MB, and the system's names in names of wheels."""

    requirement: str
    download_mb: int
    tags: tuple[str, ...]


# Sizes of the wheels for Python 3.12 on PyPI, in November 2026: OpenVINO 2026.4.1, and for Intel Macs 2025.4.1, which
# is the last one that has wheels for them.
_OPENVINO = {
    ("linux", "x86_64"): _Wheel("openvino>=2025.2", 59, ("manylinux_2_28_x86_64", "manylinux2014_x86_64")),
    ("linux", "arm64"): _Wheel("openvino>=2025.2", 30, ("manylinux_2_35_aarch64", "manylinux2014_aarch64")),
    ("win32", "x86_64"): _Wheel("openvino>=2025.2", 85, ("win_amd64",)),
    ("darwin", "arm64"): _Wheel("openvino>=2025.2", 33, ("macosx_11_0_arm64",)),
    ("darwin", "x86_64"): _Wheel("openvino==2025.4.1", 38, ("macosx_10_15_x86_64",)),
}
_INTEL_MAC = ("darwin", "x86_64")
_NEWEST_PYTHON_ON_INTEL_MACS = (3, 14)

# PyTorch 2.15.0 for Python 3.12, in the same month: for Linux on x86_64 the wheel on PyPI (539 MB) with the CUDA
# libraries that it asks for, for Macs the wheel alone. The other builds with CUDA were not measured: these two numbers
# are estimates. Without a CUDA device, the extension PyTorch takes a build for the CPU, of 130 to 200 MB.
_TORCH_MB = {
    ("linux", "x86_64"): 3100,
    ("linux", "arm64"): 3100,
    ("win32", "x86_64"): 3000,
    ("darwin", "arm64"): 140,
}


@dataclass(frozen=True, kw_only=True)
class Package:
    """One package to install: pip's requirement, about how much is downloaded, and why, in one sentence.

    `by_extension`: Slicer's extension PyTorch chooses the build and installs it. `tags` name the system in
    the names of wheels, as pip's --platform.
    """

    requirement: str
    download_mb: int
    reason: str
    by_extension: bool = False
    tags: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The package's name."""
        return Requirement(self.requirement).name


@dataclass(frozen=True, kw_only=True)
class InstallPlan:
    """What to install for `engine` and how: `packages`, none if nothing is missing.

    `constraints` are lines of a pip constraints file that keep Slicer's packages as they are; `skipped` are names
    that are not installed though packages ask for them; `folder` is where the packages go.
    """

    engine: str
    packages: tuple[Package, ...] = ()
    constraints: tuple[str, ...] = ()
    skipped: tuple[str, ...] = SKIPPED
    folder: str = ""

    @property
    def download_mb(self) -> int:
        """About how much is downloaded in all."""
        return sum(package.download_mb for package in self.packages)


@dataclass(frozen=True)
class Refusal:
    """Why an engine cannot be installed on a machine, and what to do instead, in one line."""

    text: str


def here() -> Machine:
    """Describe this Python, with the packages that plans are about."""
    names = [Requirement(text).name for texts in REQUIREMENTS.values() for text in texts]
    return Machine.here((*names, *PROTECTED))


def missing_requirements(engine: str, machine: Machine) -> list[str]:
    """Return the requirements of `engine`, "openvino" or "pytorch", that a machine does not meet.

    Errors: EngineError for an unknown engine.
    """
    if engine not in REQUIREMENTS:
        raise EngineError(f"Unknown engine '{engine}'; known: {', '.join(REQUIREMENTS)}")
    return [text for text in REQUIREMENTS[engine] if not is_met(text, machine.versions)]


def make_plan(engine: str, machine: Machine) -> InstallPlan | Refusal:
    """Plan what `engine`, "openvino" or "pytorch", still needs on a machine.

    Errors: EngineError for an unknown engine.
    """
    missing = missing_requirements(engine, machine)
    if not missing:
        return InstallPlan(engine=engine)
    packages = _openvino(machine) if engine == "openvino" else _pytorch(missing, machine)
    if isinstance(packages, Refusal):
        return packages
    pinned = {name: machine.versions.get(name.lower()) for name in PROTECTED}
    return InstallPlan(
        engine=engine,
        packages=packages,
        constraints=tuple(f"{name}=={version}" for name, version in pinned.items() if version is not None),
        folder=machine.packages_folder,
    )


def _openvino(machine: Machine) -> tuple[Package, ...] | Refusal:
    place = (machine.system, machine.architecture)
    wheel = _OPENVINO.get(place)
    if wheel is None:
        return Refusal(
            f"OpenVINO, which LightSeg computes with, is not made for {machine.system} on {machine.architecture}: use "
            "Slicer on 64-bit Windows or Linux or on a Mac"
        )
    if place == _INTEL_MAC and machine.python > _NEWEST_PYTHON_ON_INTEL_MACS:
        return Refusal(
            f"OpenVINO is no longer made for Intel Macs, its last version not for Python {_dotted(machine.python)}: "
            f"use a Slicer with Python {_dotted(_NEWEST_PYTHON_ON_INTEL_MACS)} or older, or another computer"
        )
    reason = "Computes the networks on this computer's processor."
    return (Package(requirement=wheel.requirement, download_mb=wheel.download_mb, reason=reason, tags=wheel.tags),)


def _pytorch(missing: list[str], machine: Machine) -> tuple[Package, ...] | Refusal:
    size = _TORCH_MB.get((machine.system, machine.architecture))
    if size is None:
        return Refusal(
            f"PyTorch 2.6 or newer is not made for {machine.system} on {machine.architecture}: choose the device CPU, "
            "which needs no PyTorch"
        )
    known = {
        "torch": Package(
            requirement=REQUIREMENTS["pytorch"][0],
            download_mb=size,
            reason="Computes the networks on a graphics card; Slicer's extension PyTorch chooses the build that fits.",
            by_extension=True,
        ),
        "safetensors": Package(
            requirement=REQUIREMENTS["pytorch"][1],
            download_mb=1,
            reason="Reads the networks' weights for PyTorch.",
            tags=_OPENVINO[machine.system, machine.architecture].tags,
        ),
    }
    return tuple(known[Requirement(text).name] for text in missing)


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
