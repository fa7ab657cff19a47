"""Packages are installed only when the user agreed, and Slicer's own never change."""

import subprocess
import sys
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import slicer

from LightSegLib.errors import InstallationDeclinedError, InstallationFailedError, MissingDependencyError
from LightSegLib.slicer_bridge.installer import INSTALL, NOT_NOW, Answer, InstallPlan, ensure, ensure_dependencies
from LightSegLib.slicer_bridge.installer import install as installing
from LightSegLib.slicer_bridge.installer.machine import Machine

LACKING = Machine(system="linux", architecture="x86_64", python=(3, 12), versions={"numpy": metadata.version("numpy")})
WHEEL = "openvino-2026.4.1-py3-none-any.whl"


class Pip:
    """Stands in for `slicer.packaging` with the arguments that its documentation has; records instead of installing."""

    def __init__(self) -> None:
        self.calls: list[SimpleNamespace] = []
        self.then: Callable[[], None] = lambda: None
        self.is_busy = False

    def isPipInstallInProgress(self) -> bool:
        return self.is_busy

    def pip_install(
        self,
        requirements: str | list[str],
        constraints: str | Path | None = None,
        no_deps_requirements: str | list[str] | None = None,
        skip_packages: list[str] | None = None,
        blocking: bool = True,
        show_progress: bool = True,
        requester: str | None = None,
        logCallback: Callable[[str], None] | None = None,
        completedCallback: Callable[[int], None] | None = None,
    ) -> None:
        assert isinstance(requirements, list) and constraints is not None and blocking and show_progress
        assert no_deps_requirements is skip_packages is logCallback is completedCallback is None
        self.calls.append(
            SimpleNamespace(arguments=requirements, constraints=Path(constraints).read_text(), requester=requester)
        )
        self.then()


class Asked:
    """A consent that answers and remembers what it was shown."""

    def __init__(self, answer: Answer) -> None:
        self.answer, self.plans = answer, []

    def ask(self, plan: InstallPlan) -> Answer:
        self.plans.append(plan)
        return self.answer


@pytest.fixture
def pip(monkeypatch: pytest.MonkeyPatch) -> Pip:
    """An application without OpenVINO, whose pip records."""
    found = Pip()
    app = SimpleNamespace(testingEnabled=lambda: False, currentLogFile=lambda: "/tmp/Slicer_1.log")
    monkeypatch.setattr(slicer, "packaging", found, raising=False)
    monkeypatch.setattr(slicer, "app", app, raising=False)
    monkeypatch.setattr(ensure, "here", lambda: LACKING)
    return found


def arrive(monkeypatch: pytest.MonkeyPatch, **versions: str) -> None:
    """Let packages be installed from now on."""
    lacking = LACKING.versions
    machine = Machine(system="linux", architecture="x86_64", python=(3, 12), versions={**lacking, **versions})
    monkeypatch.setattr(ensure, "here", lambda: machine)


def test_this_environment_lacks_nothing() -> None:
    consent = Asked(NOT_NOW)
    ensure_dependencies(interactive=True, consent=consent)
    assert ensure.missing_dependencies() == [] and consent.plans == []


def test_without_a_user_nothing_is_asked_or_installed(pip: Pip) -> None:
    consent = Asked(INSTALL)
    with pytest.raises(MissingDependencyError, match=r"openvino>=2025\.2, which is not installed: click Segment"):
        ensure_dependencies(interactive=False, consent=consent)
    assert pip.calls == consent.plans == []


def test_declining_is_an_error_of_its_own_and_installs_nothing(pip: Pip) -> None:
    with pytest.raises(InstallationDeclinedError, match="click Segment to be asked again"):
        ensure_dependencies(interactive=True, consent=Asked(NOT_NOW))
    assert pip.calls == []


def test_openvino_is_installed_alone_with_slicers_packages_pinned(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    pip.then = lambda: arrive(monkeypatch, openvino="2026.4.1")
    consent = Asked(INSTALL)
    ensure_dependencies(interactive=True, consent=consent)
    (call,), (shown,) = pip.calls, consent.plans
    assert call.arguments == ["--no-deps", "openvino>=2025.2"] and call.requester == "LightSeg"
    assert call.constraints.splitlines() == [f"numpy=={metadata.version('numpy')}"]
    assert [package.name for package in shown.packages] == ["openvino"]


def test_a_folder_of_wheels_replaces_the_package_index(
    pip: Pip, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = tmp_path / "my wheels"
    folder.mkdir()
    (folder / WHEEL).touch()
    pip.then = lambda: arrive(monkeypatch, openvino="2026.4.1")
    ensure_dependencies(interactive=True, consent=Asked(Answer(is_install=True, folder=folder)))
    assert pip.calls[0].arguments == ["--no-index", "--find-links", str(folder), "--no-deps", "openvino>=2025.2"]


def test_a_folder_without_the_wheels_is_told_before_pip_starts(pip: Pip, tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match=r"has no wheel of openvino>=2025\.2"):
        ensure_dependencies(interactive=True, consent=Asked(Answer(is_install=True, folder=tmp_path)))
    assert pip.calls == []


def test_what_a_new_version_needs_itself_is_installed_too_but_never_slicers_packages(
    pip: Pip, monkeypatch: pytest.MonkeyPatch
) -> None:
    needs = [
        "numpy<2.4.0,>=1.16.6",
        "openvino-telemetry>=2023.2.1",
        "lightseg-no-such-package>=1",
        "packaging",
        "never; python_version < '3'",
        "optional; extra == 'more'",
    ]
    monkeypatch.setattr(installing.metadata, "requires", lambda name: needs if name == "openvino" else [])
    pip.then = lambda: arrive(monkeypatch, openvino="2025.4.1")
    ensure_dependencies(interactive=True, consent=Asked(INSTALL))
    assert [call.arguments[1:] for call in pip.calls] == [["openvino>=2025.2"], ["lightseg-no-such-package>=1"]]


def test_a_failing_pip_names_the_log(pip: Pip) -> None:
    def fail() -> None:
        raise subprocess.CalledProcessError(1, "pip install")

    pip.then = fail
    with pytest.raises(
        InstallationFailedError, match=r"\(exit code 1\): check the network .* is in /tmp/Slicer_1\.log"
    ):
        ensure_dependencies(interactive=True, consent=Asked(INSTALL))


def test_slicers_own_errors_are_passed_on(pip: Pip) -> None:
    def fail() -> None:
        raise RuntimeError("PythonSlicer executable not found")

    pip.then = fail
    with pytest.raises(MissingDependencyError, match="Slicer cannot install .*: PythonSlicer executable not found"):
        ensure_dependencies(interactive=True, consent=Asked(INSTALL))


def test_an_installation_that_leaves_something_missing_is_an_error(pip: Pip) -> None:
    with pytest.raises(MissingDependencyError, match="is still missing although pip reported no error"):
        ensure_dependencies(interactive=True, consent=Asked(INSTALL))


def test_an_installation_that_changes_numpy_is_an_error(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    numpys = iter(({"numpy": "2.4.6"}, {"numpy": "2.3.5"}))
    monkeypatch.setattr(installing, "installed_versions", lambda names: next(numpys, {}))
    with pytest.raises(InstallationFailedError, match=r"numpy 2\.4\.6 to 2\.3\.5\): reinstall Slicer"):
        ensure_dependencies(interactive=True, consent=Asked(INSTALL))


def test_in_slicers_testing_mode_nobody_is_asked(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slicer.app, "testingEnabled", lambda: True)
    consent = Asked(INSTALL)
    with pytest.raises(MissingDependencyError, match="nothing is installed while Slicer runs with --testing"):
        ensure_dependencies(interactive=True, consent=consent)
    assert pip.calls == consent.plans == []


def test_while_another_installation_runs_the_error_says_wait(pip: Pip) -> None:
    pip.is_busy = True
    with pytest.raises(MissingDependencyError, match="another installation of Python packages is running: wait"):
        ensure_dependencies(interactive=True, consent=Asked(INSTALL))
    assert pip.calls == []


def test_outside_the_application_the_error_says_what_to_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ensure, "here", lambda: LACKING)
    with pytest.raises(MissingDependencyError, match=r'run `pip install --no-deps "openvino>=2025\.2"`'):
        ensure_dependencies(interactive=True, consent=Asked(INSTALL))


def test_a_machine_without_wheels_is_refused(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine(system="win32", architecture="arm64", python=(3, 12), versions={})
    monkeypatch.setattr(ensure, "here", lambda: machine)
    with pytest.raises(MissingDependencyError, match="is not made for win32 on arm64"):
        ensure_dependencies(interactive=True, consent=Asked(INSTALL))


class Extension:
    """Stands in for PyTorchUtilsLogic."""

    def __init__(self, install: Callable[[], Any]) -> None:
        self.install, self.asked_for = install, []

    def installTorch(
        self,
        askConfirmation: bool = False,
        forceComputationBackend: str | None = None,
        torchVersionRequirement: str | None = None,
        torchvisionVersionRequirement: str | None = None,
    ) -> Any:
        assert not askConfirmation and forceComputationBackend is torchvisionVersionRequirement is None
        self.asked_for.append(torchVersionRequirement)
        return self.install()


def add_extension(monkeypatch: pytest.MonkeyPatch, install: Callable[[], Any]) -> Extension:
    extension, module = Extension(install), ModuleType("PyTorchUtils")
    module.PyTorchUtilsLogic = lambda: extension  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "PyTorchUtils", module)
    return extension


def test_without_the_extension_pytorch_is_not_even_asked_about(pip: Pip) -> None:
    consent = Asked(INSTALL)
    with pytest.raises(MissingDependencyError, match='extension "PyTorch": install it from the Extensions Manager'):
        ensure_dependencies(interactive=True, consent=consent, engine="pytorch")
    assert consent.plans == pip.calls == []


def test_the_extension_installs_pytorch_after_one_question(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    def install() -> object:
        arrive(monkeypatch, torch="2.15.0", safetensors="0.8.0")
        return object()

    extension, consent = add_extension(monkeypatch, install), Asked(INSTALL)
    ensure_dependencies(interactive=True, consent=consent, engine="pytorch")
    assert extension.asked_for == [">=2.6"] and len(consent.plans) == 1
    assert [call.arguments for call in pip.calls] == [["--no-deps", "safetensors>=0.4"]]


def test_a_failing_extension_is_a_typed_error(pip: Pip, monkeypatch: pytest.MonkeyPatch) -> None:
    def install() -> object:
        raise ModuleNotFoundError("No module named 'torch'")

    add_extension(monkeypatch, install)
    with pytest.raises(InstallationFailedError, match=r"could not install torch>=2\.6 \(No module named 'torch'\)"):
        ensure_dependencies(interactive=True, consent=Asked(INSTALL), engine="pytorch")


@pytest.mark.parametrize(
    ("choice", "text"), [({}, "openvino"), ({"engine": "pytorch"}, "torch"), ({"device": "cuda"}, "torch")]
)
def test_a_job_needs_the_engine_that_was_chosen(
    logic: Any, bundle: Path, flair: Any, monkeypatch: pytest.MonkeyPatch, choice: dict[str, str], text: str
) -> None:
    monkeypatch.setattr(ensure, "here", lambda: LACKING)
    for start in (logic.segment, logic.start_segment):
        with pytest.raises(MissingDependencyError, match=f"LightSeg needs {text}>="):
            start(model=bundle, volumes={"FLAIR": flair}, **choice)
