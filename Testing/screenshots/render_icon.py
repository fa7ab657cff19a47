"""Renders the module's icon from its drawing: `make icon`.

Qt draws it, as in Slicer, which takes the SVG itself where it finds one: in the source tree. Installed is the PNG, in
the size that the Extensions Index asks for.
"""

from pathlib import Path

from PySide6.QtCore import QRectF
from PySide6.QtGui import QImage, QPainter
from PySide6.QtSvg import QSvgRenderer

__all__ = ["DRAWING", "PICTURE", "render"]

SIZE = 128
DRAWING = Path(__file__).resolve().parents[2] / "LightSeg" / "Resources" / "Icons" / "LightSeg.svg"
PICTURE = DRAWING.with_suffix(".png")


def render(drawing: Path, size: int) -> QImage:
    """Return the drawing as a square picture with `size` pixels a side, transparent where nothing is drawn."""
    renderer = QSvgRenderer(str(drawing))
    if not renderer.isValid():
        raise SystemExit(f"{drawing} is no SVG that Qt can draw")
    image = QImage(size, size, QImage.Format.Format_ARGB32)
    image.fill(0)
    painter = QPainter(image)
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    renderer.render(painter, QRectF(0, 0, size, size))
    painter.end()
    return image


if __name__ == "__main__":
    if not render(DRAWING, SIZE).save(str(PICTURE)):
        raise SystemExit(f"{PICTURE} cannot be written")
    print(PICTURE)
