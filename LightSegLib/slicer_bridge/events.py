"""The application's event loop, where there is one."""

import sys
from collections.abc import Callable
from typing import Any

__all__ = ["Ticker", "process_events"]

INTERVAL_MS = 50


def application() -> Any:
    """Return Slicer's application object, None outside the application."""
    return getattr(sys.modules.get("slicer"), "app", None)


def process_events() -> None:
    """Let the application handle what has happened; does nothing without one."""
    app = application()
    if app is not None:
        app.processEvents()


class Ticker:
    """Calls a function every 50 ms from the application's event loop until stopped; never, without an application."""

    def __init__(self, function: Callable[[], None]) -> None:
        self._timer: Any = None
        if application() is not None:
            import qt

            self._timer = qt.QTimer()
            self._timer.setInterval(INTERVAL_MS)
            self._timer.connect("timeout()", function)
            self._timer.start()

    def stop(self) -> None:
        """End the calls."""
        if self._timer is not None:
            self._timer.stop()
