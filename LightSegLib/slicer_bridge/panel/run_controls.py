"""Segment, which is Cancel during a run; progress, remaining time and log."""

import time
from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from LightSegLib.slicer_bridge.run import WorkerRun

__all__ = ["RunControls", "remaining_text"]

PROGRESS_STEPS = 1000
MIN_FRACTION = 0.1
MIN_SECONDS = 2.0


class RunControls:
    """The button, the bar and the lines of one kind of run; follows a `WorkerRun` and tells when it has ended."""

    def __init__(self, *, button: Any, bar: Any, status: Any, log: Any, label: str, start: Callable[[], None]) -> None:
        self._button, self._bar, self._status, self._log = button, bar, status, log
        self._label = label
        self._start = start
        self._reason = ""
        self._run: WorkerRun[Any] | None = None
        self._began = 0.0
        bar.maximum = PROGRESS_STEPS
        bar.visible = False
        button.connect("clicked(bool)", self._on_click)
        self._show_button()

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._run is not None

    def allow(self, reason: str) -> None:
        """Enable the button if `reason`, which says what is still missing, is empty; it becomes the tool tip."""
        self._reason = reason
        self._show_button()

    def tell(self, text: str) -> None:
        """Show a line below the bar, and keep it in the log."""
        self._status.text = text
        self._log.appendPlainText(text)

    def follow(self, run: "WorkerRun[Any]", ended: "Callable[[WorkerRun[Any]], None]") -> None:
        """Show a run until it ends, then call `ended(run)`."""
        self._run, self._began = run, time.monotonic()
        self._bar.value = 0
        self._bar.visible = True
        self._log.clear()
        self._show_button()
        run.on_progress(self._on_progress)
        run.on_log(self._log.appendPlainText)

        def end(run: "WorkerRun[Any]") -> None:
            self._run = None
            self._bar.visible = False
            self._show_button()
            ended(run)

        run.on_done(end)

    def cancel(self) -> None:
        """End the run, if there is one; nothing in the scene changes."""
        if self._run is not None:
            self._run.cancel()

    def _on_click(self, checked: bool = False) -> None:
        if self._run is not None:
            self._run.cancel()
        else:
            self._start()

    def _on_progress(self, fraction: float, message: str) -> None:
        self._bar.value = round(fraction * PROGRESS_STEPS)
        self._status.text = message + remaining_text(fraction, time.monotonic() - self._began)

    def _show_button(self) -> None:
        self._button.text = _("Cancel") if self.is_running else self._label
        self._button.enabled = self.is_running or not self._reason
        self._button.toolTip = _("Ends the run; nothing is changed.") if self.is_running else self._reason


def remaining_text(fraction: float, seconds: float) -> str:
    """Return ", about N s left" once `seconds` for that `fraction` (0..1) of the work allow a guess, "" before."""
    if not MIN_FRACTION <= fraction < 1 or seconds < MIN_SECONDS:
        return ""
    left = seconds * (1 - fraction) / fraction
    if left < 90:
        return _(", about {seconds} s left").format(seconds=max(round(left), 1))
    return _(", about {minutes} min left").format(minutes=round(left / 60))
