"""A small stand-in of the Slicer application: Qt by PySide6, a real MRML scene by slicer-core, and our module.

It has what LightSeg uses and raises AttributeError on everything else. `slicer.util` is Slicer's own, as it comes with
slicer-core; the rest is written from Slicer's documentation. `boot()` starts it, `run.py` is its command.
"""

from stand_in.boot import boot

__all__ = ["boot"]
