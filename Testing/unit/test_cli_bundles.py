"""The command line with real bundles and engines: models, doctor, segment, and what damage does to them."""

import json
from pathlib import Path

import pytest
import SimpleITK as sitk

from LightSegLib.cli.main import main
from LightSegLib.volumes import read_labelmap

from .pipeline_toys import make_head


@pytest.fixture
def installed(models: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the installed bundles, which may be damaged."""
    for module in ("bundles", "doctor"):
        monkeypatch.setattr(f"LightSegLib.{module}.models_root", lambda: models)
    return models


@pytest.fixture
def flair(tmp_path: Path) -> Path:
    path = tmp_path / "flair.nii.gz"
    sitk.WriteImage(make_head(size=(60, 72, 24), spacing=(2.0, 2.0, 4.0)), str(path))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def segment(flair: Path, output: Path, *, model: str) -> int:
    inputs = ["--input", f"MR={flair}" if model == "brain-pocket" else f"FLAIR={flair}"]
    return main(["segment", "--model", model, *inputs, "--output", str(output), "--json"])


def test_segment_runs_a_real_bundle(installed: Path, flair: Path, out: Path, capsys) -> None:
    assert segment(flair, out / "brain.nii.gz", model="brain-pocket") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["provenance"]["model"]["name"] == "brain-pocket"
    assert set(told["provenance"]["model"]["sha256"]) >= {"model.xml", "model.bin", "model.safetensors"}
    assert read_labelmap(out / "brain.nii.gz").GetSize() == (60, 72, 24)


def test_an_unknown_model_lists_the_installed_ones(installed: Path, flair: Path, out: Path, capsys) -> None:
    assert segment(flair, out / "s.mha", model="wmh") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error == {"type": "BundleError", "message": "Unknown model 'wmh'; known models: brain-pocket, wmh-acu"}
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("damaged", ["wmh-acu/model.bin", "wmh-acu/model.safetensors", "brain-pocket/model.xml"])
def test_an_altered_bundle_is_refused(installed: Path, flair: Path, out: Path, capsys, damaged: str) -> None:
    with (installed / damaged).open("ab") as file:
        file.write(b"\0")
    assert segment(flair, out / "s.mha", model="wmh-acu") == 2
    shown = capsys.readouterr()
    error = json.loads(shown.out)["error"]
    assert error["type"] == "BundleError"
    assert str(installed / damaged) in error["message"] and "was altered" in error["message"]
    assert "reinstall LightSeg" in error["message"]
    assert shown.err == f"lightseg: error: {error['message']}\n"
    assert list(out.iterdir()) == []


def test_models_lists_what_is_installed(installed: Path, capsys) -> None:
    assert main(["models"]) == 0
    shown = capsys.readouterr().out
    assert "wmh-acu 0.1.0" in shown and "FLAIR (MR), T1 (MR, optional)" in shown and "brain-pocket" in shown
    assert main(["models", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["models"]
    assert [model["name"] for model in listed] == ["brain-pocket", "wmh-acu"]
    assert listed[1]["inputs"][0] == {"name": "FLAIR", "required": True, "modality": "MR"}


def test_models_lists_the_networks_and_what_they_cost(capsys) -> None:
    assert main(["models", "--networks"]) == 0
    lines = capsys.readouterr().out.splitlines()
    (acu,) = (line for line in lines if line.startswith("  ACU-Net"))
    assert acu.split()[1:8] == ["3", "x", "256", "x", "256", "366,801", "0.39"]
    assert main(["models", "--networks", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)["networks"]
    assert listed[0]["network"] == "acu" and listed[0]["parameters"] == 366_801
    assert len({network["label"] for network in listed}) == len(listed)


def test_the_networks_need_pytorch_and_say_so(monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("LightSegLib.cli.networks.find_spec", lambda name: None)
    assert main(["models", "--networks"]) == 2
    assert "counting networks needs PyTorch: pip install 'lightseg[pytorch]'" in capsys.readouterr().err


def test_models_refuses_an_altered_bundle(installed: Path, capsys) -> None:
    (installed / "wmh-acu" / "model.xml").unlink()
    assert main(["models"]) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and shown.err.count("\n") == 1 and "model.xml of model wmh-acu is missing" in shown.err


def test_doctor_finds_a_sound_installation(installed: Path, capsys) -> None:
    assert main(["doctor"]) == 0
    shown = capsys.readouterr()
    assert shown.out.rstrip().endswith("Everything works.") and shown.err == ""


def test_doctor_finds_an_altered_bundle(installed: Path, capsys) -> None:
    (installed / "wmh-acu" / "model.bin").write_bytes(b"damaged")
    assert main(["doctor", "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["ok"] is False
    assert "model.bin of model wmh-acu was altered" in told["problems"][0]
