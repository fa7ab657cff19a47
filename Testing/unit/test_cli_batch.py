"""`lightseg batch` as it is typed: what it shows, its JSON and its exit codes; the network is a toy."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.cli.main import main

from .pipeline_toys import LesionEngine, install_toys, make_head


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> LesionEngine:
    return install_toys(monkeypatch)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Two cases, the second without its FLAIR."""
    head = make_head(size=(30, 36, 25), spacing=(3.0, 3.0, 3.0))
    for name in ("p1/flair", "p2/t1"):
        path = tmp_path / "cohort" / f"{name}.nii.gz"
        path.parent.mkdir(parents=True)
        sitk.WriteImage(head, str(path))
    return tmp_path / "cohort"


def batch(*parts: object) -> int:
    return main(["batch", "--model", "toy", *map(str, parts)])


def test_each_case_is_a_line_and_a_failed_one_shows_in_the_exit_code(engine, cohort, tmp_path, capsys) -> None:
    assert batch(cohort, "--output", tmp_path / "out") == 3
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert shown.err == "" and lines[0].startswith("1/2  p1: done in ") and "WMH " in lines[0]
    assert lines[1].startswith("2/2  p2: failed. Input FLAIR is missing")
    assert lines[2:] == ["1 done, 1 failed, 0 skipped", f"Wrote {tmp_path / 'out' / 'volumes.csv'}"]
    assert batch(cohort / "p1" / "flair.nii.gz", "--output", tmp_path / "other", "--format", "mha", "--report") == 0
    assert sorted(path.name for path in (tmp_path / "other").iterdir()) == ["p1.html", "p1.mha", "volumes.csv"]


def test_a_dry_run_shows_files_and_problems_and_writes_nothing(engine, cohort, tmp_path, capsys) -> None:
    assert batch(cohort, "--output", tmp_path / "out", "--dry-run") == 3
    shown = capsys.readouterr().out
    for wanted in ("1/2  p1: to do", f"FLAIR: {cohort / 'p1' / 'flair.nii.gz'}", "p1.seg.nrrd", "problem: Input FLAIR"):
        assert wanted in shown
    assert not (tmp_path / "out").exists() and engine.calls == 0
    assert batch(cohort, "--output", tmp_path / "out", "--dry-run", "--json", "--part", "1/2") == 0
    told = json.loads(capsys.readouterr().out)
    assert [case["name"] for case in told["cases"]] == ["p1"] and told["cases"][0]["done_before"] is False


def test_json_is_one_object_and_nothing_else(engine, cohort, tmp_path, capsys) -> None:
    assert batch(cohort, "--output", tmp_path / "out", "--json") == 3
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert [case["status"] for case in told["cases"]] == ["done", "failed"] and shown.err == ""
    assert (told["done"], told["failed"], told["skipped"]) == (1, 1, 0)
    assert told["table"] == str(tmp_path / "out" / "volumes.csv")


def test_patterns_help_with_names_that_the_model_does_not_know(engine, cohort, tmp_path) -> None:
    (cohort / "p1" / "flair.nii.gz").rename(cohort / "p1" / "tirm_7.nii.gz")
    assert batch(cohort, "--output", tmp_path / "out", "--pattern", "flair=*tirm*", "--json") == 3
    assert (tmp_path / "out" / "p1.seg.nrrd").exists()
    assert batch(cohort, "--output", tmp_path / "out", "--pattern", "PET=*") == 2


@pytest.mark.parametrize("part", ["0/2", "3/2", "1", "a/b"])
def test_a_share_that_makes_no_sense_is_wrong_use(engine, cohort, tmp_path, capsys, part: str) -> None:
    assert batch(cohort, "--output", tmp_path / "out", "--part", part) == 2
    assert "--part" in capsys.readouterr().err


def test_interrupting_is_clean_and_says_how_to_go_on(engine, cohort, tmp_path, capsys, monkeypatch) -> None:
    def interrupt(self: LesionEngine, batch: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(LesionEngine, "predict", interrupt)
    assert batch(cohort, "--output", tmp_path / "out") == 130
    shown = capsys.readouterr()
    assert shown.err.startswith("lightseg: Cancelled after 0 of 2 cases; what is done is kept")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["volumes.csv"]


def test_help_has_examples(capsys) -> None:
    with pytest.raises(SystemExit):
        main(["batch", "--help"])
    shown = capsys.readouterr().out
    for wanted in ("lightseg batch cohort --model wmh-acu --output results", "--part", "exit codes:", "volumes.csv"):
        assert wanted in shown
