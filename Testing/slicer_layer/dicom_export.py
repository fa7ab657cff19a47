"""A volume that came from DICOM is matched by its tags and can be exported as DICOM SEG; another cannot."""

import tempfile
from pathlib import Path

import SimpleITK as sitk

from LightSegLib.resources import resources_root
from LightSegLib.slicer_bridge.volumes import world_volume

ui = widget.ui
UID = "1.2.826.0.1.3680043.2.1125"


class Database:
    """The functions of the DICOM database that the module calls."""

    isOpen = True
    files, tags = {}, {"0008,0060": "MR", "0008,103e": "t2_tirm_tra_dark-fluid", "0018,1030": "", "0018,0010": ""}

    def fileForInstance(self, uid):
        return self.files.get(uid, "")

    def instanceValue(self, uid, tag):
        return self.tags[tag] if uid in self.files else ""


slicer.dicomDatabase = database = Database()
volume = slicer.util.loadVolume(str(resources_root() / "Samples" / "wmh_flair.nii.gz"), {"name": "7: head"})
image = sitk.Cast(world_volume(volume).image, sitk.sitkInt16)
x, y, _ = (image.GetDirection()[axis::3] for axis in range(3))
folder = Path(tempfile.mkdtemp())
writer = sitk.ImageFileWriter()
writer.KeepOriginalImageUIDOn()
for index in range(image.GetSize()[2]):
    part, uid = image[:, :, index], f"{UID}.1.{index + 1}"
    tags = {
        "0008|0060": "MR",
        "0008|0018": uid,
        "0020|000d": f"{UID}.77",
        "0020|000e": f"{UID}.1",
        "0020|0052": f"{UID}.9",
        "0020|0032": "\\".join(map(str, image.TransformIndexToPhysicalPoint((0, 0, index)))),
        "0020|0037": "\\".join(map(str, (*x, *y))),
    }
    for key, value in tags.items():
        part.SetMetaData(key, value)
    database.files[uid] = str(folder / f"{index:03d}.dcm")
    writer.SetFileName(database.files[uid])
    writer.Execute(part)
volume.SetAttribute("DICOM.instanceUIDs", " ".join(database.files))

# its name says nothing, but the series description does
widget.logic.getParameterNode().model = "tumor-acu"
wait(lambda: widget.panel._inputs.nodes().get("FLAIR") is volume)
widget.logic.getParameterNode().model = "wmh-acu"
wait(lambda: ui.segmentButton.enabled and "FLAIR" in widget.panel._inputs.nodes())
ui.segmentButton.click()
wait(lambda: ui.resultsButton.visible, 120)
assert ui.dicomButton.enabled, ui.dicomButton.toolTip
path = folder / "result.dcm"
layer.dialogs.answers.append(str(path))
ui.dicomButton.click()
wait(lambda: ui.segmentButton.text == "Segment" and "Saved" in ui.statusLabel.text, 60)
assert path.stat().st_size > 10000

# a CT model says what is wrong
slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene).SetItemAttribute(
    slicer.vtkMRMLSubjectHierarchyNode.GetSubjectHierarchyNode(slicer.mrmlScene).GetItemByDataNode(volume),
    "DICOM.Modality",
    "MR",
)
widget.logic.getParameterNode().model = "liver-pocket"
wait(lambda: "CT" in widget.panel._inputs.nodes())
widget.panel._inputs._rows["CT"].selector.setCurrentNode(volume)
wait(lambda: not ui.segmentButton.enabled)
assert "its DICOM tags say MR" in ui.segmentButton.toolTip, ui.segmentButton.toolTip
