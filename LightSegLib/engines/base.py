"""What an inference engine is, whatever runs below it."""

from typing import Protocol

import numpy as np

from LightSegLib.errors import EngineError

__all__ = ["Engine", "check_batch", "is_out_of_memory"]


class Engine(Protocol):
    """Runs one bundle's network.

    `name` is "openvino" or "pytorch", `device` "cpu", "cuda" or "mps".
    """

    @property
    def name(self) -> str:
        """Which engine this is."""
        ...

    @property
    def device(self) -> str:
        """Where it computes."""
        ...

    @property
    def reason(self) -> str:
        """What was chosen, and why."""
        ...

    def predict(self, batch: np.ndarray) -> np.ndarray:
        """Return float32 logits (n, k, *spatial) of a float32 batch (n, c, *spatial), for any n above 0.

        Spatial axes are (y, x) or (z, y, x), in the grid the bundle's preprocessing made. Errors: EngineError if the
        shape does not fit the network, or memory does not suffice for a single item.
        """
        ...


def check_batch(batch: np.ndarray, *, dimensions: int, channels: int, bundle: str) -> np.ndarray:
    """Return `batch` as contiguous float32 (n, c, *spatial); EngineError if its axes do not fit the network."""
    if batch.ndim != dimensions or batch.shape[1] != channels or batch.shape[0] == 0:
        expected = "(n, c, z, y, x)" if dimensions == 5 else "(n, c, y, x)"
        raise EngineError(
            f"Model {bundle} takes a batch {expected} with c = {channels} and n above 0, got shape {batch.shape}"
        )
    return np.ascontiguousarray(batch, dtype=np.float32)


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether a back end's RuntimeError says that memory ran out; each words it differently."""
    text = str(error).lower()
    return any(words in text for words in ("out of memory", "allocate memory", "bad_alloc", "bad allocation"))
