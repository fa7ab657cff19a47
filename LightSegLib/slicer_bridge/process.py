"""The worker process as seen from the application: started, listened to, ended."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import LightSegLib
from LightSegLib.errors import EngineError, LightSegError
from LightSegLib.job import MESSAGE_PREFIX
from LightSegLib.slicer_bridge.events import application
from LightSegLib.slicer_bridge.process_tree import kill_tree

__all__ = ["WorkerProcess", "launch", "python_executable"]

WORKER = "LightSegLib.worker"
EXIT_FAILED = 1


class WorkerProcess:
    """A running worker. A thread starts it and reads its output; `messages` hands that over without waiting.

    `before` is called in that thread before the process is started, for files that take a while to write.
    Raises EngineError if the application's Python is not found.
    """

    def __init__(self, job_file: Path, *, before: Callable[[], None] = lambda: None) -> None:
        self._command = [python_executable(), "-m", WORKER, str(job_file), str(os.getpid())]
        self._before = before
        self._process: subprocess.Popen[str] | None = None
        self._is_killed = False
        self._lock = threading.Lock()
        self._messages: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, daemon=True, name="LightSeg worker output")
        self._thread.start()

    @property
    def process_id(self) -> int | None:
        """The process id of the worker, or of the launcher around it; None before it was started."""
        return None if self._process is None else self._process.pid

    def messages(self) -> list[dict[str, Any]]:
        """Return what has arrived since the last call; the last of all is {"type": "end", "code": exit code}."""
        arrived = []
        while True:
            try:
                arrived.append(self._messages.get_nowait())
            except queue.Empty:
                return arrived

    def kill(self) -> None:
        """Kill the worker with all its processes and wait until they are gone; one not yet started never is."""
        with self._lock:
            self._is_killed = True
        if self._process is not None:
            kill_tree(self._process)
        self._thread.join(timeout=5)

    def _run(self) -> None:
        code = EXIT_FAILED
        try:
            self._before()
            with self._lock:
                if self._is_killed:
                    return
                self._process = launch(self._command)
            # The bytes below the text layer: that decodes with the locale, and stops at a character it does not know.
            text: Any = self._process.stdout
            for line in iter(text.buffer.readline, b""):
                self._messages.put(parse_line(line.decode("utf-8", errors="replace").rstrip()))
            code = self._process.wait()
        except Exception as error:  # of this thread nobody else would hear
            kind = type(error).__name__ if isinstance(error, LightSegError) else "LightSegError"
            self._messages.put({"type": "error", "error": kind, "message": " ".join(str(error).split())})
        finally:
            self._messages.put({"type": "end", "code": code})


def parse_line(line: str) -> dict[str, Any]:
    """Return the message on a line of the worker's output; any other text becomes a log message.

    A library's warning without a line end may stand before a message, as stdout and stderr arrive together.
    """
    before, prefix, message = line.partition(MESSAGE_PREFIX)
    if prefix:
        try:
            return dict(json.loads(message))
        except ValueError:
            pass
    return {"type": "log", "message": line}


def python_executable() -> str:
    """Return the Python that has LightSeg's dependencies: PythonSlicer inside the application, else this one.

    Errors: EngineError if the application's Python is not found.
    """
    if application() is None:
        return sys.executable
    found = shutil.which("PythonSlicer")
    if found is None:
        raise EngineError("PythonSlicer was not found on PATH: start Slicer by its launcher or reinstall it")
    return found


def launch(command: list[str]) -> "subprocess.Popen[str]":
    """Start a process with stdout and stderr in one pipe, by Slicer's own function inside the application."""
    root = str(Path(LightSegLib.__file__).resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    variables = {"PYTHONPATH": path, "PYTHONUNBUFFERED": "1"}
    if application() is not None:
        import slicer.util

        process: subprocess.Popen[str] = slicer.util.launchConsoleProcess(
            command, useStartupEnvironment=False, updateEnvironment=variables
        )
        return process
    environment: Mapping[str, str] = {**os.environ, **variables}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
