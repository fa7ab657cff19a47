"""Where a volume node came from in DICOM: its files, and what they say it is."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer

from LightSegLib.bundles import InputChannel
from LightSegLib.pipeline.channels import likely_channel

__all__ = ["DicomDescription", "dicom_description", "dicom_files", "likely_input", "why_no_dicom_seg"]

INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"
"""What Slicer's DICOM plugins set on a volume node: the UIDs of its instances, separated by spaces."""
ITEM_ATTRIBUTES = {"modality": "DICOM.Modality", "series": "DICOM.SeriesDescription"}
"""What they set on its item in the subject hierarchy, where it is saved with the scene."""
TAGS = {"modality": "0008,0060", "series": "0008,103e", "protocol": "0018,1030", "contrast_agent": "0018,0010"}
NO_AGENT = ("", "no", "none", "without")


@dataclass(frozen=True, kw_only=True)
class DicomDescription:
    """What DICOM says a volume is; parts that are not known are empty."""

    modality: str = ""
    series: str = ""
    protocol: str = ""
    contrast_agent: str = ""

    @property
    def has_contrast(self) -> bool:
        """Whether a contrast agent is named."""
        return self.contrast_agent.strip().casefold() not in NO_AGENT


def dicom_files(node: "slicer.vtkMRMLVolumeNode | None") -> tuple[Path, ...]:
    """Return the DICOM files that a volume node was loaded from, () if there are none or some are gone."""
    files = _known_files(node)
    return files if all(file is not None and file.is_file() for file in files) else ()  # type: ignore[return-value]


def why_no_dicom_seg(node: "slicer.vtkMRMLVolumeNode | None") -> str | None:
    """Return why no DICOM SEG can refer to a volume node, as a sentence for a tooltip; None if one can."""
    if node is None:
        return "Choose a volume first"
    files = _known_files(node)
    if not files:
        return f'"{node.GetName()}" was not loaded from DICOM'
    if any(file is None or not file.is_file() for file in files):
        return f'The DICOM files of "{node.GetName()}" are not in the DICOM database any more: import them again'
    return None


def dicom_description(node: "slicer.vtkMRMLVolumeNode") -> DicomDescription | None:
    """Return what DICOM says a volume node is, None if it did not come from DICOM.

    Modality and series description are also there after a scene was loaded where the DICOM database is absent.
    """
    instances = _instances(node)
    hierarchy = slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(node.GetScene())
    item = hierarchy.GetItemByDataNode(node) if hierarchy is not None else 0
    found = {name: hierarchy.GetItemAttribute(item, attribute) for name, attribute in ITEM_ATTRIBUTES.items() if item}
    if not instances and not any(found.values()):
        return None
    database = _database()
    for name, tag in TAGS.items():
        if database is not None and instances and not found.get(name):
            found[name] = database.instanceValue(instances[0], tag)
    return DicomDescription(**found)


def likely_input(channels: Sequence[InputChannel], node: "slicer.vtkMRMLVolumeNode") -> str | None:
    """Return the channel that a volume node's name or else its DICOM description suggests, None if none does.

    A contrast agent counts as if the names said "contrast". A channel of another modality than the volume's, where
    DICOM tells it, is never suggested.
    """
    description = dicom_description(node) or DicomDescription()
    fitting = [channel for channel in channels if description.modality in ("", channel.modality)]
    contrast = " contrast" if description.has_contrast else ""
    for name in (node.GetName() or "", description.series, description.protocol):
        if name and (channel := likely_channel(fitting, name + contrast)) is not None:
            return channel
    return None


def _instances(node: "slicer.vtkMRMLVolumeNode | None") -> list[str]:
    return (node.GetAttribute(INSTANCES_ATTRIBUTE) or "").split() if node is not None else []


def _known_files(node: "slicer.vtkMRMLVolumeNode | None") -> tuple[Path | None, ...]:
    """Return the file of each instance of a node, None where the database knows none."""
    database = _database()
    files = [database.fileForInstance(uid) if database is not None else "" for uid in _instances(node)]
    return tuple(Path(file) if file else None for file in dict.fromkeys(files))


def _database() -> Any:
    """Return Slicer's DICOM database if there is one and it is open."""
    database = getattr(slicer, "dicomDatabase", None)
    return database if database is not None and database.isOpen else None
