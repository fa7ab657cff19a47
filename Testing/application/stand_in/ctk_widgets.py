"""CTK's widgets: what their documentation says, as far as our panel uses it."""

from typing import Any

import shiboken6
from PySide6 import QtCore, QtGui, QtWidgets
from PySide6.QtCore import Property, Signal

from stand_in.dialogs import dialogs

__all__ = [
    "ctkCollapsibleButton",
    "ctkCollapsibleGroupBox",
    "ctkDoubleSpinBox",
    "ctkMessageBox",
    "ctkPathLineEdit",
    "ctkSliderWidget",
]

NO_LIMIT = (1 << 24) - 1
"""The largest size that Qt lets a widget have."""


class _Folding:
    """Hides the children of a widget and later shows those that it has hidden, but none that was hidden before."""

    def __init__(self, widget: QtWidgets.QWidget) -> None:
        self._widget = widget
        self._folded: list[QtWidgets.QWidget] = []

    def fold(self, is_folded: bool) -> None:
        if is_folded:
            children = self._widget.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindDirectChildrenOnly)
            self._folded += [child for child in children if not child.isHidden() and not child.isWindow()]
        for child in filter(shiboken6.isValid, self._folded):  # some may have been deleted meanwhile
            child.setVisible(not is_folded)
        if not is_folded:
            self._folded = []


class ctkCollapsibleButton(QtWidgets.QAbstractButton):
    """A section with a title bar that folds it."""

    contentsCollapsed = Signal(bool)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._folding = _Folding(self)
        self.setCheckable(True)
        self.setChecked(True)
        self.setContentsMargins(0, self._bar_height(), 0, 0)
        self.setSizePolicy(QtWidgets.QSizePolicy.Preferred, QtWidgets.QSizePolicy.Preferred)
        self.toggled.connect(self._fold)

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, _get_collapsed, _set_collapsed)

    def _fold(self, is_open: bool) -> None:
        self._folding.fold(not is_open)
        self.setMaximumHeight(NO_LIMIT if is_open else self._bar_height())
        self.contentsCollapsed.emit(not is_open)

    def childEvent(self, event: QtCore.QChildEvent) -> None:
        """Fold what a .ui file adds after it said that the section is collapsed."""
        if event.added() and event.child().isWidgetType() and not self.isChecked():
            QtCore.QTimer.singleShot(0, self, lambda: self._folding.fold(True) if not self.isChecked() else None)
        super().childEvent(event)

    def _bar_height(self) -> int:
        return self.fontMetrics().height() + 8

    def _bar(self) -> QtCore.QRect:
        return QtCore.QRect(0, 0, self.width(), self._bar_height())

    def hitButton(self, position: QtCore.QPoint) -> bool:
        """Only the title bar folds."""
        return self._bar().contains(position)

    def sizeHint(self) -> QtCore.QSize:
        """Return the size of the title bar and the contents."""
        contents = self.layout().totalSizeHint() if self.layout() is not None else QtCore.QSize(0, self._bar_height())
        return contents if self.isChecked() else QtCore.QSize(contents.width(), self._bar_height())

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        """Draw the title bar."""
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = self._bar()
        option.state |= QtWidgets.QStyle.State_Sunken if self.isDown() else QtWidgets.QStyle.State_Raised
        painter.drawPrimitive(QtWidgets.QStyle.PE_PanelButtonCommand, option)
        text_rect = self._bar().adjusted(24, 0, -4, 0)
        painter.drawText(
            text_rect, QtCore.Qt.AlignLeft | QtCore.Qt.AlignVCenter | QtCore.Qt.TextShowMnemonic, self.text()
        )
        option.rect = QtCore.QRect(6, (self._bar_height() - 12) // 2, 12, 12)
        arrow = QtWidgets.QStyle.PE_IndicatorArrowDown if self.isChecked() else QtWidgets.QStyle.PE_IndicatorArrowRight
        painter.drawPrimitive(arrow, option)


class ctkCollapsibleGroupBox(QtWidgets.QGroupBox):
    """A group whose title folds it."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._folding = _Folding(self)
        self.setCheckable(True)
        self.toggled.connect(lambda is_open: self._folding.fold(not is_open))

    def _get_collapsed(self) -> bool:
        return not self.isChecked()

    def _set_collapsed(self, collapsed: bool) -> None:
        self.setChecked(not collapsed)

    collapsed = Property(bool, _get_collapsed, _set_collapsed)


class ctkDoubleSpinBox(QtWidgets.QDoubleSpinBox):
    """A spin box for numbers with decimals."""


class ctkMessageBox(QtWidgets.QMessageBox):
    """A message box."""


def _of_box(kind: type, name: str) -> Property:
    """Make a property that is the spin box's."""

    def change(self: "ctkSliderWidget", value: object) -> None:
        getattr(self._box, f"set{name[0].upper()}{name[1:]}")(value)
        self._set_range()

    return Property(kind, lambda self: getattr(self._box, name)(), change)


class ctkSliderWidget(QtWidgets.QWidget):
    """A slider with a spin box beside it, for numbers with decimals."""

    valueChanged = Signal(float)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._slider = QtWidgets.QSlider(QtCore.Qt.Horizontal)
        self._box = QtWidgets.QDoubleSpinBox()
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._slider, 1)
        row.addWidget(self._box)
        self._set_range()
        self._slider.valueChanged.connect(lambda steps: self.setValue(self._box.minimum() + steps * self._step()))
        self._box.valueChanged.connect(self._follow)

    def _step(self) -> float:
        return self._box.singleStep() or 1.0

    def _set_range(self) -> None:
        self._slider.setRange(0, round((self._box.maximum() - self._box.minimum()) / self._step()))
        self._follow(self._box.value(), tell=False)

    def _follow(self, value: float, tell: bool = True) -> None:
        self._slider.blockSignals(True)
        self._slider.setValue(round((value - self._box.minimum()) / self._step()))
        self._slider.blockSignals(False)
        if tell:
            self.valueChanged.emit(value)

    def setValue(self, value: float) -> None:
        """Set the number."""
        self._box.setValue(value)

    value = Property(float, lambda self: self._box.value(), setValue)
    minimum = _of_box(float, "minimum")
    maximum = _of_box(float, "maximum")
    singleStep = _of_box(float, "singleStep")
    decimals = _of_box(int, "decimals")
    prefix = _of_box(str, "prefix")
    suffix = _of_box(str, "suffix")


class ctkPathLineEdit(QtWidgets.QWidget):
    """A path with a history and a button that browses for it."""

    Dirs = QtCore.QDir.Dirs.value
    Files = QtCore.QDir.Files.value
    NoDot = QtCore.QDir.NoDot.value
    NoDotDot = QtCore.QDir.NoDotDot.value
    Readable = QtCore.QDir.Readable.value
    Writable = QtCore.QDir.Writable.value

    currentPathChanged = Signal(str)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._options: dict[str, Any] = {"filters": self.Files | self.Readable, "nameFilters": [], "label": ""}
        self._path = ""
        self._combo = QtWidgets.QComboBox()
        self._combo.setEditable(True)
        self._combo.setSizePolicy(QtWidgets.QSizePolicy.Ignored, QtWidgets.QSizePolicy.Fixed)
        button = QtWidgets.QToolButton()
        button.setText("...")
        button.clicked.connect(self.browse)
        row = QtWidgets.QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self._combo, 1)
        row.addWidget(button)
        self.setFocusProxy(self._combo)
        self._combo.editTextChanged.connect(self._take)

    def browse(self) -> None:
        """Ask for a path."""
        is_folder = self._options["filters"] & (self.Dirs | self.Files) == self.Dirs
        kind = "getExistingDirectory" if is_folder else "getOpenFileName"
        self._take(dialogs.ask(kind, self._options["label"], self._path, "") or self._path)

    def addCurrentPathToHistory(self) -> None:
        """Remember the path for the next time."""
        if self._path and self._combo.findText(self._path) < 0:
            self._combo.insertItem(0, self._path)

    def _take(self, path: str) -> None:
        if path != self._path:
            self._path = path
            self._combo.setEditText(path)
            self.currentPathChanged.emit(path)

    def _option(kind: Any, name: str) -> Property:
        return Property(kind, lambda self: self._options[name], lambda self, value: self._options.update({name: value}))

    currentPath = Property(str, lambda self: self._path, _take)
    filters = _option(int, "filters")
    nameFilters = _option("QStringList", "nameFilters")
    label = _option(str, "label")
    settingKey = _option(str, "settingKey")
