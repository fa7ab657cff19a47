"""First use, as if OpenVINO were not installed: ask, decline, install, wheels, refuse.

Runs where pip is recorded and not run. With LIGHTSEG_SCREENSHOTS=FOLDER, the dialog is saved there.
"""

import os
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from packaging.tags import sys_tags

from LightSegLib.errors import InstallationDeclinedError, MissingDependencyError
from LightSegLib.slicer_bridge.installer import ensure, ensure_dependencies, missing_dependencies

screenshots = os.environ.get("LIGHTSEG_SCREENSHOTS")
here = ensure.here


def here_without_openvino():
    machine = here()
    return replace(
        machine, versions={name: version for name, version in machine.versions.items() if name != "openvino"}
    )


ensure.here = here_without_openvino
assert missing_dependencies() == ["openvino>=2025.2"]


def click(text, screenshot=None):
    def answer(dialog):
        if screenshots and screenshot:
            dialog.grab().save(f"{screenshots}/{screenshot}.png")
        (button,) = [b for b in dialog.findChildren(qt.QPushButton) if b.text.startswith(text)]
        button.click()
        return dialog.result()

    return answer


def error_of(kind=MissingDependencyError, **arguments):
    try:
        ensure_dependencies(interactive=True, **arguments)
    except kind as error:
        return str(error)
    raise AssertionError("no error")


def asked():
    return [dialog for dialog in layer.dialogs if "LightSeg" in dialog.title]


# without a user: an error, no dialog
try:
    ensure_dependencies(interactive=False)
except MissingDependencyError as error:
    assert "interactive=True" in str(error)
assert not asked()

# declined, by the button and by closing the window: one dialog each, nothing installed
for answer in (click("Not now", "first_use"), lambda dialog: 0):
    layer.dialogs.answers.append(answer)
    assert "click Segment to be asked again" in error_of(InstallationDeclinedError)
assert len(asked()) == 2 and not layer.pip_commands()
for words in ("openvino (about", "MB are downloaded", "site-packages", "sends nothing", "NumPy"):
    assert words in asked()[0].text, words

# Slicer's testing mode: neither asked nor installed
layer.testing = True
assert "--testing" in error_of()
layer.testing = False
assert len(asked()) == 2 and not layer.pip_commands()

# installed: as pip only records here, OpenVINO is missing afterwards
layer.dialogs.answers.append(click("Install"))
assert "still missing" in error_of()
(command,) = layer.pip_commands()
assert command.startswith("-m pip install --no-deps openvino>=2025.2 -c "), command
assert not slicer.packaging.isPipInstallInProgress()

# from a folder of wheels: first one that lacks them, told in the dialog, then one that has them
with tempfile.TemporaryDirectory() as parent:
    empty, full = Path(parent) / "empty", Path(parent) / "my wheels"
    empty.mkdir()
    full.mkdir()
    tag = next(sys_tags())
    (full / f"openvino-2026.4.1-22982-{tag.interpreter}-{tag.abi}-{tag.platform}.whl").touch()

    def choose(dialog):
        layer.dialogs.answers[:0] = [str(empty)]
        click("From a folder")(dialog)
        assert dialog.visible
        (problem,) = [label.text for label in dialog.findChildren(qt.QLabel) if "has no wheel" in label.text]
        assert "pip download --no-deps" in problem
        if screenshots:
            layer.app.processEvents()
            dialog.grab().save(f"{screenshots}/first_use_folder.png")
        layer.dialogs.answers[:0] = [str(full)]
        return click("From a folder")(dialog)

    layer.dialogs.answers.append(choose)
    assert "still missing" in error_of()
    command = layer.pip_commands()[-1]
    assert command.startswith(f"-m pip install --no-index --find-links {full} --no-deps openvino>=2025.2 -c "), command

# someone else's installation is under way
slicer.packaging.pip_install("lightseg-no-such-package", blocking=False, show_progress=False)
shown = len(asked())
assert "another installation of Python packages is running: wait" in error_of()
wait(lambda: not slicer.packaging.isPipInstallInProgress())
assert len(asked()) == shown

# PyTorch without the extension: not even asked
assert "Extensions Manager" in error_of(engine="pytorch")
assert len(asked()) == shown and "torch" not in sys.modules

# the module's own way in
flair = slicer.util.loadVolume(str(Path(__file__).parents[2] / "Resources/Samples/wmh_flair.nii.gz"))
layer.dialogs.answers.append(click("Not now"))
try:
    logic.segment(model="wmh-acu", volumes={"FLAIR": flair}, interactive=True)
except InstallationDeclinedError:
    pass
else:
    raise AssertionError("segmented without OpenVINO")
assert len(asked()) == shown + 1
