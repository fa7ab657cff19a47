"""Parses the command line, runs one command, and turns errors into one line and an exit code."""

import argparse
import contextlib
import io
import json
import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from types import FrameType
from typing import Any, NoReturn

import SimpleITK as sitk

import LightSegLib
from LightSegLib.cli import attention, batch, compare, doctor, evaluate, measure, models, segment, train
from LightSegLib.errors import CancelledError, LightSegError

__all__ = ["EXIT_CANCELLED", "EXIT_ERROR", "EXIT_OK", "EXIT_UNEXPECTED", "main"]

EXIT_OK = 0
EXIT_UNEXPECTED = 1
EXIT_ERROR = 2
EXIT_CANCELLED = 130
"""What shells give a program that was ended by Ctrl-C: 128 + SIGINT."""

COMMANDS = (segment, batch, measure, models, compare, doctor, attention, train, evaluate)

DESCRIPTION = """\
Segment brain MRI and liver CT with very small networks, on a CPU or a GPU, offline.

  lightseg segment --model wmh-acu --input FLAIR=flair.nii.gz --output seg.nii.gz
  lightseg batch cohort --model wmh-acu --output results
  lightseg compare seg.nii.gz reference.nii.gz
"""
EPILOG = """\
exit codes: 0 done, 1 unexpected error, 2 wrong use or unusable input, 3 some cases of a batch failed, 130 cancelled.
LightSeg is research software and not a medical device."""


class UsageError(LightSegError):
    """The command line was not understood."""


class Parser(argparse.ArgumentParser):
    """An argument parser that raises UsageError instead of printing and exiting, so that --json covers it."""

    def error(self, message: str) -> NoReturn:
        """Raise UsageError with the message and where to read more."""
        raise UsageError(f"{message}; see '{self.prog} --help'.")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line (default: the process's own arguments) and return the exit code.

    Results go to stdout, progress and errors to stderr. With --json, stdout gets exactly one JSON object, also for an
    error: {"error": {"type", "message"}}.
    """
    given = list(sys.argv[1:] if arguments is None else arguments)
    as_json, debug = "--json" in given, "--debug" in given
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A file name that the terminal's encoding lacks must not turn a finished run into an error.
        sys.stdout.reconfigure(errors="backslashreplace")
    # ITK's warnings about odd headers would break the one-line rule; what matters is checked by `volumes`.
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        with _terminate_like_interrupt():
            options = _parser().parse_args(given)
            return _run(options)
    except (CancelledError, KeyboardInterrupt) as error:
        message = str(error) or "Cancelled; nothing was written."
        return _fail(CancelledError(message), EXIT_CANCELLED, as_json=as_json, debug=False)
    except LightSegError as error:
        return _fail(error, EXIT_ERROR, as_json=as_json, debug=debug)
    except BrokenPipeError:
        # The reader of stdout (head, less) is gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_UNEXPECTED
    except Exception as error:
        hint = "" if debug else " Run again with --debug for the details, and report this."
        message = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}.{hint}"
        return _fail(error, EXIT_UNEXPECTED, as_json=as_json, debug=debug, message=message)


def _parser() -> Parser:
    parser = Parser(
        prog="lightseg",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"lightseg {LightSegLib.__version__}")
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(subparsers)
    for subparser in subparsers.choices.values():
        subparser.allow_abbrev = False  # a script that says --dev today must not mean something else tomorrow
        subparser.add_argument("--debug", action="store_true", help="show where an error came from")
    for (name, subparser), command in zip(subparsers.choices.items(), COMMANDS, strict=True):
        subparser.set_defaults(run=command.run, command=name)
    return parser


def _run(options: argparse.Namespace) -> int:
    if not getattr(options, "json", False):
        return int(options.run(options))
    # A library that prints to stdout must not spoil the one JSON object there.
    stdout = sys.stdout
    with contextlib.redirect_stdout(sys.stderr):
        options.json_stream = stdout
        return int(options.run(options))


def _fail(error: Exception, code: int, *, as_json: bool, debug: bool, message: str | None = None) -> int:
    text = str(error) if message is None else message
    if debug:
        traceback.print_exception(error, file=sys.stderr)
    if as_json:
        body: dict[str, Any] = {"type": type(error).__name__, "message": text}
        print(json.dumps({"error": body}))
    print(f"lightseg: {'' if code == EXIT_CANCELLED else 'error: '}{' '.join(text.split())}", file=sys.stderr)
    return code


@contextlib.contextmanager
def _terminate_like_interrupt() -> Iterator[None]:
    """Let SIGTERM (a batch system, a parent process) clean up and end like Ctrl-C does."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    # Python allows signal handlers in the main thread only.
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
