"""The state of a training run on disk: written whole or not at all, resumed exactly."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from LightSegLib.errors import InputError, OutputError

__all__ = ["Checkpoint", "load_checkpoint", "load_weights", "save_checkpoint", "save_weights", "warm_start"]


@dataclass(frozen=True)
class Checkpoint:
    """All that a run needs to go on as if it had not stopped.

    `step` steps are done in `seconds` of training; `fingerprint` is that of the recipe.
    """

    step: int
    seconds: float
    fingerprint: str
    network: dict[str, Any]
    optimizer: dict[str, Any]
    average: dict[str, Any]
    random_state: Tensor


def save_checkpoint(checkpoint: Checkpoint, path: Path) -> None:
    """Write atomically: a kill at any moment leaves the old checkpoint or the new one."""
    _write_atomically(path, lambda temporary: torch.save(vars(checkpoint), temporary))


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a checkpoint; tensors and plain values only, no code is run. Raises InputError naming the file."""
    try:
        return Checkpoint(**torch.load(path, map_location="cpu", weights_only=True))
    except Exception as error:  # torch raises RuntimeError, EOFError, UnpicklingError, TypeError, ...
        raise InputError(f"{path}: not a readable checkpoint ({_one_line(error)}); delete it to start anew") from error


def save_weights(network: nn.Module, path: Path, *, metadata: Mapping[str, str]) -> None:
    """Write the network's weights and buffers as float32 safetensors, atomically."""
    from safetensors.torch import save_file

    tensors = {name: tensor.detach().contiguous().clone() for name, tensor in network.state_dict().items()}
    _write_atomically(path, lambda temporary: save_file(tensors, temporary, metadata=dict(metadata)))


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a safetensors file into a network of the same architecture. Raises InputError naming the file."""
    network.load_state_dict(_read_tensors(path), strict=True)


def warm_start(network: nn.Module, path: Path) -> tuple[int, int]:
    """Copy every tensor whose name and shape fit from a safetensors file; return (copied, of how many)."""
    given, own = _read_tensors(path), network.state_dict()
    fitting = {name: given[name] for name in own if name in given and given[name].shape == own[name].shape}
    if not fitting:
        raise InputError(f"{path}: no weight fits this network; give weights of a related architecture")
    network.load_state_dict({**own, **fitting})
    return len(fitting), len(own)


def _read_tensors(path: Path) -> dict[str, Tensor]:
    from safetensors.torch import load_file

    if not path.is_file():
        raise InputError(f"{path}: no such weights; finish that training run first, or correct the path")
    try:
        return load_file(path)
    except Exception as error:
        raise InputError(f"{path}: not a readable safetensors file ({_one_line(error)})") from error


def _write_atomically(path: Path, write: Any) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        write(temporary)
        with temporary.open("rb") as stream:
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except (OSError, RuntimeError) as error:
        raise OutputError(f"{path}: cannot be written ({_one_line(error)}); free space, or set --runs") from error
    finally:
        temporary.unlink(missing_ok=True)


def _one_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
