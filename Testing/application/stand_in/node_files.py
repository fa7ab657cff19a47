"""`slicer.app.coreIOManager()`: what `slicer.util`'s functions that load and save ask for."""

from pathlib import Path
from typing import Any

import slicer

__all__ = ["NodeFiles"]

READERS = {
    ".seg.nrrd": "SegmentationFile",
    ".nrrd": "VolumeFile",
    ".nii": "VolumeFile",
    ".nii.gz": "VolumeFile",
    ".mha": "VolumeFile",
    ".mrb": "SceneFile",
}
WRITERS = {
    "vtkMRMLSegmentationNode": "SegmentationFile",
    "vtkMRMLVolumeNode": "VolumeFile",
    "vtkMRMLTableNode": "TableFile",
}


class NodeFiles:
    """Reads volumes, segmentations and scenes; writes these and tables."""

    def fileType(self, path: str) -> str:
        """Return the type of a file by the longest ending that is known."""
        fitting = [ending for ending in READERS if str(path).endswith(ending)]
        return READERS[max(fitting, key=len)] if fitting else "NoFile"

    def fileWriterFileType(self, node: Any) -> str:
        """Return the type of file that a node is saved as."""
        return next(kind for node_class, kind in WRITERS.items() if node.IsA(node_class))

    def loadNodes(self, kind: str, properties: dict[str, Any], loaded: Any, messages: Any = None) -> bool:
        """Load a file and add its node to the collection `loaded`; returns whether that worked."""
        path = properties["fileName"]
        name = properties.get("name") or Path(path).name.partition(".")[0]
        if kind == "SceneFile":
            return slicer.mrmlScene.ReadFromMRB(path, bool(properties.get("clear", False)), messages)
        if kind == "VolumeFile":
            labelmap = 1 if properties.get("labelmap") else 0
            node = slicer.modules.volumes.logic().AddArchetypeVolume(path, name, labelmap)
        elif kind == "SegmentationFile":
            logic = slicer.modules.segmentations.logic()
            node = logic.LoadSegmentationFromFile(path, True, name, None, messages)
        else:
            return False
        if node is not None:
            loaded.AddItem(node)
        return node is not None

    def saveNodes(self, kind: str, properties: dict[str, Any], messages: Any = None) -> bool:
        """Save the scene, or the node whose id is given; returns whether that worked."""
        path = str(properties["fileName"])
        if kind == "SceneFile":
            return slicer.mrmlScene.WriteToMRB(path, None, messages)
        node = slicer.mrmlScene.GetNodeByID(properties["nodeID"])
        if node.GetStorageNode() is None:
            node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(path)
        return bool(node.GetStorageNode().WriteData(node))
