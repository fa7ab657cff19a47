"""LightSeg: segment brain MRI and liver CT with very small networks, on a CPU or a GPU, offline.

`Segmenter`, `load_bundle` and `read_volume` are loaded when they are first used, so that importing the package costs
nothing and never fails for want of an inference engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from LightSegLib.bundles import load_bundle
    from LightSegLib.segmenter import Segmenter
    from LightSegLib.volumes import read_volume

__version__ = "0.1.0"
__all__ = ["Segmenter", "__version__", "load_bundle", "read_volume"]

_HOMES = {
    "Segmenter": "LightSegLib.segmenter",
    "load_bundle": "LightSegLib.bundles",
    "read_volume": "LightSegLib.volumes",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
