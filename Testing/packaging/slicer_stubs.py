"""Modules of the application whose every name is an empty class: enough to load code, not to run it."""

import importlib.abc
import importlib.machinery
import sys
from collections.abc import Sequence
from types import ModuleType

__all__ = ["install"]

STUBBED = frozenset({"slicer", "vtk", "qt", "ctk"})


class _AnyName(type):
    def __getattr__(cls, name: str) -> type:
        return _make_name(name)


class _Any(metaclass=_AnyName):
    # as a decorator of a class it changes nothing
    def __new__(cls, *arguments: object, **named: object) -> object:
        return arguments[0] if arguments and isinstance(arguments[0], type) else super().__new__(cls)


def _make_name(name: str) -> type:
    if name.startswith("__"):
        raise AttributeError(name)
    return _AnyName(name, (_Any,), {})


class _StubModule(ModuleType):
    __path__: Sequence[str] = ()

    def __getattr__(self, name: str) -> type:
        return _make_name(name)


class _Finder(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        return importlib.machinery.ModuleSpec(name, self) if name.split(".")[0] in STUBBED else None

    def create_module(self, spec: importlib.machinery.ModuleSpec) -> ModuleType:
        return _StubModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        return None


def install() -> None:
    """Make `slicer`, `vtk`, `qt` and `ctk` importable, with anything in them."""
    sys.meta_path.insert(0, _Finder())
