"""The whole panel: its sections, and the runs that they start."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from LightSegLib.bundles import Bundle
from LightSegLib.errors import CancelledError, InstallationDeclinedError, InstallationFailedError, LightSegError
from LightSegLib.slicer_bridge.devices import DeviceSearch
from LightSegLib.slicer_bridge.installer import ensure_dependencies
from LightSegLib.slicer_bridge.panel.batch_form import BatchForm
from LightSegLib.slicer_bridge.panel.dialogs import Dialogs
from LightSegLib.slicer_bridge.panel.input_rows import InputRows
from LightSegLib.slicer_bridge.panel.model_choice import ModelChoice
from LightSegLib.slicer_bridge.panel.options_form import OptionsForm
from LightSegLib.slicer_bridge.panel.output_choice import OutputChoice
from LightSegLib.slicer_bridge.panel.reference_choice import ReferenceChoice
from LightSegLib.slicer_bridge.panel.results_view import ResultsView
from LightSegLib.slicer_bridge.panel.run_controls import RunControls
from LightSegLib.slicer_bridge.result_nodes import result_nodes
from LightSegLib.slicer_bridge.run import WorkerRun
from LightSegLib.slicer_bridge.views import jump_to

__all__ = ["Logic", "Panel"]

FIRST_INPUT_ROW = 3
"""Below task, model and the model's description."""


class Logic(Protocol):
    """What the panel starts; each returns the handle of a run at once."""

    start_segment: Callable[..., "WorkerRun[Any]"]
    start_measure: Callable[..., "WorkerRun[Any]"]
    start_export: Callable[..., "WorkerRun[Any]"]
    start_batch: Callable[..., "WorkerRun[Any]"]


class Panel:
    """Fills the widgets of the .ui file and follows the parameter node it is given."""

    def __init__(self, ui: Any, logic: Logic, dialogs: Dialogs) -> None:
        self._ui, self._logic, self._dialogs = ui, logic, dialogs
        self._parameters: Any = None
        self._search = DeviceSearch()
        self._models = ModelChoice(ui, self._on_model)
        self._inputs = InputRows(
            ui.inputsButton.layout(), FIRST_INPUT_ROW, ui.modelSelector, ui.referenceSelector, self._on_inputs
        )
        self._reference = ReferenceChoice(ui)
        self._options = OptionsForm(ui, self._search.entries)
        self._controls = RunControls(
            button=ui.segmentButton,
            bar=ui.progressBar,
            status=ui.statusLabel,
            log=ui.logText,
            label=_("Segment"),
            start=self._on_segment,
        )
        self._results = ResultsView(ui, dialogs, measure=self._on_measure, export=self._on_export)
        self._batch = BatchForm(ui, dialogs, start=self._on_batch, changed=self.check)
        self._output = OutputChoice(ui, dialogs, self._on_restored)
        ui.outputSelector.connect("currentNodeChanged(vtkMRMLNode*)", self._on_output)
        ui.optionsButton.connect("contentsCollapsed(bool)", self._on_options)
        ui.gpuButton.connect("clicked(bool)", self._on_gpu)

    def use(self, parameters: Any) -> None:
        """Show what a typed parameter node holds; None ends every run and lets go of the scene."""
        self._parameters = parameters
        if parameters is None:
            self._controls.cancel()
            self._batch.controls.cancel()
            self._inputs.show((), None)
            self._results.show(None)
            self._output.forget()
            return
        self._models.show(parameters.model)
        self._show_model()
        self._show_results(parameters.output)

    def follow(self, parameters: Any) -> None:
        """Take up what came into the scene, and what a script or a loaded scene changed in the parameter node."""
        if parameters.model != self._models.bundle.name:
            self.use(parameters)
        self._inputs.fill()
        self._show_results(parameters.output)
        self.check()

    def check(self) -> None:
        """Enable what can be started now, and say what is missing for the rest."""
        if self._parameters is None:
            return
        is_busy = self._controls.is_running or self._batch.controls.is_running
        self._controls.allow(_("Another run is under way") if is_busy else self._inputs.missing())
        self._batch.allow(not self._controls.is_running)
        self._results.allow(not is_busy)
        self._reference.show(self._models.bundle, self._parameters)

    def _on_model(self, bundle: Bundle) -> None:
        if self._parameters is not None:
            self._parameters.model = bundle.name
            self._show_model()

    def _show_model(self) -> None:
        bundle = self._models.bundle
        self._inputs.show(bundle.inputs, self._parameters.parameterNode)
        self._options.show(bundle, self._parameters)
        self.check()

    def _on_inputs(self) -> None:
        # The result of one image is not offered as the place for that of the next.
        output = self._parameters.output
        nodes = None if output is None else result_nodes(output)
        if nodes is not None and nodes.main is not self._main_input():
            self._parameters.output = None
        self.check()

    def _on_options(self, is_collapsed: bool) -> None:
        if not is_collapsed and self._parameters is not None:
            self._options.show_devices()
            self._ui.gpuButton.visible = self._search.has_unused_gpu

    def _on_gpu(self) -> None:
        try:
            ensure_dependencies(interactive=True, engine="pytorch")
        except LightSegError as error:
            self._fail(error)
        self._on_options(False)

    def _on_segment(self) -> None:
        parameters, bundle = self._parameters, self._models.bundle
        if not self._output.prepare(
            parameters.output, self._main_input() if self._options.wants_probabilities else None
        ):
            return
        try:
            run = self._logic.start_segment(
                model=bundle.name,
                volumes=self._inputs.nodes(),
                reference=parameters.reference,
                reference_segment=parameters.reference_segment,
                output=parameters.output,
                probabilities=self._output.probabilities,
                **self._options.options().segmenter_options(),
                interactive=True,
            )
        except LightSegError as error:
            self._output.failed()
            self._fail(error)
            return

        def ended(run: "WorkerRun[Any]") -> None:
            result = self._result_of(run)
            if result is None:
                self._output.failed()
                return
            self._controls.tell(_("Segmented in {seconds:.1f} s").format(seconds=result.timings_s["total"]))
            self._output.succeeded()
            self._models.remember_seconds(bundle, result.timings_s["total"])
            parameters.result = parameters.output = result.segmentation
            self._results.show(result.segmentation)
            if result.largest_finding_ras is not None:
                jump_to(slicer.mrmlScene, result.largest_finding_ras)

        self._follow(run, ended)

    def _main_input(self) -> Any:
        return next((node for node in self._inputs.nodes().values() if node is not None), None)

    def _on_measure(self, segmentation: Any, report: Path | None) -> None:
        try:
            run = self._logic.start_measure(
                segmentation,
                report=report,
                reference=self._parameters.reference,
                reference_segment=self._parameters.reference_segment,
            )
        except LightSegError as error:
            self._fail(error)
            return
        done = _("Volumes updated") if report is None else _("Saved {path}").format(path=report)

        def ended(run: "WorkerRun[Any]") -> None:
            if self._result_of(run) is not None:
                self._controls.tell(done)
                self._results.show(segmentation)

        self._follow(run, ended)

    def _on_export(self, segmentation: Any, path: Path) -> None:
        run = self._logic.start_export(segmentation, path)

        def ended(run: "WorkerRun[Any]") -> None:
            if self._result_of(run) is not None:
                self._controls.tell(_("Saved {path}").format(path=path))

        self._follow(run, ended)

    def _on_batch(self, cases: Path, folder: Path) -> "WorkerRun[Any]":
        return self._logic.start_batch(
            cases,
            folder,
            model=self._models.bundle.name,
            **self._options.options().segmenter_options(),
            interactive=True,
        )

    def _follow(self, run: "WorkerRun[Any]", ended: "Callable[[WorkerRun[Any]], Any]") -> None:
        def end(run: "WorkerRun[Any]") -> None:
            ended(run)
            self.check()

        self._controls.follow(run, end)
        self.check()

    def _result_of(self, run: "WorkerRun[Any]") -> Any:
        """Return a run's result; None if it has none, and then tell why."""
        try:
            return run.result()
        except CancelledError as error:
            self._controls.tell(str(error))
        except Exception as error:  # also the unexpected ones must reach the user
            self._fail(error)
        return None

    def _fail(self, error: Exception) -> None:
        self._controls.tell(str(error))
        # Of these the user knows: one is an answer, the other has shown its log.
        if not isinstance(error, (InstallationDeclinedError, InstallationFailedError)):
            self._dialogs.error(str(error))

    def _on_restored(self, node: Any) -> None:
        self._controls.tell(_("The previous content is back"))
        self._results.show(node)

    def _on_output(self, node: Any) -> None:
        if self._parameters is not None:
            self._show_results(node)

    def _show_results(self, output: Any) -> None:
        # Without a chosen output, which stands for a new one to come, the last result stays in view.
        self._results.show(output if output is not None else self._parameters.result)
