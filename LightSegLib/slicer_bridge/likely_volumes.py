"""Which volumes of a scene are most likely meant as a model's inputs."""

from collections.abc import Sequence

import slicer

from LightSegLib.bundles import InputChannel
from LightSegLib.slicer_bridge.dicom_sources import likely_input

__all__ = ["likely_volumes"]


def likely_volumes(
    channels: Sequence[InputChannel],
    wanted: Sequence[InputChannel],
    scene: "slicer.vtkMRMLScene",
    taken: "Sequence[slicer.vtkMRMLScalarVolumeNode]",
) -> "dict[str, slicer.vtkMRMLScalarVolumeNode]":
    """Return a volume for each of the `wanted` ones among a model's `channels` for which the scene has one, by name.

    A volume's name decides, then its DICOM tags; for a required one any volume will do.
    Volumes that are `taken` are not proposed, nor is one for two channels.
    """
    free = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
        if node.GetClassName() == "vtkMRMLScalarVolumeNode" and not node.GetHideFromEditors() and node not in taken
    ]
    found: dict[str, slicer.vtkMRMLScalarVolumeNode] = {}
    meant = [(likely_input(channels, node), node) for node in free]
    for channel in wanted:
        fitting = [node for name, node in meant if name == channel.name]
        if fitting:
            found[channel.name] = fitting[0]
            free.remove(fitting[0])
    for channel in wanted:
        if channel.required and channel.name not in found and free:
            found[channel.name] = free.pop(0)
    return found
