"""Where a result goes: never over something without a question, and not without a way back."""

from collections.abc import Callable
from typing import Any

from slicer.i18n import tr as _

from LightSegLib.slicer_bridge.panel.dialogs import Dialogs
from LightSegLib.slicer_bridge.previous_content import PreviousContent, has_content, keep_content

__all__ = ["OutputChoice"]


class OutputChoice:
    """The selector of the output and "Restore previous"; `restored(node)` is called when that was done."""

    def __init__(self, ui: Any, dialogs: Dialogs, restored: Callable[[Any], None]) -> None:
        self._ui, self._dialogs, self._restored = ui, dialogs, restored
        self._pending: PreviousContent | None = None
        self._previous: PreviousContent | None = None
        self.probabilities: Any = None
        ui.restoreButton.connect("clicked(bool)", self._on_restore)
        self.forget()

    def prepare(self, node: Any, probabilities_of: Any) -> bool:
        """Keep what a run will replace in `node`; False if the user does not want that.

        If `probabilities_of` is a volume, `probabilities` is then a new one for the map.
        """
        self._pending = self.probabilities = None
        if node is not None and has_content(node):
            question = _('Replace the content of "{name}"? "Restore previous" brings it back.')
            if not self._dialogs.confirm(question.format(name=node.GetName())):
                return False
            self._pending = keep_content(node)
        if probabilities_of is not None:
            scene = probabilities_of.GetScene()
            name = scene.GenerateUniqueName(f"{probabilities_of.GetName()} probability")
            self.probabilities = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)
        return True

    def failed(self) -> None:
        """Take back what was made for the run."""
        if self.probabilities is not None and self.probabilities.GetScene() is not None:
            self.probabilities.GetScene().RemoveNode(self.probabilities)
        self._pending = self.probabilities = None

    def succeeded(self) -> None:
        """Offer what the run has replaced."""
        self._previous, self._pending = self._pending, None
        self._ui.restoreButton.visible = self._previous is not None

    def forget(self) -> None:
        """Let go of what was kept."""
        self._previous = self._pending = None
        self._ui.restoreButton.visible = False

    def _on_restore(self) -> None:
        previous = self._previous
        self.forget()
        if previous is not None:
            previous.restore()
            self._restored(previous.node)
