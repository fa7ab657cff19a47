"""LightSeg as a module of 3D Slicer; everything that is not a button is in LightSegLib."""

import sys
from pathlib import Path

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

from LightSegLib.bundles import bundle_names, load_bundle
from LightSegLib.errors import CancelledError, LightSegError, MissingDependencyError
from LightSegLib.resources import resources_root
from LightSegLib.slicer_bridge.input_rows import InputRows
from LightSegLib.slicer_bridge.installer import missing_dependencies
from LightSegLib.slicer_bridge.run import SegmentRun
from LightSegLib.slicer_bridge.start import segment, start_segment

PROGRESS_STEPS = 1000


class LightSeg(ScriptedLoadableModule):
    """The module as Slicer lists it."""

    def __init__(self, parent) -> None:
        ScriptedLoadableModule.__init__(self, parent)
        self.parent.title = "LightSeg"
        self.parent.categories = [translate("qSlicerAbstractCoreModule", "Segmentation")]
        self.parent.dependencies = []
        self.parent.contributors = ["LightSeg developers"]
        self.parent.helpText = _(
            "Segments lesions and organs with very small networks, on this computer's processor, offline. Choose a "
            "model and volumes, click Segment, read the volumes. Research software, not a medical device."
        )
        self.parent.acknowledgementText = _("The networks and their sources are described in each model's card.")


@parameterNodeWrapper
class LightSegParameterNode:
    """What the user chose; the inputs are node references `Input.<channel>`, as they depend on the model."""

    model: str = "wmh-acu"  # what most come for; helpers like brain extraction sort before it
    reference: vtkMRMLSegmentationNode | vtkMRMLLabelMapVolumeNode | None
    output: vtkMRMLSegmentationNode


class LightSegWidget(ScriptedLoadableModuleWidget, VTKObservationMixin):
    """The module's panel."""

    def __init__(self, parent=None) -> None:
        ScriptedLoadableModuleWidget.__init__(self, parent)
        VTKObservationMixin.__init__(self)
        self.logic: LightSegLogic | None = None
        self._parameters: LightSegParameterNode | None = None
        self._gui_tag = None
        self._run: SegmentRun | None = None

    def setup(self) -> None:
        """Build the panel; called once, when the module is first opened."""
        ScriptedLoadableModuleWidget.setup(self)
        panel = slicer.util.loadUI(self.resourcePath("UI/LightSeg.ui"))
        self.layout.addWidget(panel)
        self.ui = slicer.util.childWidgetVariables(panel)
        panel.setMRMLScene(slicer.mrmlScene)
        self.logic = LightSegLogic()
        self.inputs = InputRows(self.ui.inputsButton.layout(), self._update_button)
        try:
            for name in bundle_names():
                self.ui.modelSelector.addItem(name)
        except LightSegError as error:
            self.ui.statusLabel.text = str(error)
        self.ui.progressBar.maximum = PROGRESS_STEPS
        self.ui.progressBar.visible = self.ui.resultsTable.visible = False
        self.ui.modelSelector.connect("currentIndexChanged(int)", self._on_model)
        self.ui.segmentButton.connect("clicked(bool)", self._on_segment)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.StartCloseEvent, self._on_scene_start_close)
        self.addObserver(slicer.mrmlScene, slicer.mrmlScene.EndCloseEvent, self._on_scene_end_close)
        self._use_parameters(self.logic.getParameterNode())

    def cleanup(self) -> None:
        """End a run and let go of the scene; called when the application closes or the module is reloaded."""
        if self._run is not None:
            self._run.cancel()
        self._use_parameters(None)
        self.removeObservers()

    def enter(self) -> None:
        """Follow the scene; called whenever the module is opened."""
        if self._parameters is None:
            self._use_parameters(self.logic.getParameterNode())

    def _on_scene_start_close(self, caller, event) -> None:
        if self._run is not None:
            self._run.cancel()
        self._use_parameters(None)

    def _on_scene_end_close(self, caller, event) -> None:
        if self.parent.isEntered:
            self._use_parameters(self.logic.getParameterNode())

    def _use_parameters(self, parameters: LightSegParameterNode | None) -> None:
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self.removeObserver(self._parameters, vtk.vtkCommand.ModifiedEvent, self._update_button)
        self._parameters = parameters
        if parameters is not None:
            index = self.ui.modelSelector.findText(parameters.model)
            self.ui.modelSelector.setCurrentIndex(max(index, 0))
            self._gui_tag = parameters.connectGui(self.ui)
            self.addObserver(parameters, vtk.vtkCommand.ModifiedEvent, self._update_button)
            self._on_model()

    def _on_model(self, index: int = 0) -> None:
        name = self.ui.modelSelector.currentText
        if self._parameters is None or not name:
            return
        self._parameters.model = name
        try:
            bundle = load_bundle(name)
        except LightSegError as error:
            self.inputs.show((), self._parameters.parameterNode)
            self.ui.statusLabel.text = str(error)
        else:
            self.inputs.show(bundle.inputs, self._parameters.parameterNode)
            self.ui.modelSelector.toolTip = bundle.description
        self._update_button()

    def _update_button(self, caller=None, event=None) -> None:
        is_running = self._run is not None
        has_input = any(node is not None for node in self.inputs.nodes().values())
        self.ui.segmentButton.text = _("Cancel") if is_running else _("Segment")
        self.ui.segmentButton.enabled = is_running or has_input
        self.ui.segmentButton.toolTip = "" if is_running or has_input else _("Choose a volume first")

    def _on_segment(self, checked: bool = False) -> None:
        if self._run is not None:
            self._run.cancel()
            return
        try:
            run = self.logic.start_segment(
                model=self._parameters.model,
                volumes=self.inputs.nodes(),
                reference=self._parameters.reference,
                output=self._parameters.output,
                interactive=True,
            )
        except LightSegError as error:
            self._show_error(error)
            return
        self._run = run
        self.ui.progressBar.value = 0
        self.ui.progressBar.visible = True
        self._update_button()
        run.on_progress(self._show_progress)
        run.on_done(self._show_outcome)

    def _show_progress(self, fraction: float, message: str) -> None:
        self.ui.progressBar.value = round(fraction * PROGRESS_STEPS)
        self.ui.statusLabel.text = message

    def _show_outcome(self, run: SegmentRun) -> None:
        self._run = None
        self.ui.progressBar.visible = False
        self._update_button()
        try:
            result = run.result()
        except CancelledError as error:
            self.ui.statusLabel.text = str(error)
        except Exception as error:  # also the unexpected ones must reach the user
            self._show_error(error)
        else:
            self.ui.resultsTable.setMRMLTableNode(result.table)
            self.ui.resultsTable.visible = True
            self.ui.statusLabel.text = _("{name}: done in {seconds:.1f} s").format(
                name=result.segmentation.GetName(), seconds=result.timings_s["total"]
            )

    def _show_error(self, error: Exception) -> None:
        self.ui.statusLabel.text = str(error)
        slicer.util.errorDisplay(str(error), windowTitle="LightSeg")


class LightSegLogic(ScriptedLoadableModuleLogic):
    """Segments volume nodes, for the panel and for the Python console.

    >>> LightSegLogic().segment(model="wmh-acu", volumes={"FLAIR": getNode("FLAIR")}).volumes_ml

    `segment` blocks, while the application stays alive, and returns nodes and numbers; `start_segment` returns a
    handle at once.
    """

    def getParameterNode(self) -> LightSegParameterNode:
        """Return the module's parameter node, typed."""
        return LightSegParameterNode(super().getParameterNode())

    start_segment = staticmethod(start_segment)
    segment = staticmethod(segment)


class LightSegTest(ScriptedLoadableModuleTest):
    """The module's self-test: it segments the sample that comes with LightSeg."""

    def setUp(self) -> None:
        """Empty the scene."""
        slicer.mrmlScene.Clear()

    def runTest(self) -> None:
        """Run the test."""
        self.setUp()
        self.test_sample()

    def test_sample(self) -> None:
        """Segment the sample and compare it with its reference; without OpenVINO, expect the typed error."""
        samples = resources_root() / "Samples"
        flair = slicer.util.loadVolume(str(samples / "wmh_flair.nii.gz"))
        reference = slicer.util.loadLabelVolume(str(samples / "wmh_reference.nii.gz"))
        job = {"model": "wmh-acu", "volumes": {"FLAIR": flair}, "reference": reference}
        if missing_dependencies():
            self.assertRaises(MissingDependencyError, LightSegLogic().segment, **job)
            self.delayDisplay("OpenVINO is not installed: only the error was tested")
            return
        result = LightSegLogic().segment(**job)
        self.assertGreater(result.volumes_ml[next(iter(result.volumes_ml))], 0)
        self.assertGreater(result.agreement.dice, 0.5)
        self.assertEqual(result.table.GetNumberOfRows(), 1)
        self.delayDisplay(f"Test passed, Dice {result.agreement.dice:.3f}")
