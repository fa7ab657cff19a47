"""Batches made ahead of the training step, in order, by worker processes."""

from __future__ import annotations

import signal
import sys
from collections.abc import Generator
from typing import Protocol

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from LightSegLib.errors import LightSegError

__all__ = ["Source", "batches"]

PREFETCH = 4  # batches ahead per worker: hides the occasional slow one (a new volume), costs some ten megabytes each


class Source(Protocol):
    """What makes batches: deterministic in its own seed and the index, so that a resumed run sees the same ones."""

    def batch(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """Return input (n, c, *spatial) and target (n, k, *spatial) in 0..1, both float32."""
        ...


class _Indexed(Dataset):
    def __init__(self, source: Source) -> None:
        self._source = source

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray] | LightSegError:
        try:
            inputs, target = self._source.batch(index)
        except LightSegError as error:
            return error  # raised in a worker, it would arrive with a page of traceback as its message
        return np.ascontiguousarray(inputs, np.float32), np.ascontiguousarray(target, np.float32)


def batches(source: Source, *, start: int, stop: int, workers: int) -> Generator[tuple[torch.Tensor, torch.Tensor]]:
    """Yield the batches start <= index < stop in order, prepared ahead by worker processes of one thread each.

    `workers` = 0 makes them in this process. Closing the iterator ends the workers; a killed parent ends them too
    (within seconds). An error in a worker is raised here.
    """
    # Arrays travel through a pipe: shared memory would save some ms a batch, but containers often have only 64 MB.
    loader: DataLoader = DataLoader(
        _Indexed(source),
        batch_size=None,
        sampler=range(start, stop),
        num_workers=workers,
        collate_fn=_as_they_are,
        worker_init_fn=_prepare_worker,
        generator=torch.Generator(),  # its own, so that starting the loader leaves the run's random numbers alone
        prefetch_factor=PREFETCH if workers else None,
        # fork starts at once and shares what the source has loaded; elsewhere than on Linux it is not safe
        multiprocessing_context=("fork" if sys.platform == "linux" else "spawn") if workers else None,
    )
    for item in loader:
        if isinstance(item, LightSegError):
            raise item
        inputs, target = item
        yield torch.from_numpy(inputs), torch.from_numpy(target)


def _as_they_are(item: object) -> object:
    return item


def _prepare_worker(worker: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole process group; the parent ends us
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    torch.set_num_threads(1)
