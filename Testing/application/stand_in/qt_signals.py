"""Signals as PythonQt connects them: by C++ signature, and with only as many arguments as the slot takes."""

import inspect
import weakref
from collections.abc import Callable
from typing import Any

from PySide6 import QtCore

from stand_in.pulse import pulse

__all__ = ["connect", "disconnect", "first_signature"]

# sender -> signature, slot as given, and what is connected in its place
_connections: "weakref.WeakKeyDictionary[QtCore.QObject, list[tuple[str, Any, Any]]]" = weakref.WeakKeyDictionary()


def connect(
    sender: QtCore.QObject, signature: str, slot: Callable[..., Any], show: Callable[[Any], Any] = lambda value: value
) -> bool:
    """Connect a signal to a function, which gets the arguments after `show`; AttributeError without such a signal."""
    if not callable(slot):
        raise TypeError(f"{slot!r} cannot be called: nothing to connect {signature} to")
    known = _own_signature(sender, signature)
    limit = min([known.count(",") + 1 if not known.endswith("()") else 0, *_accepted(slot)])

    def deliver(*arguments: Any) -> None:
        with pulse.on_duty():
            slot(*map(show, arguments[:limit]))

    QtCore.QObject.connect(sender, QtCore.SIGNAL(known), deliver)
    _connections.setdefault(sender, []).append((known, slot, deliver))
    return True


def disconnect(sender: QtCore.QObject, signature: str, slot: Callable[..., Any]) -> bool:
    """End the connection of a signal to a function; returns whether there was one."""
    known, kept = _own_signature(sender, signature), _connections.get(sender, [])
    for connection in [c for c in kept if c[0] == known and c[1] == slot]:
        QtCore.QObject.disconnect(sender, QtCore.SIGNAL(known), connection[2])
        kept.remove(connection)
        return True
    return False


def first_signature(sender: QtCore.QObject, name: str) -> str:
    """Return a signal's signature with all arguments; those that leave out default ones come after it."""
    meta = sender.metaObject()
    signatures = (bytes(meta.method(i).methodSignature()).decode() for i in range(meta.methodCount()))
    return next(signature for signature in signatures if signature.partition("(")[0] == name)


def _own_signature(sender: QtCore.QObject, signature: str) -> str:
    """Return the signature under which PySide6 knows a signal that Slicer's documentation calls `signature`."""
    wanted = bytes(QtCore.QMetaObject.normalizedSignature(signature)).decode()
    # classes of ours, whose arguments are Python objects, say which signals of C++ theirs stand for
    for parent in type(sender).__mro__:
        wanted = vars(parent).get("cpp_signals", {}).get(wanted, wanted)
    if sender.metaObject().indexOfSignal(wanted) < 0:
        raise AttributeError(f"{type(sender).__name__} has no signal '{signature}'")
    return wanted


def _accepted(slot: Callable[..., Any]) -> list[int]:
    """Return how many arguments a Python function takes, as a list of one number; [] if any number."""
    function = getattr(slot, "__func__", slot)
    if not inspect.isfunction(function) or function.__code__.co_flags & inspect.CO_VARARGS:
        return []
    return [function.__code__.co_argcount - (function is not slot)]
