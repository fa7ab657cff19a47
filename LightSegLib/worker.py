"""The worker process: one segmentation described by a JSON file, told about in JSON lines on stdout.

`python -m LightSegLib.worker JOB.json [STARTER]`; the file's form is `LightSegLib.job.Job`, STARTER the id of the
process whose end also ends this one. Each line is one JSON object in ASCII with a "type":

    {"type": "progress", "fraction": 0..1, "message": text}
    {"type": "log", "message": text}
    {"type": "result", "result": what Result.to_json gives, "outputs": {"segmentation": file, ...}}
    {"type": "error", "error": name of the error's class, "message": one line}

Exactly one result or error ends the run. Output files appear together just before the result, or not at all. The
exit codes are those of the command line: 0 done, 1 unexpected error, 2 unusable input, 130 cancelled.
"""

import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import SimpleITK as sitk

from LightSegLib.errors import CancelledError, InputError, LightSegError
from LightSegLib.job import Job
from LightSegLib.outputs import OutputSet, check_volume_path
from LightSegLib.segmenter import Segmenter
from LightSegLib.writers import write_labelmap, write_volume

__all__ = ["EXIT_CANCELLED", "EXIT_ERROR", "EXIT_OK", "EXIT_UNEXPECTED", "main"]

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_ERROR = 2
EXIT_CANCELLED = 130
PARENT_CHECK_S = 1.0


class Messages:
    """Writes messages, one JSON object per line, whole, whatever thread they come from."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, kind: str, content: Mapping[str, Any]) -> None:
        """Write one message."""
        # ASCII: the reader may decode with any locale.
        line = json.dumps({"type": kind, **content}, ensure_ascii=True)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job named on the command line and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    messages = Messages(sys.stdout)
    # Libraries that print must not break the JSON lines; what they say still reaches whoever reads stderr.
    sys.stdout = sys.stderr
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if len(given) not in (1, 2) or not all(text.isdecimal() for text in given[1:]):
            raise InputError(f"The worker takes the job's JSON file and its starter's process id; got {given}")
        _end_with(int(given[1]) if len(given) == 2 else None)
        _run(Job.read(Path(given[0])), messages)
        return EXIT_OK
    except (CancelledError, KeyboardInterrupt) as error:
        _report(messages, CancelledError(str(error) or "Cancelled; nothing was written."))
        return EXIT_CANCELLED
    except LightSegError as error:
        _report(messages, error)
        return EXIT_ERROR
    except BrokenPipeError:
        # Nobody listens any more, so nobody wants the result.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.__stdout__.fileno() if sys.__stdout__ else 1)
        return EXIT_CANCELLED
    except Exception as error:
        messages.send("log", {"message": traceback.format_exc()})
        message = f"unexpected {type(error).__name__}: {error}; please report it with the log"
        messages.send("error", {"error": "LightSegError", "message": " ".join(message.split())})
        return EXIT_UNEXPECTED


def _run(job: Job, messages: Messages) -> None:
    outputs = {"segmentation": Path(job.output)}
    check_volume_path(outputs["segmentation"], labels=True)
    if job.probabilities is not None:
        outputs["probabilities"] = Path(job.probabilities)
        check_volume_path(outputs["probabilities"], labels=False)
    inputs = {name: Path(path) for name, path in job.inputs.items()}
    reference = None if job.reference is None else Path(job.reference)
    if job.threads is not None:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(job.threads)
    sources = [*inputs.values(), *([] if reference is None else [reference])]
    with OutputSet(outputs.values(), inputs=sources) as files:
        segmenter = Segmenter(job.models, device=job.device, engine=job.engine, threads=job.threads)
        result = segmenter.segment(
            inputs,
            reference=reference,
            progress=lambda fraction, message: messages.send("progress", {"fraction": fraction, "message": message}),
            probabilities=job.probabilities is not None,
        )
        files.write(outputs["segmentation"], partial(write_labelmap, result.labelmap, segments=result.segments))
        if result.probabilities is not None:
            files.write(outputs["probabilities"], partial(write_volume, result.probabilities))
        files.commit()
    messages.send(
        "result", {"result": result.to_json(), "outputs": {name: str(path) for name, path in outputs.items()}}
    )


def _report(messages: Messages, error: LightSegError) -> None:
    messages.send("error", {"error": type(error).__name__, "message": " ".join(str(error).split())})


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def _end_with(starter: int | None) -> None:
    """End this process when its parent or the process of id `starter` is gone; on Windows it just finishes.

    The two differ where a launcher stands between them. The id is given, not asked for: a parent that ended while
    this process imported its libraries has already been replaced by another.
    """
    if os.name == "nt":
        # There os.kill would end the process asked about.
        return
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent and (starter is None or _exists(starter)):
            time.sleep(PARENT_CHECK_S)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=watch, daemon=True, name="starter watch").start()


def _exists(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


if __name__ == "__main__":
    sys.exit(main())
