"""A pool of generated samples on disk: made once, by several processes, resumable, shared by every run."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import torch

from LightSegLib.errors import OutputError

__all__ = ["fill_pool"]


def fill_pool(
    folder: Path,
    *,
    count: int,
    make: Callable[[int], dict[str, np.ndarray]],
    processes: int | None = None,
    say: Callable[[str], None] = print,
) -> list[Path]:
    """Make the items 0 <= i < `count` that are missing, and return the paths of all, in order.

    `make(i)` returns an item's arrays and depends on `i` alone, so a pool is the same whatever was interrupted and
    however many processes made it. It must be picklable. Items are uncompressed .npz files.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be created ({error.strerror}); give a writable --cache folder") from error
    paths = [folder / f"{index:05d}.npz" for index in range(count)]
    missing = [index for index, path in enumerate(paths) if not path.is_file()]
    if missing:
        say(f"making {len(missing)} of {count} samples in {folder}")
        workers = min(processes or os.cpu_count() or 1, len(missing))
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn"), initializer=_one_thread) as pool:
            for done, _ in enumerate(
                pool.map(_make_one, [make] * len(missing), [paths[i] for i in missing], missing), 1
            ):
                if done % 25 == 0:
                    say(f"made {done} of {len(missing)}")
    return paths


def _one_thread() -> None:
    torch.set_num_threads(1)


def _make_one(make: Callable[[int], dict[str, np.ndarray]], path: Path, index: int) -> None:
    temporary = path.with_suffix(f".{os.getpid()}.part")  # two runs may fill one pool at the same time
    with temporary.open("wb") as file:
        np.savez(file, allow_pickle=False, **make(index))
    os.replace(temporary, path)
