"""The package's front door: three names, loaded when they are asked for."""

import subprocess
import sys

import pytest

import LightSegLib


@pytest.mark.parametrize("name", ["Segmenter", "load_bundle", "read_volume"])
def test_the_package_hands_out_its_names_on_demand(name: str) -> None:
    assert getattr(LightSegLib, name).__name__ == name
    assert name in dir(LightSegLib)


def test_an_unknown_name_is_an_attribute_error_that_says_it() -> None:
    with pytest.raises(AttributeError, match="module 'LightSegLib' has no attribute 'segment_everything'"):
        LightSegLib.segment_everything  # noqa: B018 - the access is what is tested


def test_importing_the_package_loads_nothing_heavy() -> None:
    heavy = {"numpy", "scipy", "SimpleITK", "openvino", "torch"}
    code = f"import LightSegLib, sys; print(sorted({heavy} & set(sys.modules)))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


def test_the_version_is_a_release_number() -> None:
    assert [part.isdigit() for part in LightSegLib.__version__.split(".")] == [True, True, True]
