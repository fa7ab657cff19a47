"""What is wrong with the volumes chosen as inputs, as far as it shows without reading their voxels."""

from collections.abc import Mapping, Sequence

import numpy as np
import slicer

from LightSegLib.bundles import InputChannel
from LightSegLib.errors import InputError
from LightSegLib.slicer_bridge.volumes import scalar_image_data

__all__ = ["input_problems"]

MIN_OVERLAP = 0.5
"""As for files: a further input covers this share of the first one's box, or likely is another patient's."""


def input_problems(
    channels: Sequence[InputChannel], volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode | None]"
) -> dict[str, str]:
    """Return what is wrong with the volume of each channel that has one, "" where nothing is.

    The worker checks more: it reads the voxels.
    """
    problems: dict[str, str] = {}
    given = [(channel, node) for channel in channels if (node := volumes.get(channel.name)) is not None]
    main = given[0] if given else None
    used: dict[str, str] = {}
    for channel, node in given:
        other = used.setdefault(node.GetID(), channel.name)
        problems[channel.name] = (
            _unusable(node)
            or _wrong_modality(channel, node)
            or (f"the same volume as {other}" if other != channel.name else "")
            or ("" if main is None or main[1] is node else _elsewhere(channel.name, node, *main))
        )
    return problems


def _unusable(node: "slicer.vtkMRMLScalarVolumeNode") -> str:
    try:
        size = scalar_image_data(node).GetDimensions()
    except InputError as error:
        return str(error)
    return "" if min(size) > 1 else "a single slice: choose a volume"


def _wrong_modality(channel: InputChannel, node: "slicer.vtkMRMLScalarVolumeNode") -> str:
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    found = hierarchy.GetItemAttribute(item, "DICOM.Modality") if item else ""
    known = {"CT": "CT", "MR": "MR"}
    wanted = known.get("MR" if channel.modality.startswith("MR") else channel.modality, found)
    return "" if found not in known or found == wanted else f"its DICOM tags say {found}, {channel.name} is {wanted}"


def _elsewhere(
    name: str,
    node: "slicer.vtkMRMLScalarVolumeNode",
    main: InputChannel,
    main_node: "slicer.vtkMRMLScalarVolumeNode",
) -> str:
    low, high = _box(main_node)
    other_low, other_high = _box(node)
    common = np.clip(np.minimum(high, other_high) - np.maximum(low, other_low), 0, None)
    share = float(np.prod(common) / max(np.prod(high - low), 1e-9))
    if share >= MIN_OVERLAP:
        return ""
    return f"{name} does not overlap {main.name}" if share == 0 else f"{name} covers {share:.0%} of {main.name}"


def _box(node: "slicer.vtkMRMLScalarVolumeNode") -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and the highest corner in world space, mm (RAS)."""
    bounds = np.zeros(6)
    node.GetRASBounds(bounds)
    return bounds[::2], bounds[1::2]
