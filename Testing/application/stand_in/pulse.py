"""How long the thread of the window was away at a stretch, while it should have handled what the user does."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PySide6 import QtCore

__all__ = ["Pulse", "pulse"]

INTERVAL_MS = 10
DELAYS = Path("/proc/thread-self/schedstat")
"""Linux tells how long this thread was ready to run while the processor was given to others."""


class Pulse:
    """Measures the time between two beats of a timer while slots are called or events are handled.

    The time that a busy machine kept the thread waiting for a processor is subtracted, where the system tells it.
    """

    def __init__(self) -> None:
        self.largest_gap_s = 0.0
        self._depth = 0
        self._last = (0.0, 0.0)
        self._timer: QtCore.QTimer | None = None

    def start(self) -> None:
        """Begin to beat; needs an application."""
        self._timer = QtCore.QTimer()
        self._timer.timeout.connect(self._beat)
        self._timer.start(INTERVAL_MS)

    @contextmanager
    def on_duty(self) -> Iterator[None]:
        """Measure during this block."""
        if self._depth == 0:
            self._last = _now()
        self._depth += 1
        try:
            yield
        finally:
            self._beat()
            self._depth -= 1

    def _beat(self) -> None:
        now = _now()
        if self._depth:
            passed, delayed = (after - before for after, before in zip(now, self._last, strict=True))
            self.largest_gap_s = max(self.largest_gap_s, passed - delayed)
        self._last = now


pulse = Pulse()


def _now() -> tuple[float, float]:
    """Return the time and how long this thread has waited for a processor so far, both in seconds."""
    try:
        delay_s = int(DELAYS.read_text().split()[1]) * 1e-9
    except (OSError, IndexError):  # another system
        delay_s = 0.0
    return time.monotonic(), delay_s
