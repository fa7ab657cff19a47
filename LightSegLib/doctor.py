"""Does LightSeg work on this machine: versions, devices, bundles, and the numbers that come out."""

import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from LightSegLib.bundles import Bundle, bundle_names, load_bundle
from LightSegLib.engines import Engine, available_devices, create_engine, device_name
from LightSegLib.engines.self_test import check_engine
from LightSegLib.errors import LightSegError
from LightSegLib.resources import models_root

__all__ = ["BundleCheck", "EngineCheck", "Report", "examine"]

# Distribution -> module. The first five are needed, the others belong to extras.
_PACKAGES = {
    "numpy": "numpy",
    "scipy": "scipy",
    "SimpleITK": "SimpleITK",
    "Pillow": "PIL",
    "openvino": "openvino",
    "torch": "torch",
    "safetensors": "safetensors",
}
_NEEDED = ("numpy", "scipy", "SimpleITK", "Pillow")


@dataclass(frozen=True, kw_only=True)
class BundleCheck:
    """Whether a bundle is complete and unaltered; `error` says what is wrong, None if nothing is."""

    name: str
    version: str | None = None
    size_bytes: int | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class EngineCheck:
    """One bundle's numerical self-test on one engine and device.

    `largest_difference` is relative to the largest reference logit, `seconds` the time of the test with loading;
    `error` says what is wrong, None if nothing is.
    """

    bundle: str
    engine: str
    device: str
    largest_difference: float | None = None
    seconds: float | None = None
    error: str | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """What `examine` found.

    `versions` maps packages to versions, None if absent; `devices` maps engines to devices and their names.
    `problems` are one-line texts; without any, LightSeg works here.
    """

    versions: dict[str, str | None]
    system: dict[str, str]
    devices: dict[str, dict[str, str]]
    bundles: tuple[BundleCheck, ...]
    engines: tuple[EngineCheck, ...]
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether no problem was found."""
        return not self.problems

    def to_json(self) -> dict[str, Any]:
        """Return everything as plain values for the json module, with `ok` first."""
        return {"ok": self.ok, **asdict(self)}

    def to_text(self) -> str:
        """Return the report for people, several lines without a final line break."""
        rows = ["Versions"]
        rows += [f"  {name:12} {found or 'not installed'}" for name, found in self.versions.items()]
        rows += [f"  {name:12} {value}" for name, value in self.system.items()]
        rows.append("Devices")
        for engine, devices in self.devices.items():
            rows += [f"  {engine:12} {device}: {name}" for device, name in devices.items()]
            if not devices:
                rows.append(f"  {engine:12} none")
        rows.append("Models")
        rows += [f"  {_bundle_row(check)}" for check in self.bundles]
        rows.append("Numerical self-test (largest difference, relative to the largest logit)")
        rows += [f"  {_engine_row(check)}" for check in self.engines]
        if self.ok:
            rows.append("Everything works.")
        else:
            rows.append("Problems")
            rows += [f"  {problem}" for problem in self.problems]
        return "\n".join(rows)


def examine(*, models: Path | None = None, progress: Callable[[str], None] | None = None) -> Report:
    """Verify every bundle in `models` (default: the installed ones) and run its self-test on every device here.

    `progress` is called with a line before each slow step. Nothing found wrong is raised: it is in the report.
    """
    announce = progress or (lambda line: None)
    announce("looking for engines and devices")
    devices = {
        engine: {device: device_name(engine, device) for device in names}
        for engine, names in available_devices().items()
    }
    announce("verifying the models")
    bundles, bundle_checks, problems = _check_bundles(models)
    engine_checks = []
    for bundle in bundles:
        for engine, names in devices.items():
            for device in names:
                announce(f"testing {bundle.name} on {engine} {device}")
                engine_checks.append(_check_engine(bundle, engine, device))
    versions = {"lightseg": _lightseg_version(), **{name: _version(name) for name in _PACKAGES}}
    problems += [f"{name} is not installed: run `pip install {name}`" for name in _NEEDED if versions[name] is None]
    if not any(devices.values()):
        problems.append("No inference engine is installed: run `pip install openvino`")
    errors = [*(check.error for check in bundle_checks), *(check.error for check in engine_checks)]
    problems += [error for error in errors if error is not None]
    return Report(
        versions=versions,
        system={"python": platform.python_version(), "system": platform.platform(), "machine": platform.machine()},
        devices=devices,
        bundles=tuple(bundle_checks),
        engines=tuple(engine_checks),
        problems=tuple(problems),
    )


def _check_bundles(models: Path | None) -> tuple[list[Bundle], list[BundleCheck], list[str]]:
    bundles: list[Bundle] = []
    checks: list[BundleCheck] = []
    try:
        root = models_root() if models is None else models
        names = bundle_names(root)
    except LightSegError as error:
        return bundles, checks, [str(error)]
    for name in names:
        try:
            bundle = load_bundle(root / name)
        except LightSegError as error:
            checks.append(BundleCheck(name=name, error=str(error)))
        else:
            bundles.append(bundle)
            checks.append(BundleCheck(name=name, version=bundle.version, size_bytes=bundle.size_bytes))
    return bundles, checks, [] if names else [f"No model is installed in {root}: reinstall LightSeg"]


def _check_engine(bundle: Bundle, engine_name: str, device: str) -> EngineCheck:
    started = time.perf_counter()
    try:
        engine: Engine = create_engine(bundle, engine=engine_name, device=device)
        difference = check_engine(bundle, engine)
    except LightSegError as error:
        return EngineCheck(bundle=bundle.name, engine=engine_name, device=device, error=str(error))
    return EngineCheck(
        bundle=bundle.name,
        engine=engine_name,
        device=device,
        largest_difference=difference,
        seconds=time.perf_counter() - started,
    )


def _version(distribution: str) -> str | None:
    try:
        return version(distribution)
    except PackageNotFoundError:
        # Slicer builds some of its packages itself, without pip's records.
        module = _PACKAGES[distribution]
        if find_spec(module) is None:
            return None
        return str(getattr(import_module(module), "__version__", "unknown"))


def _lightseg_version() -> str:
    return str(import_module("LightSegLib").__version__)


def _bundle_row(check: BundleCheck) -> str:
    if check.error is not None or check.size_bytes is None:
        return f"{check.name:14} FAILED"
    return f"{check.name:14} {check.version}, {check.size_bytes / 1e6:.1f} MB, files unaltered"


def _engine_row(check: EngineCheck) -> str:
    row = f"{check.bundle:14} {check.engine} {check.device}: "
    if check.largest_difference is None:
        return row + "FAILED"
    return row + f"{check.largest_difference:.1e} in {check.seconds:.2f} s"
