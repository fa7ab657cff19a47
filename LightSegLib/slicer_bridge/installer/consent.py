"""Asking before anything is installed: the question's protocol, and the dialog."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from LightSegLib.errors import MissingDependencyError
from LightSegLib.slicer_bridge.installer.plan import InstallPlan
from LightSegLib.slicer_bridge.installer.wheels import check_wheels

__all__ = ["INSTALL", "NOT_NOW", "Answer", "Consent", "ConsentDialog"]

WIDTH = 480


@dataclass(frozen=True)
class Answer:
    """What the user decided: whether to install, and from which folder of wheels; None means from the internet."""

    is_install: bool
    folder: Path | None = None


INSTALL = Answer(is_install=True)
NOT_NOW = Answer(is_install=False)


class Consent(Protocol):
    """Someone who may be asked."""

    def ask(self, plan: InstallPlan) -> Answer:
        """Show what would be installed and return what was decided."""


class ConsentDialog:
    """Asks in a dialog that states packages, sizes, reasons, place and privacy."""

    def ask(self, plan: InstallPlan) -> Answer:
        """Show the dialog until a button is clicked; closing it means "Not now"."""
        import qt
        import slicer.util
        from slicer.i18n import tr as _

        self._plan, self._answer = plan, NOT_NOW
        dialog = self._dialog = qt.QDialog(slicer.util.mainWindow())
        dialog.windowTitle = _("LightSeg - Install Python packages")
        dialog.objectName = "LightSegConsentDialog"
        dialog.minimumWidth = WIDTH
        layout = qt.QVBoxLayout(dialog)
        for paragraph in self._paragraphs():
            layout.addWidget(_label(paragraph))
        self._problem = _label("")
        self._problem.visible = False
        layout.addWidget(self._problem)
        row = qt.QHBoxLayout()
        install = self._button(_("Install"), self._on_install)
        install.default = True
        row.addWidget(install)
        if not any(package.by_extension for package in plan.packages):
            row.addWidget(self._button(_("From a folder of wheels..."), self._on_folder))
        row.addWidget(self._button(_("Not now"), self._on_not_now))
        layout.addLayout(row)
        try:
            dialog.exec_()
        finally:
            dialog.deleteLater()  # its parent, the main window, would keep it
        return self._answer

    def _paragraphs(self) -> list[str]:
        from slicer.i18n import tr as _

        plan = self._plan
        packages = [
            _("{name} (about {size} MB): {reason}").format(
                name=package.name, size=package.download_mb, reason=package.reason
            )
            for package in plan.packages
        ]
        texts = [
            _("LightSeg needs what Slicer does not bring along:"),
            *(f"\N{BULLET} {text}" for text in packages),
            _(
                "About {size} MB are downloaded, once, from the package index and go into Slicer's own Python, where "
                "other extensions see them too: {folder}"
            ).format(size=plan.download_mb, folder=plan.folder),
            _("Slicer's NumPy, SciPy and SimpleITK stay as they are."),
            _(
                "Images never leave this computer, and LightSeg sends nothing. OpenVINO's package for usage statistics "
                "(openvino-telemetry) is left out."
            ),
        ]
        if not any(package.by_extension for package in plan.packages):
            texts.append(_("Without internet access, choose a folder with the wheel files instead."))
        return texts

    def _button(self, text: str, slot: Any) -> Any:
        import qt

        button = qt.QPushButton(text)
        button.connect("clicked(bool)", slot)
        return button

    def _on_install(self, checked: bool = False) -> None:
        self._answer = INSTALL
        self._dialog.accept()

    def _on_folder(self, checked: bool = False) -> None:
        import qt
        from slicer.i18n import tr as _

        chosen = qt.QFileDialog.getExistingDirectory(self._dialog, _("Folder of wheels"))
        if not chosen:
            return
        try:
            check_wheels(self._plan, Path(chosen))
        except MissingDependencyError as error:
            # Shown here, so that another folder can be chosen at once.
            self._problem.text = str(error)
            self._problem.visible = True
            self._dialog.adjustSize()
            return
        self._answer = Answer(is_install=True, folder=Path(chosen))
        self._dialog.accept()

    def _on_not_now(self, checked: bool = False) -> None:
        self._dialog.reject()


def _label(text: str) -> Any:
    import qt

    label = qt.QLabel(text)
    label.wordWrap = True
    label.textFormat = qt.Qt.PlainText
    label.textInteractionFlags = qt.Qt.TextSelectableByMouse
    return label
