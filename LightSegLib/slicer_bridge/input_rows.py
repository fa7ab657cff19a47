"""One row with a volume selector per named input of a model, in the module's panel."""

from collections.abc import Callable
from typing import Any

import qt
import slicer

from LightSegLib.bundles import InputChannel
from LightSegLib.pipeline.channels import likely_channel

__all__ = ["InputRows"]

ROLE = "Input."
FIRST_ROW = 1
"""Below the model selector."""


class InputRows:
    """Volume selectors in a form layout; the choices are kept in the parameter node, as `Input.<channel>`."""

    def __init__(self, layout: Any, changed: Callable[[], None]) -> None:
        self._layout = layout
        self._changed = changed
        self._labels: list[Any] = []
        self._selectors: dict[str, Any] = {}

    def show(self, channels: tuple[InputChannel, ...], parameters: "slicer.vtkMRMLScriptedModuleNode") -> None:
        """Replace the rows by those for `channels`; what is not chosen yet is guessed from the volumes' names."""
        for widget in (*self._labels, *self._selectors.values()):
            widget.visible = False
            widget.deleteLater()  # which takes it out of the layout
        self._labels, self._selectors = [], {}
        for channel in channels:
            role = ROLE + channel.name
            if parameters.GetNodeReference(role) is None:
                guess = _likely_volume(channel, channels, parameters.GetScene())
                parameters.SetNodeReferenceID(role, guess.GetID() if guess is not None else None)
            selector = slicer.qMRMLNodeComboBox()
            selector.nodeTypes = ["vtkMRMLScalarVolumeNode"]
            selector.showChildNodeTypes = False
            selector.addEnabled = False
            selector.removeEnabled = False
            selector.noneEnabled = True
            selector.noneDisplay = "Select a volume" if channel.required else "None (optional)"
            selector.toolTip = f"{channel.modality} volume for {channel.name}"
            selector.setMRMLScene(parameters.GetScene())
            selector.setCurrentNode(parameters.GetNodeReference(role))
            selector.connect("currentNodeChanged(vtkMRMLNode*)", self._remember(parameters, role))
            label = qt.QLabel(f"{channel.name}:")
            self._layout.insertRow(FIRST_ROW + len(self._selectors), label, selector)
            self._labels.append(label)
            self._selectors[channel.name] = selector

    def nodes(self) -> "dict[str, slicer.vtkMRMLScalarVolumeNode | None]":
        """Return the chosen node of each channel, None where none is chosen."""
        return {name: selector.currentNode() for name, selector in self._selectors.items()}

    def _remember(self, parameters: "slicer.vtkMRMLScriptedModuleNode", role: str) -> Callable[[Any], None]:
        def remember(node: Any) -> None:
            parameters.SetNodeReferenceID(role, node.GetID() if node is not None else None)
            self._changed()

        return remember


def _likely_volume(channel: InputChannel, channels: tuple[InputChannel, ...], scene: Any) -> Any:
    """Return the first volume whose name suggests the channel; for a required one, else the first volume, if any."""
    nodes = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
        if node.GetClassName() == "vtkMRMLScalarVolumeNode"
    ]
    for node in nodes:
        if likely_channel(channels, node.GetName()) == channel.name:
            return node
    return nodes[0] if nodes and channel.required else None
