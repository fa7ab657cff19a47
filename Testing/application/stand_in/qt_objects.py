"""Objects of Qt as PythonQt shows them to Slicer's modules.

A Qt property is an attribute, signals connect by their signature, no attribute can be added, and what the class does
not have is an AttributeError. Every object of PySide6 is seen through a `QtObject`, every class through a `QtType`.
"""

import inspect
import os
import weakref
from collections.abc import Callable
from functools import cache
from types import BuiltinFunctionType, MethodType
from typing import Any

os.environ["PYSIDE6_OPTION_PYTHON_ENUM"] = "2"  # enumerators are integers; read when PySide6 is imported

from PySide6 import QtCore, QtWidgets

from stand_in.qt_signals import connect, disconnect, first_signature

__all__ = ["QtObject", "QtType", "hidden", "replaced_methods", "shown", "type_for"]

replaced_methods: dict[tuple[str, str], Callable[..., Any]] = {}
"""Functions that stand in for methods of Qt, by names of class and method; they get Qt's own object or class first."""

ALIASES = {"name": "objectName"}
CONVERSIONS: dict[str, Callable[[Any], Any]] = {"int": int, "double": float, "bool": bool, "QString": str}
_views: "weakref.WeakValueDictionary[int, QtObject]" = weakref.WeakValueDictionary()


class QtType(type):
    """A class of Qt: it makes objects, and has the class's enumerators and static functions."""

    qt_class: Any

    def __new__(mcs, name: str, bases: tuple[type, ...], content: dict[str, Any]) -> "QtType":
        if "qt_class" not in content:
            raise TypeError(f"The stand-in cannot derive classes such as {name} from Qt's")
        return super().__new__(mcs, name, bases, content)

    def __call__(cls, *arguments: Any) -> Any:
        """Make an object; PythonQt knows no keyword arguments."""
        return shown(cls.qt_class(*hidden(arguments)))

    def __getattr__(cls, name: str) -> Any:
        replacement = _replacement(cls.qt_class, name)
        if replacement is not None:
            return lambda *arguments: shown(replacement(cls.qt_class, *hidden(arguments)))
        member = None if name.startswith("_") else getattr(cls.qt_class, name, None)
        if member is None or isinstance(member, (QtCore.Signal, QtCore.Property)):
            raise AttributeError(f"{cls.__name__} has no attribute '{name}'")
        return _callable(member) if callable(member) and not isinstance(member, type) else shown(member)


class QtObject(metaclass=QtType):
    """An object of Qt."""

    __slots__ = ("__weakref__", "_object")
    qt_class = QtCore.QObject

    def __getattr__(self, name: str) -> Any:
        target, name = self._object, ALIASES.get(name, name)
        replacement = _replacement(type(target), name)
        if replacement is not None:
            return lambda *arguments: shown(replacement(target, *hidden(arguments)))
        if not name.startswith("_"):
            if target.metaObject().indexOfProperty(name) >= 0:
                return shown(_read_property(target, name))
            member = getattr(target, name, None)
            if isinstance(member, QtCore.SignalInstance):
                return Signal(target, name)
            if callable(member):
                return _callable(member)
            if member is not None:
                return member
        raise AttributeError(f"{type(target).__name__} has no attribute '{name}'")

    def __setattr__(self, name: str, value: Any) -> None:
        target, name = self._object, ALIASES.get(name, name)
        if target.metaObject().indexOfProperty(name) < 0:
            raise AttributeError(f"{type(target).__name__} has no property '{name}' that could be set")
        _write_property(target, name, hidden(value))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, QtObject) and self._object is other._object

    def __hash__(self) -> int:
        return hash(self._object)

    def __repr__(self) -> str:
        return f"{type(self._object).__name__} ({self._object.objectName() or 'unnamed'})"

    def className(self) -> str:
        """Return the name of the class in C++."""
        return self._object.metaObject().className()

    def connect(self, *arguments: Any) -> bool:
        """Connect (signal, function) or (signal, receiver, slot), each by its C++ signature."""
        signature, slot = arguments[:2]
        if len(arguments) > 2:
            slot = getattr(slot, arguments[2].partition("(")[0])
        return connect(self._object, signature, slot, shown)

    def disconnect(self, signature: str, slot: Callable[..., Any]) -> bool:
        """End the connection of a signal to a function."""
        return disconnect(self._object, signature, slot)


class LayoutItem:
    """An entry of a layout; it is no object of Qt's, but hands such out."""

    __slots__ = ("_object",)

    def __init__(self, item: QtWidgets.QLayoutItem) -> None:
        self._object = item

    def __getattr__(self, name: str) -> Any:
        return _callable(getattr(self._object, name))


class Signal:
    """A signal of an object: it connects, disconnects and emits."""

    def __init__(self, sender: QtCore.QObject, name: str) -> None:
        self._sender, self._name = sender, name

    def connect(self, slot: Callable[..., Any]) -> bool:
        """Have `slot` called."""
        slot = slot.emit if isinstance(slot, Signal) else slot
        return connect(self._sender, first_signature(self._sender, self._name), slot, shown)

    def disconnect(self, slot: Callable[..., Any]) -> bool:
        """Have `slot` not called any more."""
        return disconnect(self._sender, first_signature(self._sender, self._name), slot)

    def emit(self, *arguments: Any) -> None:
        """Send the signal."""
        getattr(self._sender, self._name).emit(*hidden(arguments))

    __call__ = emit


def shown(value: Any) -> Any:
    """Return what a module sees of a value of Qt."""
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(shown(item) for item in value)
    if not isinstance(value, QtCore.QObject):
        return LayoutItem(value) if isinstance(value, QtWidgets.QLayoutItem) else value
    view = _views.get(id(value))
    if view is None:
        view = object.__new__(type_for(type(value)))
        object.__setattr__(view, "_object", value)
        _views[id(value)] = view
    return view


def hidden(value: Any) -> Any:
    """Return the value of Qt behind what a module sees."""
    if isinstance(value, (QtObject, LayoutItem)):
        return value._object
    if isinstance(value, QtType):
        return value.qt_class
    if isinstance(value, (list, tuple)) and type(value) in (list, tuple):
        return type(value)(hidden(item) for item in value)
    return value


@cache
def type_for(qt_class: type) -> QtType:
    """Return the class under which a module sees a class of QObjects."""
    if qt_class is QtCore.QObject:
        return QtObject
    base = next(parent for parent in qt_class.__mro__[1:] if issubclass(parent, QtCore.QObject))
    return QtType(qt_class.__name__, (type_for(base),), {"__slots__": (), "qt_class": qt_class})


def _replacement(qt_class: type, name: str) -> Callable[..., Any] | None:
    found = (replaced_methods.get((parent.__name__, name)) for parent in qt_class.__mro__)
    return next((function for function in found if function is not None), None)


def _callable(method: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any) -> Any:
        return shown(method(*hidden(arguments)))

    call.__name__ = getattr(method, "__name__", "method")
    return call


def _is_own_property(target: QtCore.QObject, name: str) -> bool:
    return isinstance(inspect.getattr_static(type(target), name, None), QtCore.Property)


def _read_property(target: QtCore.QObject, name: str) -> Any:
    if _is_own_property(target, name):
        return getattr(target, name)
    # PySide6 cannot convert some enumerations when it reads them as a property
    for getter in (name, f"is{name[0].upper()}{name[1:]}"):
        method = getattr(target, getter, None)
        if isinstance(method, (BuiltinFunctionType, MethodType)):
            return method()
    return target.property(name)


def _write_property(target: QtCore.QObject, name: str, value: Any) -> None:
    meta = target.metaObject().property(target.metaObject().indexOfProperty(name))
    if not meta.isWritable():
        raise AttributeError(f"Property '{name}' of {type(target).__name__} can only be read")
    value = CONVERSIONS.get(meta.typeName(), lambda given: given)(value)
    if _is_own_property(target, name):
        setattr(target, name, value)
        return
    setter = getattr(target, f"set{name[0].upper()}{name[1:]}", None)
    if setter is not None:
        setter(value)
    elif not target.setProperty(name, value):
        raise TypeError(f"Property '{name}' of {type(target).__name__} cannot be {value!r}")
