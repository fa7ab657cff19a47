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
        ui.restoreButton.connect("clicked(bool)", self._on_restore)
        self.forget()

    def prepare(self, node: "Any | None") -> bool:
        """Keep what a run will replace; False if the user does not want that."""
        self._pending = None
        if node is None or not has_content(node):
            return True
        question = _('Replace the content of "{name}"? "Restore previous" brings it back.')
        if not self._dialogs.confirm(question.format(name=node.GetName())):
            return False
        self._pending = keep_content(node)
        return True

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
