"""Which volumes of a scene are most likely meant as a model's inputs."""

from collections.abc import Sequence

import slicer

from LightSegLib.bundles import InputChannel
from LightSegLib.pipeline.channels import likely_channel

__all__ = ["likely_volumes"]


def likely_volumes(
    channels: Sequence[InputChannel],
    wanted: Sequence[InputChannel],
    scene: "slicer.vtkMRMLScene",
    taken: "Sequence[slicer.vtkMRMLScalarVolumeNode]",
) -> "dict[str, slicer.vtkMRMLScalarVolumeNode]":
    """Return a volume for each of the `wanted` ones among a model's `channels` for which the scene has one, by name.

    A volume's name decides, then its DICOM tags; for a model's only input and for a required one any volume will do.
    Volumes that are `taken` are not proposed, nor is one for two channels.
    """
    free = [
        node
        for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode", scene)
        if node.GetClassName() == "vtkMRMLScalarVolumeNode" and not node.GetHideFromEditors() and node not in taken
    ]
    found: dict[str, slicer.vtkMRMLScalarVolumeNode] = {}
    for describe in (lambda node: node.GetName() or "", _dicom_text):
        for channel in wanted:
            fitting = [node for node in free if likely_channel(channels, describe(node)) == channel.name]
            if channel.name not in found and fitting:
                found[channel.name] = fitting[0]
                free.remove(fitting[0])
    for channel in wanted:
        if channel.required and channel.name not in found and free:
            found[channel.name] = free.pop(0)
    return found


def _dicom_text(node: "slicer.vtkMRMLScalarVolumeNode") -> str:
    return ""
