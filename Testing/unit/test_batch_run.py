"""A cohort from its cases to files and table; the networks are toys, all else is real."""

import csv
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.batch import BatchOutputs, BatchResult, Case, CaseOutcome, Part, find_cases, run_batch
from LightSegLib.batch.volumes_table import VolumesTable
from LightSegLib.errors import CancelledError, EngineError, OutputError
from LightSegLib.job import MESSAGE_PREFIX, BatchJob, read_job, write_job
from LightSegLib.segmenter import Segmenter
from LightSegLib.volumes import read_labelmap
from LightSegLib.worker.batch import run_batch_job
from LightSegLib.worker.messages import Messages

from .pipeline_toys import LesionEngine, install_toys, make_bundle, make_head, make_lesions, make_tumor

SMALL: dict[str, Any] = {"size": (30, 36, 25), "spacing": (3.0, 3.0, 3.0)}
Rows = dict[str, dict[str, str]]


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> LesionEngine:
    return install_toys(monkeypatch)


@pytest.fixture
def cohort(tmp_path: Path) -> Path:
    """Three cases: a with a reference, b that is damaged, c."""
    folder = tmp_path / "cohort"
    for name in "abc":
        (folder / name).mkdir(parents=True)
        sitk.WriteImage(make_head(**SMALL), str(folder / name / "flair.nii.gz"))
    sitk.WriteImage(make_lesions(**SMALL), str(folder / "a" / "mask.nii.gz"))
    whole = (folder / "b" / "flair.nii.gz").read_bytes()
    (folder / "b" / "flair.nii.gz").write_bytes(whole[: len(whole) // 2])
    return folder


@pytest.fixture
def results(tmp_path: Path) -> Path:
    return tmp_path / "results"


def batch(cohort: Path, results: Path, *, model: str = "toy", **more: Any) -> BatchResult:
    told = {key: more.pop(key) for key in ("on_case", "progress", "cancel") if key in more}
    segmenter = Segmenter(model)
    cases = find_cases(cohort, segmenter.inputs, output=results).cases
    return run_batch(segmenter, cases, BatchOutputs(folder=results, **more), **told)


def statuses(result: BatchResult) -> dict[str, str]:
    return {outcome.name: outcome.status for outcome in result.outcomes}


def rows(table: Path) -> Rows:
    with table.open(encoding="utf-8", newline="") as file:
        return {row["case"]: row for row in csv.DictReader(file)}


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_each_case_has_its_file_and_its_row_and_one_that_fails_stops_no_other(engine, cohort, results) -> None:
    done = batch(cohort, results)
    assert statuses(done) == {"a": "done", "b": "failed", "c": "done"}
    assert names(results) == ["a.seg.nrrd", "c.seg.nrrd", "volumes.csv"]
    table = rows(done.table)
    assert list(table) == ["a", "b", "c"]
    found = sitk.GetArrayFromImage(read_labelmap(results / "a.seg.nrrd")).sum() * 27 / 1000
    assert float(table["a"]["wmh_volume_ml"]) == pytest.approx(found)
    assert float(table["a"]["wmh_dice"]) > 0.5 and table["a"]["lesion_count"] == "2"
    assert table["a"]["model"] == "toy 0.0.1" and table["a"]["engine"] == "toy on cpu"
    assert table["c"]["wmh_dice"] == "" and float(table["c"]["wmh_volume_ml"]) > 0
    assert table["b"]["wmh_volume_ml"] == "" and "is truncated" in table["b"]["error"]
    assert str(cohort / "b" / "flair.nii.gz") == table["b"]["flair_file"]


def test_the_table_can_be_used_without_quoting_names(engine, cohort, results) -> None:
    header = batch(cohort, results).table.read_text(encoding="ascii").splitlines()[0].split(",")
    assert header[:4] == ["case", "status", "wmh_volume_ml", "lesion_count"]
    assert all(title.isidentifier() for title in header)


def test_tumors_have_a_column_for_each_segment_and_region(engine, tmp_path, results) -> None:
    images, labels = make_tumor()
    (tmp_path / "cohort" / "p1").mkdir(parents=True)
    for name, image in {**images, "reference": labels}.items():
        sitk.WriteImage(image, str(tmp_path / "cohort" / "p1" / f"{name}.nii.gz"))
    row = rows(batch(tmp_path / "cohort", results, model="toy-tumor", ending="nii.gz").table)["p1"]
    volumes = [title for title in row if title.endswith("_volume_ml") and "reference" not in title]
    assert volumes == [f"{name}_volume_ml" for name in ("core", "edema", "enhancing_tumor", "wt", "tc", "et")]
    assert float(row["wt_dice"]) > 0.9 and row["output"] == "p1.nii.gz" and "lesion_count" not in row


def test_a_second_run_does_only_what_is_missing(engine, cohort, results) -> None:
    batch(cohort, results)
    before, calls = rows(results / "volumes.csv"), engine.calls
    again = batch(cohort, results)
    assert statuses(again) == {"a": "skipped", "b": "failed", "c": "skipped"} and engine.calls == calls
    assert again.outcomes[0].volumes_ml == {"WMH": float(before["a"]["wmh_volume_ml"])}
    assert {name: row for name, row in rows(again.table).items() if name != "b"} == {
        name: row for name, row in before.items() if name != "b"
    }
    sitk.WriteImage(make_head(**SMALL), str(cohort / "b" / "flair.nii.gz"))
    (results / "c.seg.nrrd").unlink()
    assert statuses(batch(cohort, results)) == {"a": "skipped", "b": "done", "c": "done"}
    assert statuses(batch(cohort, results, overwrite=True)) == dict.fromkeys("abc", "done")


def test_another_model_input_or_wish_for_a_report_does_a_case_again(engine, cohort, results, monkeypatch) -> None:
    batch(cohort, results)
    os.utime(cohort / "a" / "flair.nii.gz", (1, 1))
    assert statuses(batch(cohort, results)) == {"a": "done", "b": "failed", "c": "skipped"}
    assert statuses(batch(cohort, results, report=True))["c"] == "done"
    assert names(results) == ["a.html", "a.seg.nrrd", "c.html", "c.seg.nrrd", "volumes.csv"]
    newer = make_bundle("toy", hashes={"model.xml": "1" * 64}, version="0.0.2")
    segmenter = Segmenter(newer)
    cases = find_cases(cohort, segmenter.inputs).cases
    done = run_batch(segmenter, cases, BatchOutputs(folder=results))
    assert statuses(done) == {"a": "done", "b": "failed", "c": "done"}
    assert rows(done.table)["c"]["model"] == "toy 0.0.2"


def test_rows_of_cases_that_are_gone_are_kept(engine, cohort, results) -> None:
    batch(cohort, results)
    (cohort / "a").rename(cohort / "z")
    assert list(rows(batch(cohort, results).table)) == ["b", "c", "z", "a"]


def test_the_table_is_whole_after_each_case(engine, cohort, results) -> None:
    seen: list[Rows] = []

    def look(outcome: CaseOutcome) -> None:
        if outcome.status != "running":
            seen.append(rows(results / "volumes.csv"))

    batch(cohort, results, on_case=look)
    assert [list(table) for table in seen] == [["a"], ["a", "b"], ["a", "b", "c"]]


def test_cases_are_told_when_they_start_and_end_and_progress_never_falls(engine, cohort, results) -> None:
    told: list[tuple[int, str, str]] = []
    progress: list[float] = []
    batch(
        cohort,
        results,
        on_case=lambda one: told.append((one.index, one.name, one.status)),
        progress=lambda fraction, message: progress.append(fraction),
    )
    assert told[:4] == [(0, "a", "running"), (0, "a", "done"), (1, "b", "running"), (1, "b", "failed")]
    assert progress == sorted(progress) and progress[-1] == 1


def test_cancel_keeps_what_is_done_and_whole_files_only(engine, cohort, results) -> None:
    done: list[str] = []

    def note(outcome: CaseOutcome) -> None:
        done.append(outcome.name)

    with pytest.raises(CancelledError, match="after 1 of 3 cases; what is done is kept"):
        batch(cohort, results, on_case=note, cancel=lambda: "c" in done)
    assert names(results) == ["a.seg.nrrd", "volumes.csv"]
    assert statuses(batch(cohort, results)) == {"a": "skipped", "b": "failed", "c": "done"}


def test_an_interrupt_while_a_case_runs_leaves_whole_files_only(engine, cohort, results, monkeypatch) -> None:
    def interrupt(self: LesionEngine, batch: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(LesionEngine, "predict", interrupt)
    with pytest.raises(CancelledError, match="after 0 of 3"):
        batch(cohort, results)
    assert names(results) == ["volumes.csv"]


def test_a_kill_between_files_and_row_is_no_obstacle_to_the_next_run(engine, cohort, results, monkeypatch) -> None:
    class Killed(BaseException):
        pass

    def die(self: VolumesTable, row: dict[str, Any]) -> None:
        if row["status"] == "done":
            raise Killed
        put(self, row)

    put = VolumesTable.put
    monkeypatch.setattr(VolumesTable, "put", die)
    with pytest.raises(Killed):
        batch(cohort, results)
    monkeypatch.setattr(VolumesTable, "put", put)
    assert "was ended" in rows(results / "volumes.csv")["a"]["error"] and (results / "a.seg.nrrd").exists()
    (results / ".lightseg-99-a.seg.nrrd").touch()
    assert statuses(batch(cohort, results))["a"] == "done"
    assert names(results) == ["a.seg.nrrd", "c.seg.nrrd", "volumes.csv"]


def test_shares_have_tables_of_their_own_that_a_run_without_share_joins(engine, cohort, results) -> None:
    assert statuses(batch(cohort, results, part=Part(1, 2))) == {"a": "done", "c": "done"}
    assert statuses(batch(cohort, results, part=Part(2, 2))) == {"b": "failed"}
    tables = ["volumes.part-1-of-2.csv", "volumes.part-2-of-2.csv"]
    assert names(results) == ["a.seg.nrrd", "c.seg.nrrd", *tables]
    headers = {(results / table).read_text().splitlines()[0] for table in tables}
    assert len(headers) == 1  # one below the other, they are one table
    calls = engine.calls
    joined = batch(cohort, results)
    assert statuses(joined) == {"a": "skipped", "b": "failed", "c": "skipped"} and engine.calls == calls
    assert rows(joined.table)["a"] == rows(results / tables[0])["a"] and list(rows(joined.table)) == ["a", "b", "c"]


@pytest.mark.parametrize(("number", "count"), [(0, 2), (3, 2), (1, 0)])
def test_a_share_that_does_not_exist_is_refused(number: int, count: int) -> None:
    with pytest.raises(ValueError, match="expected a number from 1"):
        Part(number, count)


def test_no_input_is_overwritten_by_the_result_of_any_case(engine, tmp_path) -> None:
    head = tmp_path / "b.nii.gz"
    sitk.WriteImage(make_head(**SMALL), str(head))
    content = head.read_bytes()
    cases = [Case(name="a", inputs={"FLAIR": head}), Case(name="b", inputs={"FLAIR": head})]
    for link in (False, True):
        folder = tmp_path
        if link:
            folder = tmp_path / "linked"
            folder.mkdir()
            (folder / "b.nii.gz").hardlink_to(head)
        with pytest.raises(OutputError, match=r"b\.nii\.gz is an input"):
            run_batch(Segmenter("toy"), cases, BatchOutputs(folder=folder, ending="nii.gz"))
    assert head.read_bytes() == content


def test_files_that_no_table_tells_of_are_not_replaced_unless_asked_for(engine, cohort, results) -> None:
    results.mkdir()
    (results / "a.seg.nrrd").write_text("mine")
    for status_of_c in ("done", "skipped"):
        done = batch(cohort, results)
        assert statuses(done) == {"a": "failed", "b": "failed", "c": status_of_c}
        assert "no table here tells of it" in rows(done.table)["a"]["error"]
    assert (results / "a.seg.nrrd").read_text() == "mine"
    assert statuses(batch(cohort, results, overwrite=True))["a"] == "done"


def test_a_segmentation_that_was_corrected_by_hand_is_not_replaced_unless_asked_for(engine, cohort, results) -> None:
    batch(cohort, results)
    later = (results / "c.seg.nrrd").stat().st_mtime + 3600
    os.utime(results / "c.seg.nrrd", (later, later))
    assert statuses(batch(cohort, results))["c"] == "skipped"
    for _ in range(2):
        done = batch(cohort, results, report=True)
        assert statuses(done)["a"] in ("done", "skipped") and statuses(done)["c"] == "failed"
        assert "c.seg.nrrd was changed after it was written" in done.outcomes[2].message
        assert rows(done.table)["c"]["status"] == "done"  # with its numbers
    assert statuses(batch(cohort, results, report=True, overwrite=True))["c"] == "done"


def test_a_table_of_something_else_is_not_replaced(engine, cohort, results) -> None:
    results.mkdir()
    (results / "volumes.csv").write_text("patient,age\n1,80\n")
    with pytest.raises(OutputError, match="is no table of lightseg batch"):
        batch(cohort, results)
    assert names(results) == ["volumes.csv"]


def test_a_table_that_is_open_elsewhere_delays_no_case(engine, cohort, results, monkeypatch) -> None:
    write = VolumesTable.write

    def refuse(self: VolumesTable) -> None:
        if names(results) == ["a.seg.nrrd", "volumes.csv"]:
            raise OutputError("volumes.csv is open in a spreadsheet program.")
        write(self)

    monkeypatch.setattr(VolumesTable, "write", refuse)
    done = batch(cohort, results)
    assert statuses(done) == {"a": "done", "b": "failed", "c": "done"}
    assert list(rows(done.table)) == ["a", "b", "c"]


def test_a_model_that_cannot_run_here_ends_the_run_before_the_first_case(engine, cohort, results, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise EngineError("PyTorch sees no cuda device here.")

    monkeypatch.setattr("LightSegLib.segmenter.create_engine", refuse)
    with pytest.raises(EngineError, match="no cuda device"):
        batch(cohort, results)
    assert rows(results / "volumes.csv") == {}


def test_an_unexpected_error_is_one_cases_too(engine, cohort, results, monkeypatch) -> None:
    monkeypatch.setattr(LesionEngine, "predict", lambda self, batch: 1 / 0)
    done = batch(cohort, results)
    assert set(statuses(done).values()) == {"failed"}
    assert rows(done.table)["c"]["error"] == "unexpected ZeroDivisionError: division by zero"


def test_the_worker_tells_of_each_case(engine, cohort, results, tmp_path) -> None:
    job = BatchJob(models=["toy"], sources=[str(cohort)], output=str(results), ending="nrrd", part=(1, 1))
    write_job(job, tmp_path / "job.json")
    stream = io.StringIO()
    read = read_job(tmp_path / "job.json")
    assert isinstance(read, BatchJob)
    run_batch_job(read, Messages(stream))
    messages = [json.loads(line.removeprefix(MESSAGE_PREFIX)) for line in stream.getvalue().splitlines()]
    cases = [one for one in messages if one["type"] == "case"]
    assert [(one["index"], one["name"], one["status"]) for one in cases if one["status"] != "running"] == [
        (0, "a", "done"),
        (1, "b", "failed"),
        (2, "c", "done"),
    ]
    assert cases[1]["volumes_ml"]["WMH"] > 0 and cases[1]["output"] == str(results / "a.nrrd")
    assert "is truncated" in cases[3]["message"]
    assert messages[-1]["result"] == {"done": 2, "failed": 1, "skipped": 0}
    assert messages[-1]["outputs"] == {"table": str(results / "volumes.part-1-of-1.csv")}
