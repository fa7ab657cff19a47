"""Progress, cancellation and stage timings of one run."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from LightSegLib.errors import CancelledError

__all__ = ["Cancel", "Progress", "RunMonitor"]

Progress = Callable[[float, str], None]
"""Called with the fraction done (0..1, never falling) and what is being done."""
Cancel = Callable[[], bool]
"""Asked between steps; True means stop."""


class RunMonitor:
    """Reports the progress of a run, stops it when asked to, and keeps each stage's seconds in `timings_s`.

    `weights` maps stage to its usual share of the run's time, in order; shares are relative.
    """

    def __init__(self, weights: dict[str, float], *, progress: Progress | None = None, cancel: Cancel | None = None):
        total = sum(weights.values())
        self.timings_s: dict[str, float] = {}
        self._spans: dict[str, tuple[float, float]] = {}
        start = 0.0
        for stage, weight in weights.items():
            self._spans[stage] = (start, start + weight / total)
            start += weight / total
        self._progress = progress
        self._cancel = cancel
        self._reported = 0.0
        self._span = (0.0, 0.0)
        self._message = ""
        self._started = time.perf_counter()

    @contextmanager
    def stage(self, name: str, message: str) -> Iterator[None]:
        """Time one stage; raises CancelledError at its start when the caller asked to stop."""
        self._span, self._message = self._spans[name], message
        self.advance(0.0)
        started = time.perf_counter()
        yield
        self.timings_s[name] = self.timings_s.get(name, 0.0) + time.perf_counter() - started
        self.advance(1.0)

    def advance(self, fraction: float) -> None:
        """Report that `fraction` (0..1) of the current stage is done; raises CancelledError when asked to stop."""
        if self._cancel is not None and self._cancel():
            raise CancelledError("Cancelled; nothing was written.")
        start, end = self._span
        self._reported = min(1.0, max(self._reported, start + (end - start) * fraction))
        if self._progress is not None:
            self._progress(self._reported, self._message)

    def finish(self) -> dict[str, float]:
        """Report completion and return the seconds per stage, with their "total"."""
        self.timings_s["total"] = time.perf_counter() - self._started
        if self._progress is not None:
            self._progress(1.0, "Done")
        return dict(self.timings_s)
