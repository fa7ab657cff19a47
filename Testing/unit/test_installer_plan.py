"""What is missing for an engine on which machine, and what is refused."""

import re

import pytest

from LightSegLib.errors import EngineError
from LightSegLib.slicer_bridge.installer.machine import Machine, is_met
from LightSegLib.slicer_bridge.installer.plan import InstallPlan, Refusal, here, make_plan, missing_requirements

SLICERS = {"numpy": "2.4.6", "scipy": "1.17.1", "simpleitk": "2.5.5"}
PLACES = [("linux", "x86_64"), ("linux", "arm64"), ("win32", "x86_64"), ("darwin", "arm64"), ("darwin", "x86_64")]


def machine(
    system: str = "linux", architecture: str = "x86_64", python: tuple[int, int] = (3, 12), **versions: str
) -> Machine:
    return Machine(
        system=system,
        architecture=architecture,
        python=python,
        versions={**SLICERS, **versions},
        packages_folder="/Slicer/lib/python3.12/site-packages",
    )


def plan(engine: str, on: Machine) -> InstallPlan:
    made = make_plan(engine, on)
    assert isinstance(made, InstallPlan), made
    return made


def refusal(engine: str, on: Machine) -> str:
    made = make_plan(engine, on)
    assert isinstance(made, Refusal), made
    return made.text


@pytest.mark.parametrize(("system", "architecture"), PLACES)
def test_on_every_platform_of_slicer_openvino_alone_is_planned(system: str, architecture: str) -> None:
    made = plan("openvino", machine(system, architecture))
    (package,) = made.packages
    assert package.name == "openvino" and not package.by_extension
    assert 30 <= package.download_mb == made.download_mb <= 85
    assert re.fullmatch(r"[A-Z][^.]+\.", package.reason)
    assert package.tags and made.folder == "/Slicer/lib/python3.12/site-packages"


@pytest.mark.parametrize(("system", "architecture"), PLACES)
def test_slicers_packages_are_pinned_and_never_installed(system: str, architecture: str) -> None:
    made = plan("openvino", machine(system, architecture))
    assert made.constraints == ("numpy==2.4.6", "scipy==1.17.1", "SimpleITK==2.5.5")
    assert {"openvino-telemetry", "numpy", "scipy", "SimpleITK"} <= set(made.skipped)


def test_intel_macs_get_the_last_version_that_has_wheels_for_them() -> None:
    (package,) = plan("openvino", machine("darwin", "x86_64")).packages
    assert package.requirement == "openvino==2025.4.1" and package.tags == ("macosx_10_15_x86_64",)


def test_an_older_openvino_that_is_new_enough_stays() -> None:
    assert plan("openvino", machine("darwin", "x86_64", openvino="2025.3.0")).packages == ()
    assert plan("openvino", machine(openvino="2025.1.0")).packages[0].requirement == "openvino>=2025.2"


def test_what_is_installed_is_not_planned() -> None:
    assert plan("openvino", machine(openvino="2026.4.1")) == InstallPlan(engine="openvino")


def test_pytorch_is_planned_only_when_asked_for_and_comes_by_the_extension() -> None:
    torch, safetensors = plan("pytorch", machine()).packages
    assert torch.by_extension and torch.requirement == "torch>=2.6" and torch.download_mb > 1000
    assert not safetensors.by_extension and safetensors.name == "safetensors"
    assert [package.name for package in plan("pytorch", machine(torch="2.13.0+cpu")).packages] == ["safetensors"]


def test_machines_without_wheels_are_refused_with_what_to_do() -> None:
    assert "not made for win32 on arm64: use Slicer on 64-bit Windows" in refusal("openvino", machine("win32", "arm64"))
    assert "use a Slicer with Python 3.14 or older" in refusal("openvino", machine("darwin", "x86_64", (3, 15)))
    assert "choose the device CPU" in refusal("pytorch", machine("darwin", "x86_64"))


def test_a_machine_that_has_all_is_not_refused() -> None:
    assert plan("openvino", machine("win32", "arm64", openvino="2026.4.1")).packages == ()


def test_unknown_engines_are_named_with_the_known_ones() -> None:
    with pytest.raises(EngineError, match="Unknown engine 'onnx'; known: openvino, pytorch"):
        make_plan("onnx", machine())


@pytest.mark.parametrize(
    ("requirement", "met"),
    [
        ("openvino>=2025.2", True),
        ("openvino>=2027", False),
        ("OpenVINO", True),
        ("safetensors", False),
        ("nightly>=2025", True),
    ],
)
def test_a_requirement_is_met_by_name_and_version(requirement: str, met: bool) -> None:
    assert is_met(requirement, {"openvino": "2026.4.1", "nightly": "2026.0.0.dev1"}) is met


def test_this_machine_is_described() -> None:
    found = here()
    assert found.versions["numpy"] and found.packages_folder.endswith("site-packages")
    assert found.architecture in ("x86_64", "arm64")
    assert missing_requirements("openvino", found) == []
