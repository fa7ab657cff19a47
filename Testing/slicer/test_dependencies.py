"""Packages are installed only when the user is there to be asked."""

import subprocess
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import slicer

from LightSegLib.errors import MissingDependencyError
from LightSegLib.slicer_bridge import dependencies
from LightSegLib.slicer_bridge.dependencies import ensure_dependencies, missing_dependencies

ABSENT = "lightseg-no-such-package>=1"


@pytest.fixture
def pip_ensure(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Records the calls of `slicer.packaging.pip_ensure`; raises what is put under "raise" by the test."""
    calls: list[dict[str, Any]] = []
    packaging = ModuleType("slicer.packaging")

    def ensure(requirements: list[str], *, constraints: Path, requester: str) -> None:
        calls.append({"requirements": requirements, "constraints": constraints.read_text(), "requester": requester})

    packaging.pip_ensure = ensure  # type: ignore[attr-defined]
    monkeypatch.setattr(slicer, "packaging", packaging, raising=False)
    return calls


def test_this_environment_lacks_nothing() -> None:
    assert missing_dependencies() == []
    ensure_dependencies(interactive=False)


def test_versions_and_markers_count() -> None:
    assert missing_dependencies([ABSENT, "numpy>=999", "numpy", "nothing; python_version < '3'"]) == [
        ABSENT,
        "numpy>=999",
    ]


def test_without_a_user_nothing_is_installed(pip_ensure: list[dict[str, Any]]) -> None:
    with pytest.raises(MissingDependencyError, match=f"LightSeg needs {ABSENT}, which is not installed: click Segment"):
        ensure_dependencies(interactive=False, requirements=[ABSENT])
    assert pip_ensure == []


def test_with_a_user_slicer_asks_and_numpy_stays(pip_ensure: list[dict[str, Any]]) -> None:
    with pytest.raises(MissingDependencyError, match="install it with slicer.util.pip_install"):
        ensure_dependencies(interactive=True, requirements=[ABSENT])  # as under --testing, it installs nothing
    (call,) = pip_ensure
    assert call["requirements"] == [ABSENT] and call["requester"] == "LightSeg"
    assert call["constraints"].strip() == f"numpy=={metadata.version('numpy')}"


@pytest.mark.parametrize(
    ("failure", "text"),
    [
        (RuntimeError("User declined package installation"), "the installation was declined"),
        (subprocess.CalledProcessError(1, ["pip"]), r"pip could not install .* \(exit code 1\)"),
    ],
)
def test_a_failed_installation_is_a_typed_error(
    pip_ensure: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch, failure: Exception, text: str
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise failure

    monkeypatch.setattr(slicer.packaging, "pip_ensure", fail)
    with pytest.raises(MissingDependencyError, match=text):
        ensure_dependencies(interactive=True, requirements=[ABSENT])


def test_outside_the_application_the_error_says_what_to_run() -> None:
    with pytest.raises(MissingDependencyError, match=f"run pip install {ABSENT}"):
        ensure_dependencies(interactive=True, requirements=[ABSENT])


def test_the_job_asks_only_if_interactive(
    logic: Any, bundle: Path, flair: Any, pip_ensure: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependencies, "missing_dependencies", lambda requirements=(): [ABSENT])
    for start in (logic.segment, logic.start_segment):
        with pytest.raises(MissingDependencyError):
            start(model=bundle, volumes={"FLAIR": flair})
    assert pip_ensure == []
    with pytest.raises(MissingDependencyError):
        logic.segment(model=bundle, volumes={"FLAIR": flair}, interactive=True)
    assert len(pip_ensure) == 1
