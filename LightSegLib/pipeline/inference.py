"""Running an engine over a prepared array, batch by batch."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from scipy.special import expit

from LightSegLib.engines.base import Engine
from LightSegLib.errors import EngineError

__all__ = ["predict_probabilities"]

SLICES_PER_BATCH = 8
"""2D: enough to keep every core busy, few enough that cancelling takes a fraction of a second."""
VOLUMES_PER_BATCH = 1


def predict_probabilities(
    engine: Engine, array: np.ndarray, *, tiling: Mapping[str, Any], advance: Callable[[float], None]
) -> np.ndarray:
    """Return float32 probabilities (n, k, *spatial), the sigmoid of the logits of `array` (n, c, *spatial).

    `tiling` may say how many items make a "batch". `advance` is called with the fraction done after each batch; what
    it raises (cancellation) ends the run. Raises EngineError when the network gives anything but finite numbers.
    """
    size = int(tiling.get("batch", SLICES_PER_BATCH if array.ndim == 4 else VOLUMES_PER_BATCH))
    probabilities: np.ndarray | None = None
    for start in range(0, len(array), size):
        logits = engine.predict(array[start : start + size])
        if not np.isfinite(logits).all():
            raise EngineError(
                f"The {engine.name} engine on {engine.device} gave values that are no numbers: "
                "run 'lightseg doctor', or choose another --engine or --device."
            )
        if probabilities is None:
            probabilities = np.empty((len(array), *logits.shape[1:]), dtype=np.float32)
        expit(logits, out=probabilities[start : start + size])
        advance(min(1.0, (start + size) / len(array)))
    if probabilities is None:
        raise EngineError("There is nothing to segment: the prepared volume has no slice.")
    return probabilities
