#!/usr/bin/env python3
"""Opens LightSeg in a window of the stand-in, runs a script on it, and fails on anything that went wrong.

    python Testing/application/run.py [--script FILE.py] [--self-test] [--screenshot OUT.png] [--width 600] [--dark]
                                      [--largest-gap 0.2]

The script has `slicer, qt, ctk, layer, widget, logic` and `wait(condition=None, seconds=30)`, which lets the
application handle its events until the condition holds.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

if not os.environ.get("DISPLAY") and sys.platform == "linux":
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from stand_in import problems
from stand_in.boot import FOLDER, LIGHTSEG, boot, make_application

HEIGHT = 900


def main() -> int:
    """Run the command; returns the exit status."""
    options = _arguments()
    problems.watch()
    layer = start(width=options.width, dark=options.dark)
    guarded("opening the module", lambda: open_module(layer))
    if options.script and layer.widget is not None:
        guarded("script", lambda: run_script(layer, options.script))
    if options.screenshot:
        layer.app.processEvents()
        layer.window.grab().save(options.screenshot)
    if options.self_test:
        guarded("self-test", lambda: self_test(layer))
    guarded("closing the module", lambda: close(layer))
    return report(layer, options.largest_gap)


def start(*, width: int = 600, dark: bool = False) -> SimpleNamespace:
    """Start the application with its window and return what scripts know as `layer`."""
    boot()
    application = make_application()
    import ctk
    import qt
    import slicer
    from stand_in.appearance import use_fusion
    from stand_in.dialogs import dialogs, record_dialogs
    from stand_in.pip_packages import PIP_COMMANDS
    from stand_in.pulse import pulse
    from stand_in.qt_objects import shown
    from stand_in.slicer_application import qSlicerMainWindow

    record_dialogs()
    use_fusion(application, dark=dark)
    window = qSlicerMainWindow(application.moduleManager())
    window.resize(width, HEIGHT)
    window.show()
    pulse.start()
    return Layer(
        slicer=slicer,
        qt=qt,
        ctk=ctk,
        app=slicer.app,
        window=shown(window),
        dialogs=dialogs,
        problems=problems.problems,
        pip_commands=lambda: list(PIP_COMMANDS),
        widget=None,
        application=application,
        pulse=pulse,
    )


class Layer(SimpleNamespace):
    """What scripts know of the application; `testing` is whether it was started with --testing."""

    @property
    def testing(self) -> bool:
        """Whether the application says that it is being tested."""
        return bool(self.application._is_testing)

    @testing.setter
    def testing(self, is_testing: bool) -> None:
        self.application._is_testing = is_testing


def open_module(layer: SimpleNamespace) -> None:
    """Load LightSeg.py and open its panel."""
    layer.application.moduleManager()._add_scripted(LIGHTSEG)
    layer.application.startupCompleted.emit()
    layer.slicer.util.selectModule(LIGHTSEG.stem)
    layer.widget = layer.slicer.util.getModuleWidget(LIGHTSEG.stem)
    wait(layer)


def run_script(layer: SimpleNamespace, path: str) -> None:
    """Run a script of Testing/slicer_layer."""
    names = {name: getattr(layer, name) for name in ("slicer", "qt", "ctk", "widget")}
    waiting = lambda *condition, **options: wait(layer, *condition, **options)  # noqa: E731
    scope = {**names, "layer": layer, "logic": layer.widget.logic, "wait": waiting, "__file__": path}
    exec(compile(Path(path).read_text(encoding="utf-8"), path, "exec"), scope)
    wait(layer)


def self_test(layer: SimpleNamespace) -> None:
    """Run the module's test class, as Slicer's --testing does."""
    layer.application._is_testing = True
    layer.slicer.selfTests[LIGHTSEG.stem](msec=0)
    layer.application._is_testing = False


def close(layer: SimpleNamespace) -> None:
    """Unload the module."""
    wait(layer)
    layer.application.moduleManager().moduleAboutToBeUnloaded.emit(LIGHTSEG.stem)
    wait(layer)


def wait(layer: SimpleNamespace, condition: Callable[[], Any] | None = None, seconds: float = 30) -> None:
    """Handle events until the condition holds, TimeoutError if it does not; without one, for a moment."""
    begin = time.monotonic()
    while True:
        with layer.pulse.on_duty():
            layer.app.processEvents()
        passed = time.monotonic() - begin
        if condition() if condition is not None else passed > 0.05:
            return
        if passed > seconds:
            raise TimeoutError(f"It did not become true within {seconds} s")
        time.sleep(0.005)


def guarded(what: str, function: Callable[[], None]) -> None:
    """Call a function; its exception becomes a problem."""
    try:
        function()
    except Exception as error:
        problems.record_exception(what, error)


def report(layer: SimpleNamespace, largest_gap_s: float | None = None) -> int:
    """Print what happened; returns 1 if anything went wrong."""
    gap_s = layer.pulse.largest_gap_s
    if largest_gap_s is not None and gap_s > largest_gap_s:
        problems.record("frozen window", f"for {gap_s * 1000:.0f} ms")
    for dialog in layer.dialogs:
        if dialog.kind == "error":
            problems.record("error dialog", f"{dialog.title}: {dialog.text}")
    for title, lines in (
        ("dialogs", [f"{d.kind}: {d.title}: {d.text} -> {d.answer!r}" for d in layer.dialogs]),
        ("pip commands", layer.pip_commands()),
        ("PROBLEMS", [f"{kind}: {text.rstrip()}" for kind, text in layer.problems]),
    ):
        if lines:
            print(f"{title}:", *lines, sep="\n  ")
    print(f"largest gap: {gap_s * 1000:.0f} ms")
    print("FAILED" if layer.problems else "PASSED", flush=True)
    return 1 if layer.problems else 0


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--script", help="Python file that is run with the panel open")
    parser.add_argument("--screenshot", help="PNG file of the window after the script")
    parser.add_argument("--self-test", action="store_true", help="run LightSegTest in testing mode")
    parser.add_argument("--width", type=int, default=600, help="of the window, in pixels")
    parser.add_argument("--dark", action="store_true", help="use a dark palette")
    parser.add_argument("--largest-gap", type=float, metavar="S", help="fail if the window was frozen longer, in s")
    return parser.parse_args()


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # Python would delete objects of Qt and VTK in an order in which no application ever does.
    FOLDER.cleanup()
    os._exit(status)
