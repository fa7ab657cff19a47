"""The icon that is installed is the drawing, rendered; here because this environment has Qt."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
# Of 255: other versions of Qt round the colors of half-covered pixels differently.
ROUNDING = 8


def test_the_icon_is_the_rendered_drawing() -> None:
    gui = pytest.importorskip("PySide6.QtGui", reason="the icon is drawn with Qt", exc_type=ImportError)
    spec = importlib.util.spec_from_file_location(
        "render_icon", REPOSITORY / "Testing" / "screenshots" / "render_icon.py"
    )
    assert spec is not None and spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)

    def pixels(image: "gui.QImage") -> np.ndarray:
        # where nothing is drawn the color does not matter, so it is multiplied by the opacity
        image = image.convertToFormat(gui.QImage.Format.Format_RGBA8888_Premultiplied)
        return np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4).astype(int)

    icon = pixels(gui.QImage(str(script.PICTURE)))
    assert icon.shape == (script.SIZE, script.SIZE, 4)
    assert np.abs(icon - pixels(script.render(script.DRAWING, script.SIZE))).max() <= ROUNDING, "run make icon"
