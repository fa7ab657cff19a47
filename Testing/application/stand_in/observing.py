"""Observers of VTK objects that live as long as a widget."""

from collections.abc import Callable, Sequence
from typing import Any

import shiboken6
from PySide6 import QtCore

__all__ = ["Observing"]


class Observing:
    """What a widget observes, by a name each; observing another object under the same name ends the first."""

    def __init__(self, widget: QtCore.QObject) -> None:
        self._widget = widget
        self._tags: dict[str, tuple[Any, list[int]]] = {}

    def of(self, name: str, target: Any, events: Sequence[Any], tell: Callable[[], None]) -> None:
        """Call `tell` at each of `events` of `target`; of nothing, if that is None."""
        before, tags = self._tags.pop(name, (None, []))
        for tag in tags:
            before.RemoveObserver(tag)
        if target is not None:
            self._tags[name] = target, [target.AddObserver(event, self._teller(tell)) for event in events]

    def names(self) -> set[str]:
        """Return the names under which something is observed."""
        return set(self._tags)

    def _teller(self, tell: Callable[[], None]) -> Callable[..., None]:
        return lambda *_: tell() if shiboken6.isValid(self._widget) else None
