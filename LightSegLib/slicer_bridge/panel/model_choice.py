"""Which task, which model, and what is known of it."""

from collections.abc import Callable
from typing import Any

from LightSegLib.bundles import Bundle
from LightSegLib.slicer_bridge.panel.catalog import TaskModels, describe, list_tasks
from LightSegLib.slicer_bridge.panel.choice_box import ChoiceBox

__all__ = ["ModelChoice"]

SECONDS_KEY = "LightSeg/Seconds/"


class ModelChoice:
    """The selectors of task and model; `changed(bundle)` is called when the user has chosen another."""

    def __init__(self, ui: Any, changed: Callable[[Bundle], None]) -> None:
        self._ui = ui
        self._changed = changed
        self._tasks: list[TaskModels] = list_tasks()
        self._bundles = {bundle.name: bundle for task in self._tasks for bundle in task.bundles}
        self._task_box = ChoiceBox(ui.taskSelector, self._on_task)
        self._model_box = ChoiceBox(ui.modelSelector, self._on_model)
        self._task_box.fill([(task.name, task.title) for task in self._tasks], "")

    @property
    def bundle(self) -> Bundle:
        """The chosen model."""
        return self._bundles[self._model_box.value]

    def show(self, model: str) -> None:
        """Show the model of that name and its task; an unknown name shows the first of all."""
        task = next((one for one in self._tasks if model in (b.name for b in one.bundles)), self._tasks[0])
        self._task_box.show(task.name)
        self._show_models(task, model)

    def remember_seconds(self, bundle: Bundle, seconds: float) -> None:
        """Keep how long a run took on this computer, for the line below the model."""
        import qt

        qt.QSettings().setValue(SECONDS_KEY + bundle.name, seconds)
        self._describe()

    def _on_task(self, name: str) -> None:
        self._show_models(next(task for task in self._tasks if task.name == name), "")
        self._changed(self.bundle)

    def _on_model(self, name: str) -> None:
        self._describe()
        self._changed(self._bundles[name])

    def _show_models(self, task: TaskModels, model: str) -> None:
        self._model_box.fill([(bundle.name, bundle.name) for bundle in task.bundles], model)
        self._describe()

    def _describe(self) -> None:
        import qt

        bundle = self.bundle
        last = qt.QSettings().value(SECONDS_KEY + bundle.name)
        self._ui.modelDescription.text = describe(bundle, seconds=None if last is None else float(last))
        self._ui.modelSelector.toolTip = self._ui.modelDescription.toolTip = bundle.description
        self._ui.taskSelector.toolTip = str(bundle.metadata["task"])
