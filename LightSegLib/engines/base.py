"""What an inference engine is, whatever runs below it."""

from collections.abc import Callable, Iterator
from typing import Protocol

import numpy as np

from LightSegLib.errors import EngineError

__all__ = ["Engine", "check_batch", "predict_in_parts"]


class Engine(Protocol):
    """Runs one bundle's network.

    `name` is "openvino" or "pytorch", `device` "cpu", "cuda" or "mps", `reason` says in a sentence what was chosen
    and why.
    """

    @property
    def name(self) -> str: ...

    @property
    def device(self) -> str: ...

    @property
    def reason(self) -> str: ...

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


def predict_in_parts(
    batch: np.ndarray, *, size: int, predict: Callable[[np.ndarray], np.ndarray]
) -> Iterator[np.ndarray]:
    """Yield `predict` of consecutive parts of at most `size` items of (n, c, *spatial), in order."""
    for start in range(0, len(batch), size):
        yield predict(batch[start : start + size])
