"""A folder of wheels is checked before pip is started."""

from pathlib import Path

import pytest
from packaging.tags import Tag

from LightSegLib.errors import MissingDependencyError
from LightSegLib.slicer_bridge.installer.machine import Machine
from LightSegLib.slicer_bridge.installer.plan import InstallPlan, make_plan
from LightSegLib.slicer_bridge.installer.wheels import check_wheels

WINDOWS = Machine(system="win32", architecture="x86_64", python=(3, 12), versions={"torch": "2.13.0"})
ACCEPTED = [Tag("cp312", "cp312", "win_amd64"), Tag("cp310", "abi3", "win_amd64")]
FITTING = "openvino-2026.4.1-22982-cp312-cp312-win_amd64.whl"


@pytest.fixture
def plan() -> InstallPlan:
    made = make_plan("openvino", WINDOWS)
    assert isinstance(made, InstallPlan)
    return made


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).touch()
    return folder


def test_a_folder_with_a_fitting_wheel_will_do(plan: InstallPlan, tmp_path: Path) -> None:
    check_wheels(plan, fill(tmp_path, FITTING, "notes.txt", "not a wheel.whl"), tags=ACCEPTED)


@pytest.mark.parametrize(
    "name",
    [
        "openvino-2026.4.1-22982-cp312-cp312-macosx_11_0_arm64.whl",
        "openvino-2026.4.1-22982-cp311-cp311-win_amd64.whl",
        "openvino-2025.1.0-18503-cp312-cp312-win_amd64.whl",
        "openvino_telemetry-2026.4.1-cp312-cp312-win_amd64.whl",
        "openvino.zip",
    ],
)
def test_what_does_not_fit_is_missing(plan: InstallPlan, tmp_path: Path, name: str) -> None:
    with pytest.raises(MissingDependencyError, match=r"has no wheel of openvino>=2025\.2 that fits this Slicer"):
        check_wheels(plan, fill(tmp_path, name), tags=ACCEPTED)


def test_the_error_says_how_to_get_the_wheels_for_this_system(plan: InstallPlan, tmp_path: Path) -> None:
    command = (
        r'pip download --no-deps --only-binary=:all: --python-version 3\.\d+ --platform win_amd64 "openvino>=2025\.2"'
    )
    with pytest.raises(MissingDependencyError, match=command):
        check_wheels(plan, tmp_path, tags=ACCEPTED)


def test_wheels_of_the_stable_interface_fit_any_python(tmp_path: Path) -> None:
    plan = make_plan("pytorch", WINDOWS)
    assert isinstance(plan, InstallPlan)
    check_wheels(plan, fill(tmp_path, "safetensors-0.8.0-cp310-abi3-win_amd64.whl"), tags=ACCEPTED)


def test_a_folder_that_is_none_is_an_error(plan: InstallPlan, tmp_path: Path) -> None:
    with pytest.raises(MissingDependencyError, match="is not a folder"):
        check_wheels(plan, tmp_path / "absent")
