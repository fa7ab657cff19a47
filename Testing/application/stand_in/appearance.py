"""The window's look: the same style on every machine, in light or dark."""

from PySide6 import QtGui, QtWidgets

__all__ = ["use_fusion"]

Role = QtGui.QPalette
LIGHT = {
    Role.Window: "#efefef",
    Role.WindowText: "#000000",
    Role.Base: "#ffffff",
    Role.AlternateBase: "#f7f7f7",
    Role.Text: "#000000",
    Role.Button: "#efefef",
    Role.ButtonText: "#000000",
    Role.ToolTipBase: "#ffffdc",
    Role.ToolTipText: "#000000",
    Role.PlaceholderText: "#707070",
    Role.Highlight: "#308cc6",
    Role.HighlightedText: "#ffffff",
    Role.Link: "#0000ff",
}
DARK = {
    Role.Window: "#353535",
    Role.WindowText: "#ffffff",
    Role.Base: "#232323",
    Role.AlternateBase: "#2d2d2d",
    Role.Text: "#ffffff",
    Role.Button: "#353535",
    Role.ButtonText: "#ffffff",
    Role.ToolTipBase: "#2d2d2d",
    Role.ToolTipText: "#ffffff",
    Role.PlaceholderText: "#9a9a9a",
    Role.Highlight: "#2a82da",
    Role.HighlightedText: "#000000",
    Role.Link: "#6ab0f3",
}
FADED = (Role.WindowText, Role.Text, Role.ButtonText)


def use_fusion(application: QtWidgets.QApplication, *, dark: bool) -> None:
    """Give the application Qt's own style, as Slicer does, with a light or a dark palette."""
    application.setStyle("Fusion")
    palette = QtGui.QPalette()
    for role, color in (DARK if dark else LIGHT).items():
        palette.setColor(role, QtGui.QColor(color))
    for role in FADED:
        palette.setColor(Role.Disabled, role, QtGui.QColor("#808080"))
    application.setPalette(palette)
