"""What an inference engine is, whatever runs below it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from LightSegLib.errors import EngineError

__all__ = ["Engine", "check_batch", "cut_to", "is_out_of_memory", "pad_to_divisors"]


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

        Spatial axes are (y, x) or (z, y, x), in the grid the bundle's preprocessing made. Sizes that the network
        cannot halve often enough are padded with the edge's values, and the logits cut back. Errors: EngineError if
        the shape does not fit the network, or memory does not suffice for a single item.
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


def pad_to_divisors(batch: np.ndarray, divisors: Sequence[int]) -> np.ndarray:
    """Return (n, c, *spatial) with each spatial size a multiple of its divisor, extended at the end by the edge values.

    A batch that fits already is returned as it is.
    """
    missing = [-size % divisor for size, divisor in zip(batch.shape[2:], divisors, strict=True)]
    if not any(missing):
        return batch
    return np.pad(batch, [(0, 0), (0, 0), *((0, more) for more in missing)], mode="edge")


def cut_to(logits: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    """Return the first `shape` voxels, by spatial axis, of logits (n, k, *spatial); those of a classifier have none."""
    return logits[(slice(None), slice(None), *(slice(size) for size in shape))[: logits.ndim]]


def is_out_of_memory(error: Exception) -> bool:
    """Tell whether a back end's RuntimeError says that memory ran out; each words it differently."""
    text = str(error).lower()
    return any(words in text for words in ("out of memory", "allocate memory", "bad_alloc", "bad allocation"))
