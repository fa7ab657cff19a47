"""`slicer.parameterNodeWrapper`: a class of typed parameters that live in a node of the scene.

Types: str, int, float, bool, Path, and node classes, alone or in a union with None and each other; `Annotated` with
`Choice` and `Default`. Texts and numbers are parameters of the node, nodes are its references.
"""

import types
import typing
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
import vtk

from stand_in.parameter_gui import Binding, bind

__all__ = ["Choice", "Default", "parameterNodeWrapper"]

EMPTY: dict[type, Any] = {str: "", int: 0, float: 0.0, bool: False, Path: Path()}


@dataclass(frozen=True)
class Default:
    """The value of a parameter that was never set."""

    value: Any


class Choice:
    """The values that a parameter can have."""

    def __init__(self, choices: Sequence[Any]) -> None:
        self.choices = tuple(choices)


@dataclass(frozen=True)
class Parameter:
    """A parameter as the class describes it: the types that its values may have, which are nodes or one plain type."""

    name: str
    types: tuple[type, ...]
    default: Any
    choices: tuple[Any, ...] | None

    @property
    def is_node(self) -> bool:
        """Whether its values are nodes."""
        return self.types[0] not in EMPTY

    def read(self, node: Any) -> Any:
        """Return the value that is kept in a node."""
        if self.is_node:
            return node.GetNodeReference(self.name)
        text = node.GetParameter(self.name)
        return text == "True" if self.types[0] is bool else self.types[0](text)

    def write(self, node: Any, value: Any) -> None:
        """Keep a value; TypeError or ValueError if it is none for this parameter."""
        if self.is_node:
            if value is not None and not isinstance(value, self.types):
                raise TypeError(f"The parameter {self.name} takes no {type(value).__name__}")
            # the text tells that the parameter was set, also to no node
            node.SetParameter(self.name, "")
            node.SetNodeReferenceID(self.name, None if value is None else value.GetID())
            return
        accepted = (int, float) if self.types[0] is float else self.types
        if not isinstance(value, accepted) or (isinstance(value, bool) and self.types[0] is not bool):
            raise TypeError(f"The parameter {self.name} is {self.types[0].__name__}, got {value!r}")
        if self.choices is not None and value not in self.choices:
            raise ValueError(f"The parameter {self.name} is one of {self.choices}, got {value!r}")
        node.SetParameter(self.name, str(value))


def parameterNodeWrapper(described: type) -> type:
    """Turn a class whose annotations are parameters into one that wraps a node."""
    hints = typing.get_type_hints(described, include_extras=True)
    parameters = {name: _parameter(described, name, hint) for name, hint in hints.items()}
    members: dict[str, Any] = {name: _as_property(parameter) for name, parameter in parameters.items()}
    kept = {name: value for name, value in vars(described).items() if name not in ("__dict__", "__weakref__")}
    return type(described.__name__, (ParameterNode,), {**kept, **members, "_parameters": parameters})


class ParameterNode:
    """What every wrapped node has."""

    _parameters: dict[str, Parameter] = {}

    def __init__(self, parameterNode: Any) -> None:
        self.parameterNode = parameterNode
        self._bindings: dict[int, tuple[list[Binding], int]] = {}
        self._next_tag = 0
        self._shows = False
        for parameter in self._parameters.values():
            if parameter.name not in parameterNode.GetParameterNames():
                parameter.write(parameterNode, parameter.default)

    def connectGui(self, gui: Any) -> int:
        """Bind the widgets among `gui`'s attributes that name a parameter; returns a tag for `disconnectGui`."""
        bindings = []
        for widget in vars(gui).values():
            name = widget.property("SlicerParameterName")
            if name:
                binding = bind(widget, self._known(name))
                binding.write(getattr(self, name))
                binding.on_change(self._taker(binding))
                bindings.append(binding)
        tag, self._next_tag = self._next_tag, self._next_tag + 1
        self._bindings[tag] = bindings, self.AddObserver(vtk.vtkCommand.ModifiedEvent, self._show)
        return tag

    def disconnectGui(self, tag: int) -> None:
        """Let the widgets of `connectGui` go."""
        bindings, observer = self._bindings.pop(tag, ([], None))
        for binding in bindings:
            binding.end()
        if observer is not None:
            self.RemoveObserver(observer)

    def getValue(self, name: str) -> Any:
        """Return a parameter by its name."""
        return getattr(self, self._known(name).name)

    def setValue(self, name: str, value: Any) -> None:
        """Set a parameter by its name."""
        setattr(self, self._known(name).name, value)

    def default(self, name: str) -> Default:
        """Return a parameter's default."""
        return Default(self._known(name).default)

    def AddObserver(self, event: Any, callback: Any, priority: float = 0.0) -> int:
        """Observe the node."""
        return self.parameterNode.AddObserver(event, callback, priority)

    def RemoveObserver(self, tag: int) -> None:
        """End an observation of the node."""
        self.parameterNode.RemoveObserver(tag)

    def StartModify(self) -> int:
        """Hold back the node's events."""
        return self.parameterNode.StartModify()

    def EndModify(self, was_modified: int) -> int:
        """Send the node's events."""
        return self.parameterNode.EndModify(was_modified)

    def Modified(self) -> None:
        """Say that the node has changed."""
        self.parameterNode.Modified()

    def _known(self, name: str) -> Parameter:
        if name not in self._parameters:
            raise ValueError(f"There is no parameter {name!r}; those known are {', '.join(self._parameters)}")
        return self._parameters[name]

    def _taker(self, binding: Binding) -> Any:
        def take() -> None:
            if not self._shows:
                with slicer.util.NodeModify(self):
                    self.setValue(binding.name, binding.read())

        return take

    def _show(self, caller: Any, event: str) -> None:
        if self._shows:
            return
        self._shows = True
        try:
            for bindings, _ in list(self._bindings.values()):
                for binding in bindings:
                    binding.write(getattr(self, binding.name))
        finally:
            self._shows = False


def _as_property(parameter: Parameter) -> property:
    return property(
        lambda self: parameter.read(self.parameterNode),
        lambda self, value: parameter.write(self.parameterNode, value),
    )


def _parameter(described: type, name: str, hint: Any) -> Parameter:
    hint, *notes = typing.get_args(hint) if typing.get_origin(hint) is typing.Annotated else (hint,)
    choices = next((note.choices for note in notes if isinstance(note, Choice)), None)
    is_union = typing.get_origin(hint) in (types.UnionType, typing.Union)
    of = tuple(kind for kind in (typing.get_args(hint) if is_union else (hint,)) if kind is not type(None))
    if not all(kind in EMPTY or issubclass(kind, slicer.vtkMRMLNode) for kind in of) or (is_union and of[0] in EMPTY):
        raise TypeError(f"The stand-in of parameterNodeWrapper has no parameters like {name}: {hint}")
    default = next((note.value for note in notes if isinstance(note, Default)), EMPTY.get(of[0]))
    if choices and not default:
        default = choices[0]
    return Parameter(name, of, vars(described).get(name, default), choices)
