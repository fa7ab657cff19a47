"""A combo box whose entries stand for values."""

from collections.abc import Callable, Sequence
from typing import Any

__all__ = ["ChoiceBox"]


class ChoiceBox:
    """Shows one text for each value in a QComboBox and calls `chosen(value)` when the user picks another."""

    def __init__(self, combo: Any, chosen: Callable[[str], None]) -> None:
        self._combo = combo
        self._chosen = chosen
        self._values: list[str] = []
        combo.connect("currentIndexChanged(int)", self._on_index)

    def fill(self, entries: Sequence[tuple[str, str]], value: str) -> str:
        """Show `entries`, pairs of value and text, with `value` or else the first as the current one; return that."""
        self._combo.blockSignals(True)
        self._combo.clear()
        self._values = [key for key, _ in entries]
        for _, text in entries:
            self._combo.addItem(text)
        self._combo.blockSignals(False)
        return self.show(value)

    def show(self, value: str) -> str:
        """Make `value` the current one, or the first if it is not among the entries; return the current one."""
        index = self._values.index(value) if value in self._values else 0
        self._combo.blockSignals(True)
        self._combo.setCurrentIndex(index if self._values else -1)
        self._combo.blockSignals(False)
        return self.value

    @property
    def value(self) -> str:
        """The current value, "" if there are no entries."""
        index = self._combo.currentIndex
        return self._values[index] if 0 <= index < len(self._values) else ""

    def _on_index(self, index: int) -> None:
        if 0 <= index < len(self._values):
            self._chosen(self._values[index])
