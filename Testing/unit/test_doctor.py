"""Doctor tells what works here, and what does not."""

import json
from pathlib import Path

import pytest

from LightSegLib.doctor import examine


def test_a_sound_installation_passes(models: Path) -> None:
    report = examine(models=models)
    assert report.ok
    assert report.problems == ()
    assert report.versions["numpy"] is not None
    assert [check.name for check in report.bundles] == ["brain-pocket", "wmh-acu"]
    tested = {(check.bundle, check.engine, check.device) for check in report.engines}
    assert {("wmh-acu", "openvino", "cpu"), ("brain-pocket", "pytorch", "cpu")} <= tested
    assert all(check.largest_difference is not None and check.largest_difference < 1e-4 for check in report.engines)


def test_the_report_reads_as_text_and_as_json(models: Path) -> None:
    report = examine(models=models)
    text = report.to_text()
    assert text.endswith("Everything works.")
    assert "wmh-acu        0.1.0, " in text
    assert json.loads(json.dumps(report.to_json()))["ok"] is True


def test_a_damaged_bundle_is_a_problem_and_the_others_are_tested(models: Path) -> None:
    (models / "wmh-acu" / "model.bin").write_bytes(b"damaged")
    report = examine(models=models)
    assert not report.ok
    (problem,) = report.problems
    assert "model.bin of model wmh-acu was altered" in problem
    assert {check.bundle for check in report.engines} == {"brain-pocket"}
    assert "wmh-acu        FAILED" in report.to_text()
    assert problem in report.to_text()


def test_wrong_numbers_are_a_problem(models: Path) -> None:
    path = models / "brain-pocket" / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    answers = metadata["lightseg"]["self_test"]["answers"]
    answers[10] += 0.1
    path.write_text(json.dumps(metadata), encoding="utf-8")
    report = examine(models=models)
    assert not report.ok
    assert all("brain-pocket gives wrong numbers on" in problem for problem in report.problems)
    assert "brain-pocket   openvino cpu: FAILED" in report.to_text()


def test_no_models_is_a_problem(tmp_path: Path) -> None:
    assert examine(models=tmp_path).problems == (f"No model is installed in {tmp_path}: reinstall LightSeg",)


def test_an_absent_extra_is_no_problem(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("LightSegLib.doctor.available_devices", lambda: {"openvino": ("cpu",), "pytorch": ()})
    report = examine(models=models)
    assert report.ok
    assert "  pytorch      none" in report.to_text()


def test_no_engine_is_a_problem(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("LightSegLib.doctor.available_devices", lambda: {"openvino": (), "pytorch": ()})
    assert examine(models=models).problems == ("No inference engine is installed: run `pip install openvino`",)


def test_progress_names_each_slow_step(models: Path) -> None:
    lines: list[str] = []
    examine(models=models, progress=lines.append)
    assert "testing wmh-acu on openvino cpu" in lines
