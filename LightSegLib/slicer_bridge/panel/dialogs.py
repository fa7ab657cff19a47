"""What the panel asks and tells in windows of their own; tests answer in place of the user."""

from typing import Protocol

__all__ = ["Dialogs", "SlicerDialogs"]

TITLE = "LightSeg"


class Dialogs(Protocol):
    """Questions and messages that wait for the user."""

    def confirm(self, question: str) -> bool:
        """Ask a question; True if the answer is yes."""

    def error(self, text: str) -> None:
        """Tell what went wrong."""

    def save_file(self, title: str, name: str, kinds: str) -> str:
        """Ask where to save; "" if the user cancels. `kinds`: Qt's file filter."""

    def choose_folder(self, title: str) -> str:
        """Ask for a folder; "" if the user cancels."""


class SlicerDialogs:
    """The application's own dialogs."""

    def confirm(self, question: str) -> bool:
        """Ask a question; True if the answer is yes."""
        import slicer

        return bool(slicer.util.confirmYesNoDisplay(question, windowTitle=TITLE))

    def error(self, text: str) -> None:
        """Tell what went wrong."""
        import slicer

        slicer.util.errorDisplay(text, windowTitle=TITLE)

    def save_file(self, title: str, name: str, kinds: str) -> str:
        """Ask where to save; "" if the user cancels. `kinds`: Qt's file filter."""
        import qt
        import slicer

        return str(qt.QFileDialog.getSaveFileName(slicer.util.mainWindow(), title, name, kinds) or "")

    def choose_folder(self, title: str) -> str:
        """Ask for a folder; "" if the user cancels."""
        import qt
        import slicer

        return str(qt.QFileDialog.getExistingDirectory(slicer.util.mainWindow(), title, "") or "")
