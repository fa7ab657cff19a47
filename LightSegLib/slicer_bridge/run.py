"""A segmentation under way: progress, cancel, and what to do at its end."""

import time
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

from LightSegLib import errors
from LightSegLib.errors import CancelledError, EngineError, LightSegError
from LightSegLib.slicer_bridge.events import Ticker, process_events

__all__ = ["SegmentRun", "Task", "Worker"]

WAIT_S = 0.02
Result = TypeVar("Result")
Given = TypeVar("Given", covariant=True)


class Worker(Protocol):
    """What a run needs of the worker process."""

    def messages(self) -> list[dict[str, Any]]:
        """Return what has arrived since the last call."""

    def kill(self) -> None:
        """End the process with everything that it started."""


class Task(Protocol[Given]):
    """What a run needs to know of its job."""

    def finish(self, result: dict[str, Any]) -> Given:
        """Turn the worker's result into what the caller gets."""

    def in_words(self, text: str) -> str:
        """Name nodes instead of temporary files in a text."""

    def clean(self) -> None:
        """Remove the job's temporary files."""


class SegmentRun(Generic[Result]):
    """Handle of a job that runs in another process; its result is what the job's task makes of the worker's.

    Inside the application it advances by itself; elsewhere `poll` or `wait` advance it. Callbacks are called from
    there, in the thread that made the handle.
    """

    _running: set["SegmentRun[Any]"] = set()

    def __init__(self, worker: Worker, task: Task[Result]) -> None:
        self.progress = 0.0
        self.message = "Starting"
        self.log: list[str] = []
        self._worker, self._task = worker, task
        self._outcome: dict[str, Any] | None = None
        self._result: Result | None = None
        self._error: Exception | None = None
        self._is_done = self._is_polling = False
        self._progress_callbacks: list[Callable[[float, str], None]] = []
        self._log_callbacks: list[Callable[[str], None]] = []
        self._done_callbacks: list[Callable[[SegmentRun[Result]], None]] = []
        self._ticker = Ticker(self.poll)
        # The caller need not keep the handle.
        self._running.add(self)

    @property
    def is_done(self) -> bool:
        """Whether the run has ended, with a result, an error or by being cancelled."""
        return self._is_done

    @property
    def error(self) -> Exception | None:
        """Why the run ended without a result; None while it runs and after success."""
        return self._error

    def on_progress(self, callback: Callable[[float, str], None]) -> None:
        """Have `callback(fraction, message)` called at each step; fraction is 0..1 and never falls."""
        self._progress_callbacks.append(callback)

    def on_log(self, callback: Callable[[str], None]) -> None:
        """Have `callback(line)` called for each line that the worker logs."""
        self._log_callbacks.append(callback)

    def on_done(self, callback: "Callable[[SegmentRun[Result]], None]") -> None:
        """Have `callback(run)` called once at the end, at once if that has passed; then `result()` gives or raises."""
        if self._is_done:
            callback(self)
        else:
            self._done_callbacks.append(callback)

    def result(self) -> Result:
        """Return the result of a finished run; raises the run's error, EngineError if it is not finished."""
        if self._error is not None:
            raise self._error
        if self._result is None:
            raise EngineError("The segmentation is not finished: wait() for it, or use on_done()")
        return self._result

    def wait(self) -> Result:
        """Block until the run ends while the application's events are processed; return or raise like `result`."""
        while not self._is_done:
            self.poll()
            process_events()
            time.sleep(WAIT_S)
        return self.result()

    def cancel(self) -> None:
        """Kill the worker; nodes stay as they were and no file is left. Does nothing once the run has ended."""
        if not self._is_done:
            self._worker.kill()
            self._end(error=CancelledError("Cancelled; nothing was changed."))

    def poll(self) -> None:
        """Take what the worker has sent and call the callbacks; called by a timer inside the application."""
        if self._is_done or self._is_polling:
            return
        self._is_polling = True
        try:
            for message in self._worker.messages():
                if not self._is_done:  # a callback may have cancelled
                    self._take(message)
        finally:
            self._is_polling = False

    def _take(self, message: dict[str, Any]) -> None:
        kind = message["type"]
        if kind == "progress":
            self.progress, self.message = message["fraction"], message["message"]
            for tell_progress in self._progress_callbacks:
                tell_progress(self.progress, self.message)
        elif kind == "log":
            line = self._task.in_words(message["message"])
            self.log.append(line)
            for tell_line in self._log_callbacks:
                tell_line(line)
        elif kind == "end":
            self._conclude(message["code"])
        else:
            self._outcome = message

    def _conclude(self, code: int) -> None:
        outcome = self._outcome
        if outcome is None:
            last = next((line for line in reversed(self.log) if line.strip()), "it said nothing")
            self._end(
                error=EngineError(
                    f"The worker process ended unexpectedly (exit code {code}; last line: {last}): "
                    "try again with more free memory, and report this if it persists"
                )
            )
        elif outcome["type"] == "error":
            kind = getattr(errors, outcome["error"], LightSegError)
            self._end(error=kind(self._task.in_words(outcome["message"])))
        else:
            try:
                result = self._task.finish(outcome)
            except Exception as error:  # handed to whoever waits for the result
                self._end(error=error)
            else:
                self._end(result=result)

    def _end(self, *, result: Result | None = None, error: Exception | None = None) -> None:
        self._result, self._error, self._is_done = result, error, True
        self._ticker.stop()
        self._running.discard(self)
        self._task.clean()
        for callback in self._done_callbacks:
            callback(self)
