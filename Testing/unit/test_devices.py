"""Which devices the panel offers, with a graphics driver that the test plays."""

import sys
import time
from pathlib import Path

import pytest

from LightSegLib.slicer_bridge import devices
from LightSegLib.slicer_bridge.devices import DeviceSearch

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the driver is played by a shell script")


@pytest.fixture
def driver(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which `nvidia-smi` is looked for, empty."""
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    return tmp_path


def search(folder: Path, script: str | None) -> DeviceSearch:
    if script is not None:
        tool = folder / "nvidia-smi"
        tool.write_text(f"#!/bin/sh\n{script}\n")
        tool.chmod(0o755)
    found = DeviceSearch()
    for _ in range(100):
        if found.gpu or not found.is_looking:
            break
        time.sleep(0.02)
    return found


def test_without_a_driver_there_is_the_processor(driver: Path) -> None:
    found = search(driver, None)
    assert [device for device, _ in found.entries()] == ["auto", "cpu"] and not found.has_unused_gpu


def test_a_graphics_card_is_offered_where_pytorch_is_installed(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_pytorch", lambda: True)
    found = search(driver, "echo NVIDIA RTX 4000")
    assert found.entries()[-1] == ("cuda", "GPU, NVIDIA RTX 4000") and not found.has_unused_gpu


def test_a_graphics_card_without_pytorch_is_told_but_not_offered(driver: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "has_pytorch", lambda: False)
    found = search(driver, "echo NVIDIA RTX 4000")
    assert len(found.entries()) == 2 and found.has_unused_gpu


def test_a_broken_driver_is_no_graphics_card(driver: Path) -> None:
    assert search(driver, "echo failed >&2; exit 9").gpu == ""
