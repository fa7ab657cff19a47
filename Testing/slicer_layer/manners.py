"""What the application is relied on for, apart from our panel: the same here, in our stand-in, and in Slicer."""

import numpy as np

# Qt's objects: properties are attributes, signals connect by signature, slots get only what they take
button = qt.QPushButton("Name")
button.enabled = False
assert button.text == "Name" and not button.enabled and button.className() == "QPushButton"
button.setEnabled(True)
told = []
button.connect("clicked(bool)", told.append)
button.connect("clicked()", lambda: told.append("nothing"))
button.clicked.connect(lambda checked=None: told.append(checked))
button.click()
assert told == [False, "nothing", False], told
button.disconnect("clicked(bool)", told.append)
button.click()
assert told[3:] == ["nothing", False], told
assert isinstance(button, qt.QWidget) and not isinstance(button, qt.QLabel)

qt.QTimer.singleShot(0, lambda: told.append("later"))
wait(lambda: told[-1] == "later")
progress = qt.QProgressBar()
progress.setRange(0, 10)
progress.value = 3
assert (progress.minimum, progress.maximum, progress.value) == (0, 10, 3)
label = qt.QLabel("text")
label.alignment = qt.Qt.AlignRight | qt.Qt.AlignTop
assert label.alignment & qt.Qt.AlignRight and not label.alignment & qt.Qt.AlignLeft
label.setProperty("mine", "value")
assert label.property("mine") == "value"
choice = qt.QComboBox()
choice.addItem("first", "data 1")
choice.addItem("second", "data 2")
changes = []
choice.connect("currentIndexChanged(int)", changes.append)
choice.setCurrentIndex(1)
assert changes == [1] and choice.currentText == "second" and choice.currentData == "data 2" and choice.count == 2
assert choice.findText("first") == 0 and choice.findData("data 2") == 1 and choice.itemText(0) == "first"
table = qt.QTableWidget(2, 2)
table.setHorizontalHeaderLabels(["a", "b"])
table.setItem(0, 1, qt.QTableWidgetItem("cell"))
table.rowCount = 3
assert table.item(0, 1).text() == "cell" and table.rowCount == 3
names = qt.QListWidget()
names.addItems(["x", "y"])
assert names.count == 2 and names.item(1).text() == "y"
text = qt.QPlainTextEdit()
text.appendPlainText("line 1")
text.appendPlainText("line 2")
assert text.plainText == text.toPlainText() == "line 1\nline 2"
qt.QApplication.clipboard().setText("copied")
assert slicer.app.clipboard().text() == "copied"
settings = qt.QSettings()
settings.setValue("LightSeg/test", "kept")
assert slicer.util.settingsValue("LightSeg/test", "") == "kept"
settings.remove("LightSeg/test")
assert slicer.util.settingsValue("LightSeg/test", "absent") == "absent"
form = qt.QFormLayout()
form.addRow("Row:", names)
form.insertRow(0, qt.QLabel("above"), text)
assert form.rowCount() == 2 and form.itemAt(0, qt.QFormLayout.FieldRole).widget().plainText == text.plainText
menu = qt.QMenu()
action = menu.addAction("Entry")
action.connect("triggered()", lambda: told.append("entry"))
action.trigger()
assert told[-1] == "entry" and [a.text for a in menu.actions()] == ["Entry"]

for wrong in (
    "button.enabledd = True",
    "button.colour",
    "qt.QNoSuchWidget",
    "ctk.ctkNoSuchWidget",
    "slicer.qMRMLNoSuchWidget",
    "slicer.app.noSuchThing",
    "slicer.modules.nosuchmodule",
    "slicer.qMRMLNodeComboBox().setNodeTypes([])",
):
    try:
        exec(wrong)
    except AttributeError:
        continue
    raise AssertionError(f"accepted: {wrong}")

# CTK
section = ctk.ctkCollapsibleButton()
layout = qt.QVBoxLayout(section)
inside, secret = qt.QLabel("inside"), qt.QLabel("secret")
layout.addWidget(inside)
layout.addWidget(secret)
secret.visible = False
section.show()
folded = []
section.connect("contentsCollapsed(bool)", folded.append)
section.collapsed = True
assert folded == [True] and not inside.visible and section.height < 60
section.collapsed = False
assert inside.visible and not secret.visible
section.hide()
slider = ctk.ctkSliderWidget()
slider.minimum, slider.maximum, slider.singleStep, slider.decimals = 0, 1, 0.01, 2
values = []
slider.connect("valueChanged(double)", values.append)
slider.value = 0.25
assert values == [0.25] and slider.value == 0.25
path = ctk.ctkPathLineEdit()
path.filters = ctk.ctkPathLineEdit.Dirs
paths = []
path.connect("currentPathChanged(QString)", paths.append)
path.currentPath = "/somewhere"
assert paths == ["/somewhere"] and path.currentPath == "/somewhere"

# selectors of nodes
selector = slicer.qMRMLNodeComboBox()
selector.nodeTypes = ["vtkMRMLSegmentationNode", "vtkMRMLLabelMapVolumeNode"]
selector.noneEnabled = True
selector.addEnabled = selector.removeEnabled = False
chosen, ids = [], []
selector.connect("currentNodeChanged(vtkMRMLNode*)", chosen.append)
selector.connect("currentNodeIDChanged(QString)", ids.append)
assert not selector.enabled
selector.setMRMLScene(slicer.mrmlScene)
assert selector.enabled and selector.currentNode() is None and selector.currentNodeID == ""
voxels = np.zeros((3, 4, 5), np.uint8)
labels = slicer.util.addVolumeFromArray(voxels, name="Labels", nodeClassName="vtkMRMLLabelMapVolumeNode")
image = slicer.util.addVolumeFromArray(voxels, name="Image")
wait(lambda: selector.nodeCount() == 1)
selector.setCurrentNode(image)
assert selector.currentNode() is None
selector.setCurrentNode(labels)
assert selector.currentNode() is labels and chosen == [labels] and ids == [labels.GetID()]
slicer.mrmlScene.RemoveNode(labels)
assert selector.currentNode() is None and chosen == [labels, None]
volumes = slicer.qMRMLNodeComboBox()
volumes.nodeTypes = ["vtkMRMLScalarVolumeNode"]
volumes.showChildNodeTypes = False
volumes.setMRMLScene(slicer.mrmlScene)
labels = slicer.util.addVolumeFromArray(voxels, name="Labels", nodeClassName="vtkMRMLLabelMapVolumeNode")
wait(lambda: volumes.nodeCount() == 1)
segments = slicer.qMRMLSegmentSelectorWidget()
segments.setMRMLScene(slicer.mrmlScene)
segmentation = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLSegmentationNode", "Two")
first = segmentation.GetSegmentation().AddEmptySegment("first", "First")
second = segmentation.GetSegmentation().AddEmptySegment("second", "Second")
segments.setCurrentNode(segmentation)
segments.setCurrentSegmentID(second)
assert segments.currentNode() is segmentation and segments.currentSegmentID() == second

# dialogs are answered without waiting
layer.dialogs.answers += [qt.QMessageBox.Cancel, qt.QMessageBox.No, "/chosen"]
assert not slicer.util.confirmOkCancelDisplay("Sure?")
assert not slicer.util.confirmYesNoDisplay("Really?")
assert qt.QFileDialog.getExistingDirectory(None, "Folder") == "/chosen"
assert slicer.util.confirmOkCancelDisplay("Once more?")
slicer.util.infoDisplay("Done")
slicer.util.errorDisplay("Bad")
assert [dialog.kind for dialog in layer.dialogs] == [
    "question",
    "question",
    "getExistingDirectory",
    "question",
    "information",
    "error",
]
assert "Bad" in layer.dialogs[-1].text
layer.dialogs.clear()

# a console process
lines, codes = [], []
slicer.util.launchConsoleProcess(
    ["PythonSlicer", "-c", "print('from the process')"],
    useStartupEnvironment=False,
    blocking=False,
    logCallback=lines.append,
    completedCallback=codes.append,
)
wait(lambda: codes, seconds=60)
assert codes == [0] and any("from the process" in line for line in lines), (codes, lines)

# other modules
slicer.util.selectModule("SegmentEditor")
assert slicer.util.selectedModule() == "SegmentEditor" and not widget.parent.isEntered
slicer.util.selectModule("LightSeg")
assert widget.parent.isEntered and slicer.util.getModuleWidget("LightSeg") is widget

# the scene: closing it, saving and loading it
events = []
scene = slicer.mrmlScene
scene.AddObserver(scene.StartCloseEvent, lambda caller, event: events.append("start"))
scene.AddObserver(scene.EndCloseEvent, lambda caller, event: events.append("end"))
node = widget.logic.getParameterNode().parameterNode
node.SetParameter("kept", "yes")
node.SetNodeReferenceID("kept", image.GetID())
folder = slicer.util.tempDirectory()
assert slicer.util.saveScene(f"{folder}/scene.mrb")
scene.Clear()
assert events == ["start", "end"]
assert slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode") == [] and volumes.nodeCount() == 0
slicer.util.loadScene(f"{folder}/scene.mrb")
node = widget.logic.getParameterNode().parameterNode
assert node.GetParameter("kept") == "yes" and node.GetNodeReference("kept").GetName() == "Image"
assert slicer.util.getNode("Two").GetSegmentation().GetNumberOfSegments() == 2
wait(lambda: volumes.nodeCount() == 1)
scene.Clear()
