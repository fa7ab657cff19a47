"""One row for each named input of a model: a volume selector, a tick, or what is wrong with the volume."""

from collections.abc import Callable, Mapping
from typing import Any

import qt
import slicer
from slicer.i18n import tr as _

from LightSegLib.bundles import InputChannel
from LightSegLib.slicer_bridge.input_check import input_problems
from LightSegLib.slicer_bridge.likely_volumes import likely_volumes

__all__ = ["INPUT_ROLE", "InputRows"]

INPUT_ROLE = "Input."
"""Starts the parameter node's reference to the volume of a channel."""
DECLINED = "InputDeclined."
TICK = "\N{CHECK MARK}"
CROSS = "\N{WARNING SIGN}"


class InputRows:
    """Rows in a form layout; the choices are kept in the parameter node, as references `Input.<channel>`.

    What nobody chose yet is guessed from the scene, also when volumes are loaded later; a volume that the user took
    away stays away.
    """

    def __init__(self, layout: Any, first_row: int, before: Any, after: Any, changed: Callable[[], None]) -> None:
        self._layout = layout
        # the widgets that the rows stand between, for the tabulator key
        self._before, self._after = before, after
        self._first_row = first_row
        self._changed = changed
        self._rows: dict[str, _Row] = {}
        self._channels: tuple[InputChannel, ...] = ()
        self._parameters: Any = None

    def show(self, channels: tuple[InputChannel, ...], parameters: "slicer.vtkMRMLScriptedModuleNode | None") -> None:
        """Replace the rows by those for `channels`, or by none without a parameter node."""
        for row in self._rows.values():
            row.remove()
        self._rows, self._channels, self._parameters = {}, channels, parameters
        if parameters is None:
            return
        for channel in channels:
            row = self._rows[channel.name] = _Row(channel, parameters, self._on_choice)
            self._layout.insertRow(self._first_row + len(self._rows) - 1, row.label, row.widget)
        selectors = [self._before, *(row.selector for row in self._rows.values()), self._after]
        for one, following in zip(selectors[:-1], selectors[1:], strict=True):
            qt.QWidget.setTabOrder(one, following)
        self.fill()

    def fill(self) -> None:
        """Show the parameter node's inputs, and guess those not chosen yet from what the scene holds."""
        if self._parameters is None:
            return
        for name, row in self._rows.items():
            row.show(self._parameters.GetNodeReference(INPUT_ROLE + name))
        nodes = self.nodes()
        open_channels = [
            channel
            for channel in self._channels
            if nodes[channel.name] is None and not self._parameters.GetParameter(DECLINED + channel.name)
        ]
        taken = [node for node in nodes.values() if node is not None]
        found = likely_volumes(self._channels, open_channels, self._parameters.GetScene(), taken)
        for name, node in found.items():
            self._rows[name].show(node)
        self.check()

    def check(self) -> Mapping[str, str]:
        """Tell in each row whether its volume can be used, and return the problems by channel."""
        problems = {name: text for name, text in input_problems(self._channels, self.nodes()).items() if text}
        for name, row in self._rows.items():
            row.tell(problems.get(name, ""))
        return problems

    def nodes(self) -> "dict[str, slicer.vtkMRMLScalarVolumeNode | None]":
        """Return the chosen node of each channel, None where none is chosen."""
        return {name: row.node for name, row in self._rows.items()}

    def missing(self) -> str:
        """Return what keeps a run from starting, "" if nothing does."""
        problems = self.check()
        if problems:
            return "; ".join(problems.values())
        nodes = self.nodes()
        for channel in self._channels:
            if channel.required and nodes[channel.name] is None:
                return _("Choose a volume for {channel} first").format(channel=channel.name)
        return "" if any(nodes.values()) else _("Choose a volume first")

    def _on_choice(self) -> None:
        self.check()
        self._changed()


class _Row:
    def __init__(self, channel: InputChannel, parameters: Any, changed: Callable[[], None]) -> None:
        self._channel, self._parameters, self._changed = channel, parameters, changed
        self._is_showing = False
        self.label = qt.QLabel(f"{channel.name}:")
        self.widget = qt.QWidget()
        column = qt.QVBoxLayout(self.widget)
        line = qt.QHBoxLayout()
        column.setContentsMargins(0, 0, 0, 0)
        column.addLayout(line)
        self.selector = selector = slicer.qMRMLNodeComboBox()
        selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
        selector.showChildNodeTypes = False  # no labelmaps, vector or diffusion volumes
        selector.addEnabled = selector.removeEnabled = False
        selector.noneEnabled = True
        selector.noneDisplay = _("Select a volume") if channel.required else _("None (optional)")
        selector.toolTip = _("{modality} volume for {channel}").format(modality=channel.modality, channel=channel.name)
        selector.objectName = f"input{channel.name}Selector"
        selector.setMRMLScene(parameters.GetScene())
        selector.setCurrentNode(parameters.GetNodeReference(INPUT_ROLE + channel.name))
        selector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_node)
        self._mark, self._problem = qt.QLabel(), qt.QLabel()
        self._mark.minimumWidth = self._mark.fontMetrics().horizontalAdvance(CROSS)
        self._problem.wordWrap = True
        self._problem.visible = False
        line.addWidget(selector, 1)
        line.addWidget(self._mark)
        column.addWidget(self._problem)

    @property
    def node(self) -> "slicer.vtkMRMLScalarVolumeNode | None":
        return self.selector.currentNode()

    def show(self, node: "slicer.vtkMRMLScalarVolumeNode | None") -> None:
        self._is_showing = True
        try:
            self.selector.setCurrentNode(node)
        finally:
            self._is_showing = False

    def tell(self, problem: str) -> None:
        self._mark.text = "" if self.node is None else (CROSS if problem else TICK)
        self._mark.toolTip = self._problem.text = problem
        self._problem.visible = bool(problem)

    def remove(self) -> None:
        self.selector.disconnect("currentNodeChanged(vtkMRMLNode*)", self._on_node)
        self.selector.setMRMLScene(None)
        for widget in (self.label, self.widget):
            widget.visible = False
            widget.deleteLater()  # which takes it out of the layout

    def _on_node(self, node: Any) -> None:
        role = self._channel.name
        self._parameters.SetNodeReferenceID(INPUT_ROLE + role, node.GetID() if node is not None else None)
        # None is a choice too, but not when the volume was removed or the scene closed.
        scene = self._parameters.GetScene()
        is_choice = node is None and not self._is_showing and scene is not None and not scene.IsClosing()
        self._parameters.SetParameter(DECLINED + role, "yes" if is_choice else "")
        self._changed()
