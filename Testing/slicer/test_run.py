"""The handle of a run, with a worker and a task that the test plays itself."""

from typing import Any

import pytest

from LightSegLib.errors import CancelledError, EngineError, InputError
from LightSegLib.slicer_bridge.run import WorkerRun


class PlayedWorker:
    """Sends what the test says."""

    def __init__(self) -> None:
        self.outbox: list[dict[str, Any]] = []
        self.killed = False

    def messages(self) -> list[dict[str, Any]]:
        sent, self.outbox = self.outbox, []
        return sent

    def kill(self) -> None:
        self.killed = True


class PlayedTask:
    """Finishes with its input, unless told to fail."""

    def __init__(self) -> None:
        self.cleaned = 0
        self.failure: Exception | None = None

    def finish(self, result: dict[str, Any]) -> Any:
        if self.failure is not None:
            raise self.failure
        return result

    def in_words(self, text: str) -> str:
        return text.replace("/tmp/x", "the volume")

    def clean(self) -> None:
        self.cleaned += 1


@pytest.fixture
def worker() -> PlayedWorker:
    return PlayedWorker()


@pytest.fixture
def task() -> PlayedTask:
    return PlayedTask()


@pytest.fixture
def run(worker: PlayedWorker, task: PlayedTask) -> WorkerRun:
    return WorkerRun(worker, task)


END = {"type": "end", "code": 0}


def test_progress_and_log_are_told_and_kept(run: WorkerRun, worker: PlayedWorker) -> None:
    told: list[Any] = []
    run.on_progress(lambda fraction, message: told.append((fraction, message)))
    run.on_log(told.append)
    worker.outbox = [
        {"type": "progress", "fraction": 0.25, "message": "Reading"},
        {"type": "log", "message": "/tmp/x is large"},
    ]
    run.poll()
    assert told == [(0.25, "Reading"), "the volume is large"]
    assert (run.progress, run.message, run.log) == (0.25, "Reading", ["the volume is large"])


def test_the_result_comes_when_the_process_has_ended(run: WorkerRun, worker: PlayedWorker, task: PlayedTask) -> None:
    done: list[WorkerRun] = []
    run.on_done(done.append)
    worker.outbox = [{"type": "result", "result": {}}]
    run.poll()
    assert not run.is_done and not done
    with pytest.raises(EngineError, match="is not finished"):
        run.result()
    worker.outbox = [END]
    run.poll()
    assert run.is_done and done == [run] and run.error is None
    assert run.result() == {"type": "result", "result": {}}
    assert task.cleaned == 1


def test_a_late_listener_is_called_at_once(run: WorkerRun) -> None:
    run.cancel()
    done: list[WorkerRun] = []
    run.on_done(done.append)
    assert done == [run]


def test_an_error_keeps_its_class_and_names_nodes(run: WorkerRun, worker: PlayedWorker) -> None:
    worker.outbox = [{"type": "error", "error": "InputError", "message": "/tmp/x is empty"}, {**END, "code": 2}]
    with pytest.raises(InputError, match="^the volume is empty$"):
        run.wait()


def test_a_failure_to_show_the_result_reaches_the_caller(
    run: WorkerRun, worker: PlayedWorker, task: PlayedTask
) -> None:
    task.failure = ValueError("no room in the scene")
    worker.outbox = [{"type": "result"}, END]
    with pytest.raises(ValueError, match="no room in the scene"):
        run.wait()
    assert task.cleaned == 1


def test_cancel_ends_once(run: WorkerRun, worker: PlayedWorker, task: PlayedTask) -> None:
    done: list[WorkerRun] = []
    run.on_done(done.append)
    run.cancel()
    run.cancel()
    worker.outbox = [{"type": "result"}, END]
    run.poll()
    assert worker.killed and done == [run] and task.cleaned == 1
    assert isinstance(run.error, CancelledError)


def test_a_callback_may_cancel(run: WorkerRun, worker: PlayedWorker) -> None:
    run.on_progress(lambda fraction, message: run.cancel())
    worker.outbox = [{"type": "progress", "fraction": 0.1, "message": "a"}, {"type": "result"}, END]
    run.poll()
    assert isinstance(run.error, CancelledError)


def test_polling_within_a_callback_does_not_disorder_messages(run: WorkerRun, worker: PlayedWorker) -> None:
    seen: list[float] = []

    def tell_and_poll(fraction: float, message: str) -> None:
        seen.append(fraction)
        worker.outbox = [progress(9)]
        run.poll()

    def progress(fraction: float) -> dict[str, Any]:
        return {"type": "progress", "fraction": fraction, "message": ""}

    run.on_progress(tell_and_poll)
    worker.outbox = [progress(1), progress(2)]
    run.poll()
    assert seen == [1, 2]
    run.poll()
    assert seen == [1, 2, 9]


def test_a_silent_end_is_an_error_with_the_last_line(run: WorkerRun, worker: PlayedWorker) -> None:
    worker.outbox = [{"type": "log", "message": "Killed"}, {"type": "end", "code": -9}]
    with pytest.raises(EngineError, match=r"exit code -9; last line: Killed"):
        run.wait()
