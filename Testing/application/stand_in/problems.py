"""What went wrong where nobody could catch it: in a slot, a timer, an observer, a thread, at deletion."""

import sys
import threading
import traceback
from types import TracebackType

__all__ = ["problems", "record", "watch"]

problems: list[tuple[str, str]] = []
"""What makes a run fail: pairs of kind and text."""


def record(kind: str, text: str) -> None:
    """Remember a problem and say it at once."""
    problems.append((kind, text))
    print(f"[{kind}] {text}", file=sys.stderr, flush=True)


def watch() -> None:
    """Record every exception that Python would only print; Qt and VTK hand theirs over as uncaught ones."""
    sys.excepthook = lambda *error: _record_exception("exception in a slot, timer or observer", *error)
    sys.unraisablehook = lambda e: _record_exception("ignored exception", e.exc_type, e.exc_value, e.exc_traceback)
    threading.excepthook = lambda e: _record_exception(
        "exception in a thread", e.exc_type, e.exc_value, e.exc_traceback
    )


def record_exception(kind: str, error: BaseException) -> None:
    """Remember a caught exception with its traceback."""
    _record_exception(kind, type(error), error, error.__traceback__)


def _record_exception(
    kind: str, error_type: type[BaseException], error: BaseException | None, trace: TracebackType | None
) -> None:
    record(kind, "".join(traceback.format_exception(error_type, error, trace)))
