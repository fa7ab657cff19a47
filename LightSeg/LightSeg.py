"""LightSeg as a module of 3D Slicer; everything that is not a button is in LightSegLib."""

import sys
import unittest
from pathlib import Path

import qt
import slicer
import vtk
from slicer import vtkMRMLLabelMapVolumeNode, vtkMRMLSegmentationNode
from slicer.i18n import tr as _
from slicer.i18n import translate
from slicer.parameterNodeWrapper import parameterNodeWrapper
from slicer.ScriptedLoadableModule import (
    ScriptedLoadableModule,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
    ScriptedLoadableModuleWidget,
)
from slicer.util import VTKObservationMixin

try:
    import LightSegLib  # noqa: F401
except ImportError:  # the source tree, where the library is beside this folder
    sys.path.append(str(Path(__file__).resolve().parent.parent))

from LightSegLib.errors import LightSegError
from LightSegLib.slicer_bridge.installer import missing_dependencies
from LightSegLib.slicer_bridge.panel.dialogs import SlicerDialogs
from LightSegLib.slicer_bridge.panel.input_rows import INPUT_ROLE
from LightSegLib.slicer_bridge.panel.panel import Panel
from LightSegLib.slicer_bridge.sample_data import SAMPLES, load_sample, register_samples
from LightSegLib.slicer_bridge.start import (
    segment,
    segment_folder,
    start_batch,
    start_export,
    start_measure,
    start_segment,
)

SETTLE_MS = 100


class LightSeg(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "LightSeg"
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["LightSeg developers"]
        self.parent.helpText = _(
            "Segments white matter hyperintensities, brain tumors and the liver with very small networks, on this "
            "computer, offline. Choose a task and volumes, click Segment, read the volumes. Research software, not a "
            "medical device."
        )
        self.parent.acknowledgementText = _("The networks and their sources are described in each model's card.")
        slicer.app.connect("startupCompleted()", self._register_samples)

    def _register_samples(self) -> None:
        register_samples(_prepare_sample)


def _prepare_sample(name: str, nodes) -> None:
    """Choose model, inputs and reference, so that one click on Segment is all that is left."""
    parameters = LightSegLogic().getParameterNode()
    parameters.reference = nodes["reference"]
    for channel in SAMPLES[name].files:
        parameters.parameterNode.SetNodeReferenceID(INPUT_ROLE + channel, nodes[channel].GetID())
    parameters.model = SAMPLES[name].model


@parameterNodeWrapper
class LightSegParameterNode:
    """What the user chose; the inputs are node references `Input.<channel>`, as they depend on the model."""

    model: str = "wmh-acu"  # what most come for
    reference: vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode | None
    reference_segment: str = ""
    output: vtkMRMLSegmentationNode
    result: vtkMRMLSegmentationNode
    postprocessing: str = "shipped"
    device: str = "auto"
    precision: str = "auto"
    threads: int = 0  # all
    probabilities: bool = False


class LightSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: LightSegLogic | None = None
        self.panel: Panel | None = None
        self._timer = qt.QTimer()
        self._parameters: LightSegParameterNode | None = None
        self._gui_tag = None

    def setup(self) -> None:
        """Build the panel; called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/LightSeg.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = LightSegLogic()
        try:
            self.panel = Panel(self.ui, self.logic, SlicerDialogs())
        except LightSegError as error:  # a damaged installation
            self.ui.statusLabel.text = str(error)
            return
        # Events come in bursts, and a node gets its name and image only after it was added.
        self._timer.singleShot = True
        self._timer.interval = SETTLE_MS
        self._timer.connect("timeout()", self._on_settled)
        scene = slicer.mrmlScene
        self.addObserver(scene, scene.StartCloseEvent, self._on_scene_start_close)
        self.addObserver(scene, scene.EndCloseEvent, self._on_scene_end_close)
        self.addObserver(scene, scene.EndImportEvent, self._on_scene_end_import)
        for event in (scene.NodeAddedEvent, scene.NodeRemovedEvent):
            self.addObserver(scene, event, self._on_scene_changed)
        self._use_parameters(self.logic.getParameterNode())

    def cleanup(self) -> None:
        """End a run and let go of the scene; called when the application closes or the module is reloaded."""
        self._use_parameters(None)
        self.removeObservers()

    def enter(self) -> None:
        """Follow the scene; called whenever the module is opened."""
        if self._parameters is None and self.panel is not None:
            self._use_parameters(self.logic.getParameterNode())

    def _on_scene_start_close(self, caller, event) -> None:
        self._use_parameters(None)

    def _on_scene_end_close(self, caller, event) -> None:
        if self.parent.isEntered:
            self._use_parameters(self.logic.getParameterNode())

    def _on_scene_end_import(self, caller, event) -> None:
        # A new wrapper: this one has read its nodes before they were there, and keeps what it read.
        if self._parameters is not None:
            self._use_parameters(self.logic.getParameterNode())

    def _on_scene_changed(self, caller, event) -> None:
        self._timer.start()

    def _on_parameters_modified(self, caller, event) -> None:
        self._timer.start()

    def _on_settled(self) -> None:
        if self._parameters is not None:
            self.panel.follow(self._parameters)

    def _use_parameters(self, parameters: LightSegParameterNode | None) -> None:
        if self.panel is None:
            return
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters_modified)
        self._parameters = parameters
        self.panel.use(parameters)
        if parameters is not None:
            self._gui_tag = parameters.connectGui(self.ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._on_parameters_modified)


class LightSegLogic(ScriptedLoadableModuleLogic):
    """Segments volume nodes and folders, for the panel and for the Python console.

    >>> LightSegLogic().segment(model="wmh-acu", volumes={"FLAIR": getNode("FLAIR")}).volumes_ml
    >>> LightSegLogic().segmentFolder("/data/cohort", "/data/results", model="wmh-acu").table

    `segment` and `segmentFolder` block, while the application stays alive; the others return a handle at once.
    """

    def getParameterNode(self) -> LightSegParameterNode:
        """Return the module's parameter node, typed."""
        return LightSegParameterNode(super().getParameterNode())

    segment = staticmethod(segment)
    segmentFolder = staticmethod(segment_folder)
    start_segment = staticmethod(start_segment)
    start_measure = staticmethod(start_measure)
    start_export = staticmethod(start_export)
    start_batch = staticmethod(start_batch)


class LightSegTest(ScriptedLoadableModuleTest):
    """The module's self-test: it segments a sample that comes with LightSeg."""

    def setUp(self) -> None:
        """Empty the scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run the test."""
        self.setUp()
        try:
            self.test_sample()
        except unittest.SkipTest as skipped:  # here nobody else tells
            self.delayDisplay(f"Test skipped: {skipped}")

    def test_sample(self) -> None:
        """Segment the sample and compare it with its reference; without OpenVINO this is skipped, not passed."""
        nodes = load_sample("wmh")
        if missing_dependencies():
            self.skipTest("OpenVINO is not installed, and tests install nothing")
        result = LightSegLogic().segment(
            model=SAMPLES["wmh"].model, volumes={"FLAIR": nodes["FLAIR"]}, reference=nodes["reference"]
        )
        self.assertGreater(next(iter(result.volumes_ml.values())), 0)
        self.assertGreater(result.agreement.dice, 0.8)
        self.assertEqual(result.volumes_table.GetNumberOfRows(), 1)
        self.assertEqual(result.agreement_table.GetNumberOfRows(), 1)
        self.delayDisplay(f"Test passed, Dice {result.agreement.dice:.3f}")
