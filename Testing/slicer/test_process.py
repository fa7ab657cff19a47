"""The worker process: its messages, its end by cancel, by a crash, and with the process that started it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import SimpleITK as sitk
import slicer
from conftest import head_arrays, head_matrix

from LightSegLib.errors import CancelledError, EngineError, InputError, OutputError
from LightSegLib.job import MESSAGE_PREFIX, MeasureJob, SegmentJob, read_job, write_job
from LightSegLib.slicer_bridge import process, scene_files
from LightSegLib.slicer_bridge.process import WorkerProcess, parse_line
from LightSegLib.slicer_bridge.process_tree import descendants, kill_tree
from LightSegLib.slicer_bridge.volumes import world_volume

FLAIR = slicer.vtkMRMLScalarVolumeNode
REPOSITORY = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are listed by POSIX means here")

SLEEPER = "import time; time.sleep(60)"
# Starts a process that starts another, as a launcher does, and says their ids.
FAMILY = f"""
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", {SLEEPER!r}])
print(child.pid, flush=True)
time.sleep(60)
"""


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until(condition: Callable[[], bool], *, seconds: float = 15) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it never became true"
        time.sleep(0.02)


def wait_for_reader(pipe: Path, *, seconds: float = 60) -> int:
    """Wait until a process opens a named pipe for reading; it waits for content until the returned file is closed."""
    end = time.monotonic() + seconds
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError:
            assert time.monotonic() < end, f"nobody reads {pipe}"
            time.sleep(0.02)


@pytest.fixture
def job(bundle: Path, flair: FLAIR, tmp_path: Path) -> Path:
    """The file of a job that succeeds, with its own folder for outputs."""
    (tmp_path / "out").mkdir()
    sitk.WriteImage(world_volume(flair).image, str(tmp_path / "flair.nrrd"))
    path = tmp_path / "job.json"
    inputs = {"FLAIR": str(tmp_path / "flair.nrrd")}
    output = str(tmp_path / "out" / "seg.seg.nrrd")
    write_job(SegmentJob(models=[str(bundle)], inputs=inputs, output=output), path)
    return path


def run_worker(job_file: Path) -> tuple[int, list[dict[str, Any]]]:
    command = [sys.executable, "-m", "LightSegLib.worker", str(job_file)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=REPOSITORY)
    return done.returncode, [as_message(line) for line in done.stdout.splitlines()]


def as_message(line: str) -> dict[str, Any]:
    assert line.startswith(MESSAGE_PREFIX) and line.isascii()
    return json.loads(line.removeprefix(MESSAGE_PREFIX))


def test_every_line_is_a_message_and_the_last_is_the_result(job: Path) -> None:
    code, messages = run_worker(job)
    assert code == 0
    fractions = [message["fraction"] for message in messages if message["type"] == "progress"]
    assert fractions == sorted(fractions) and fractions[-1] == 1
    assert [message["type"] for message in messages].count("result") == 1
    assert messages[-1]["result"]["lesion_count"] == 3
    assert Path(messages[-1]["outputs"]["segmentation"]).is_file()
    assert [path.name for path in (job.parent / "out").iterdir()] == ["seg.seg.nrrd"]


def test_a_corrected_segmentation_is_measured_and_reported(job: Path, bundle: Path, tmp_path: Path) -> None:
    made = run_worker(job)[1][-1]
    written = Path(made["outputs"]["segmentation"])
    labels = sitk.ReadImage(str(written))
    labels[:, :, : labels.GetSize()[2] // 2] = 0  # a lesion lies in the lower half
    sitk.WriteImage(labels, str(tmp_path / "corrected.nrrd"))
    reports = {}
    for name, segmentation in {"as made": written, "corrected": tmp_path / "corrected.nrrd"}.items():
        report = tmp_path / f"{name}.html"
        measure = MeasureJob(
            models=[str(bundle)],
            inputs=dict(read_job(job).inputs),
            segmentation=str(segmentation),
            provenance=made["result"]["provenance"],
            report=str(report),
            names={"FLAIR": "Case 7"},
        )
        write_job(measure, tmp_path / "measure.json")
        code, messages = run_worker(tmp_path / "measure.json")
        assert code == 0 and messages[-1]["outputs"] == {"report": str(report)}
        reports[name] = messages[-1]["result"]
        page = report.read_text(encoding="utf-8")
        assert "Case 7" in page and str(tmp_path) not in page
    assert reports["as made"]["volumes_ml"] == made["result"]["volumes_ml"]
    assert reports["as made"]["provenance"]["measured_again"]["corrected"] is False
    assert reports["corrected"]["provenance"]["measured_again"]["corrected"] is True
    assert reports["corrected"]["lesion_count"] < made["result"]["lesion_count"] == 3
    assert reports["corrected"]["provenance"]["engine"]["name"] == "openvino"


def test_a_measure_job_without_a_usable_segmentation_is_an_error_line(job: Path, bundle: Path, tmp_path: Path) -> None:
    flair = str(tmp_path / "flair.nrrd")
    report = tmp_path / "out" / "report.html"
    missing = str(tmp_path / "none.nrrd")
    asked = MeasureJob(models=[str(bundle)], inputs={"FLAIR": flair}, segmentation=missing, report=str(report))
    write_job(asked, tmp_path / "measure.json")
    code, messages = run_worker(tmp_path / "measure.json")
    assert code == 2 and messages[-1]["type"] == "error" and missing in messages[-1]["message"]
    assert not report.exists()


def test_a_bad_input_is_one_error_line_and_no_file(job: Path) -> None:
    flair = job.parent / "flair.nrrd"
    flair.write_bytes(flair.read_bytes()[:2000])
    code, messages = run_worker(job)
    assert code == 2
    assert messages[-1]["type"] == "error" and messages[-1]["error"] == "InputError"
    assert str(flair) in messages[-1]["message"] and "\n" not in messages[-1]["message"]
    assert not list((job.parent / "out").iterdir())


@pytest.mark.parametrize("content", ["no json", "[]", '{"models": ["wmh-acu"]}', '{"unknown": 1}'])
def test_a_bad_job_is_an_error_line(tmp_path: Path, content: str) -> None:
    path = tmp_path / "job.json"
    path.write_text(content)
    code, messages = run_worker(path)
    assert code == 2
    assert messages == [{"type": "error", "error": "InputError", "message": messages[0]["message"]}]
    assert "is no job for the LightSeg worker" in messages[0]["message"]


def test_terminating_the_worker_leaves_no_file(job: Path) -> None:
    worker = subprocess.Popen(
        [sys.executable, "-m", "LightSegLib.worker", str(job)],
        stdout=subprocess.PIPE,
        text=True,
        cwd=REPOSITORY,
    )
    assert worker.stdout is not None
    worker.stdout.readline()  # it has begun
    worker.send_signal(signal.SIGTERM)
    last = as_message(worker.stdout.read().splitlines()[-1])
    assert worker.wait() in (130, 0)
    if last["type"] != "result":  # it may have been faster than the signal
        assert last["error"] == "CancelledError"
        assert not list((job.parent / "out").iterdir())


@pytest.mark.parametrize("early", [False, True], ids=["while the worker works", "while the worker starts"])
def test_the_worker_ends_with_the_process_that_started_it(tmp_path: Path, early: bool) -> None:
    """The worker reads its job from a named pipe to which nobody writes; its parent is killed."""
    stuck = tmp_path / "stuck.json"
    os.mkfifo(stuck)
    code = (
        "import os, subprocess, sys, time\n"
        f"command = [sys.executable, '-m', 'LightSegLib.worker', {str(stuck)!r}, str(os.getpid())]\n"
        "print(subprocess.Popen(command).pid, flush=True)\n"
        "time.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=REPOSITORY)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    writer = None if early else wait_for_reader(stuck)
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    wait_until(lambda: not is_alive(pid), seconds=60)
    if writer is not None:
        os.close(writer)


def test_killing_a_tree_reaches_the_grandchildren() -> None:
    launcher = subprocess.Popen([sys.executable, "-c", FAMILY], stdout=subprocess.PIPE, text=True)
    assert launcher.stdout is not None
    grandchild = int(launcher.stdout.readline())
    assert grandchild in descendants(launcher.pid)
    kill_tree(launcher)
    wait_until(lambda: not is_alive(grandchild))
    assert launcher.returncode == -signal.SIGKILL
    kill_tree(launcher)  # once more does no harm


def started(run: Any) -> int:
    """The process id of a run's worker, as soon as it has one."""
    wait_until(lambda: run._worker.process_id is not None)
    return run._worker.process_id


def test_cancel_before_the_worker_has_started_starts_none(tmp_path: Path) -> None:
    may_go_on = threading.Event()
    worker = WorkerProcess(tmp_path / "job.json", before=lambda: may_go_on.wait(30) and None)
    threading.Timer(0.2, may_go_on.set).start()
    worker.kill()
    assert worker.process_id is None and worker.messages() == [{"type": "end", "code": 1}]


def test_a_full_disk_ends_the_run_with_its_reason(
    logic: Any, bundle: Path, flair: FLAIR, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: Any, **options: Any) -> None:
        raise RuntimeError("No space left on device")

    monkeypatch.setattr(scene_files.sitk, "WriteImage", fail)
    with pytest.raises(OutputError, match="cannot be written to: free space on it"):
        logic.segment(model=bundle, volumes={"FLAIR": flair})


def test_cancel_kills_the_worker_and_removes_its_files(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    nodes = scene.GetNumberOfNodes()
    run = logic.start_segment(model=bundle, volumes={"FLAIR": flair})
    pid, folder = started(run), run._task.folder
    assert is_alive(pid) and folder.is_dir()
    run.cancel()
    assert not is_alive(pid) and not folder.exists()
    with pytest.raises(CancelledError, match="Cancelled; nothing was changed"):
        run.result()
    assert scene.GetNumberOfNodes() == nodes
    run.cancel()  # once more does no harm


def test_options_reach_the_worker_and_those_that_do_not_fit_never_start_it(
    logic: Any, bundle: Path, scene: slicer.vtkMRMLScene, flair: FLAIR
) -> None:
    shipped = logic.segment(model=bundle, volumes={"FLAIR": flair})
    strict = logic.segment(
        model=bundle, volumes={"FLAIR": flair}, threshold=0.3, min_lesion_ml=0.4, precision="fp32", threads=1
    )
    assert strict.lesion_count < shipped.lesion_count
    assert "threshold 0.3 instead of 0.5, smallest lesion 0.4 ml" in " ".join(strict.provenance["notes"])
    assert strict.provenance["precision"] == {"name": "fp32", "reason": "asked for"}
    nodes = scene.GetNumberOfNodes()
    with pytest.raises(InputError, match="'none' does not fit model toy-wmh: choose shipped"):
        logic.start_segment(model=bundle, volumes={"FLAIR": flair}, postprocessing="none")
    assert scene.GetNumberOfNodes() == nodes


def test_start_returns_at_once(logic: Any, bundle: Path, flair: FLAIR) -> None:
    begin = time.monotonic()
    run = logic.start_segment(model=bundle, volumes={"FLAIR": flair})
    assert time.monotonic() - begin < 1
    assert not run.is_done
    assert run.wait().lesion_count == 3
    assert not run._task.folder.exists()


def test_a_worker_that_dies_is_reported(logic: Any, bundle: Path, flair: FLAIR) -> None:
    run = logic.start_segment(model=bundle, volumes={"FLAIR": flair})
    os.kill(started(run), signal.SIGKILL)  # as the system does when memory runs out
    with pytest.raises(EngineError, match=r"The worker process ended unexpectedly \(exit code -9; last line"):
        run.wait()


def test_a_python_that_cannot_start_the_worker_is_reported(
    logic: Any, bundle: Path, flair: FLAIR, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "WORKER", "LightSegLib.no_such_module")
    with pytest.raises(EngineError, match="No module named LightSegLib.no_such_module"):
        logic.segment(model=bundle, volumes={"FLAIR": flair})


def test_the_worker_finds_the_library_from_any_folder(
    job: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    worker = WorkerProcess(job)
    messages: list[dict[str, Any]] = []

    def has_ended() -> bool:
        messages.extend(worker.messages())
        return bool(messages) and messages[-1]["type"] == "end"

    wait_until(has_ended, seconds=60)
    assert messages[-1]["code"] == 0 and messages[-2]["type"] == "result"


def test_node_names_in_any_script_arrive_whole(logic: Any, bundle: Path, scene: slicer.vtkMRMLScene) -> None:
    flair = slicer.util.addVolumeFromArray(head_arrays()[0], ijkToRAS=head_matrix(), name='Müller "張" FLAIR')
    result = logic.segment(model=bundle, volumes={"FLAIR": flair})
    assert result.provenance["inputs"]["FLAIR"]["name"] == 'Müller "張" FLAIR'


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            '@LightSeg {"type": "progress", "fraction": 0.5, "message": "x"}',
            {"type": "progress", "fraction": 0.5, "message": "x"},
        ),
        ('a warning without end@LightSeg {"type": "log", "message": "y"}', {"type": "log", "message": "y"}),
        ("a warning", {"type": "log", "message": "a warning"}),
        ('@LightSeg {"type": broken', {"type": "log", "message": '@LightSeg {"type": broken'}),
        ("", {"type": "log", "message": ""}),
    ],
)
def test_lines_are_messages_or_log(line: str, message: dict[str, Any]) -> None:
    assert parse_line(line) == message
