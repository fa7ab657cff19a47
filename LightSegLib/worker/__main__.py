"""`python -m LightSegLib.worker JOB.json [STARTER]`: do one job and tell about it in lines on stdout.

The file holds one of the jobs of `LightSegLib.job`; STARTER is the id of the process whose end also ends this one.
Each message is a line that starts with `MESSAGE_PREFIX`, then one JSON object in ASCII with a "type":

    {"type": "progress", "fraction": 0..1, "message": text}
    {"type": "log", "message": text}
    {"type": "case", "index": 0.., "name", "status", "message", "seconds", "volumes_ml", "output"}, of a batch
    {"type": "result", "result": what the job gives, "outputs": {"segmentation" or "report": file, ...}}
    {"type": "error", "error": name of the error's class, "message": one line}

Exactly one result or error ends the run. Output files appear together just before the result, or not at all; those of
a batch just before the message of their case, whose status is "running", "done", "failed" or "skipped". The exit codes
are those of the command line: 0 done, 1 unexpected error, 2 unusable input, 130 cancelled. A batch with cases that
failed ends with 0, as its result tells of them.
"""

import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

import SimpleITK as sitk

from LightSegLib.errors import CancelledError, InputError, LightSegError
from LightSegLib.job import BatchJob, DicomSegJob, MeasureJob, SegmentJob, read_job
from LightSegLib.worker.batch import run_batch_job
from LightSegLib.worker.dicom_seg import run_dicom_seg
from LightSegLib.worker.measure import run_measure
from LightSegLib.worker.messages import Messages
from LightSegLib.worker.segment import run_segment
from LightSegLib.worker.starter import end_with

__all__ = ["EXIT_CANCELLED", "EXIT_ERROR", "EXIT_OK", "EXIT_UNEXPECTED", "main"]

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_ERROR = 2
EXIT_CANCELLED = 130

RUNNERS: Mapping[type, Callable[[Any, Messages], None]] = {
    SegmentJob: run_segment,
    MeasureJob: run_measure,
    BatchJob: run_batch_job,
    DicomSegJob: run_dicom_seg,
}
"""What does a job of each class."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job named on the command line and return the exit code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    messages = Messages(sys.stdout)
    # Libraries that print must not break the messages; what they say still reaches whoever reads stderr.
    sys.stdout = sys.stderr
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        if len(given) not in (1, 2) or not all(text.isdecimal() for text in given[1:]):
            raise InputError(f"The worker takes the job's JSON file and its starter's process id; got {given}")
        end_with(int(given[1]) if len(given) == 2 else None)
        job = read_job(Path(given[0]))
        RUNNERS[type(job)](job, messages)
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


def _report(messages: Messages, error: LightSegError) -> None:
    messages.send("error", {"error": type(error).__name__, "message": " ".join(str(error).split())})


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


if __name__ == "__main__":
    sys.exit(main())
