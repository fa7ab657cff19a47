"""A training recipe: one TOML file that says everything a training run depends on."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from LightSegLib.errors import MissingDependencyError, RecipeError

__all__ = [
    "CheckpointSettings",
    "EmaSettings",
    "LossSettings",
    "NetworkSettings",
    "OptimizerSettings",
    "Recipe",
    "RunSettings",
    "parse_recipe",
    "read_recipe",
]

Settings = TypeVar("Settings")


@dataclass(frozen=True)
class RunSettings:
    """`[run]`: name of the run folder, seed, length and machine.

    Training ends when the progress max(step / steps, elapsed / minutes) reaches 1; without `minutes` only the
    number of steps counts, and the result is reproducible. `threads` and `workers` are processes' CPU threads for
    the network, and data processes (0 = in the training process itself).
    """

    name: str
    seed: int = 1
    steps: int = 2000
    minutes: float | None = None
    threads: int | None = None
    workers: int = 1
    channels_last: bool = True
    precision: str = "fp32"
    report_every: int = 20

    def __post_init__(self) -> None:
        _demand(bool(self.name) and "/" not in self.name, "[run] name must be a plain folder name")
        _demand(self.steps >= 1, "[run] steps must be at least 1")
        _demand(self.minutes is None or self.minutes > 0, "[run] minutes must be positive")
        _demand(self.threads is None or self.threads >= 1, "[run] threads must be at least 1")
        _demand(self.workers >= 0, "[run] workers must not be negative")
        _demand(self.precision in ("fp32", "bf16"), "[run] precision must be 'fp32' or 'bf16'")
        _demand(self.report_every >= 1, "[run] report_every must be at least 1")


@dataclass(frozen=True)
class NetworkSettings:
    """`[network]`: a name that `networks.build_network` knows, and its arguments (every other key)."""

    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True)
class OptimizerSettings:
    """`[optimizer]`: AdamW with a linear warmup and a cosine to `final_lr` x `lr`; `clip_norm` bounds the gradient."""

    lr: float = 2e-3
    weight_decay: float = 1e-2
    warmup_steps: int = 100
    schedule: str = "cosine"
    final_lr: float = 0.01
    clip_norm: float = 1.0

    def __post_init__(self) -> None:
        _demand(self.lr > 0, "[optimizer] lr must be positive")
        _demand(self.weight_decay >= 0, "[optimizer] weight_decay must not be negative")
        _demand(self.warmup_steps >= 0, "[optimizer] warmup_steps must not be negative")
        _demand(self.schedule in ("cosine", "constant"), "[optimizer] schedule must be 'cosine' or 'constant'")
        _demand(0 <= self.final_lr <= 1, "[optimizer] final_lr is a fraction of lr, 0 to 1")
        _demand(self.clip_norm > 0, "[optimizer] clip_norm must be positive")


@dataclass(frozen=True)
class LossSettings:
    """`[loss]`: a name that `losses.build_loss` knows."""

    name: str = "bce_dice"


@dataclass(frozen=True)
class EmaSettings:
    """`[ema]`: decay of the averaged weights a step, and how many batches renew their batch-norm statistics."""

    decay: float = 0.998
    norm_batches: int = 40

    def __post_init__(self) -> None:
        _demand(0 <= self.decay < 1, "[ema] decay must be in 0 <= decay < 1")
        _demand(self.norm_batches >= 0, "[ema] norm_batches must not be negative")


@dataclass(frozen=True)
class CheckpointSettings:
    """`[checkpoint]`: how often the state of the run is saved."""

    every_steps: int = 200

    def __post_init__(self) -> None:
        _demand(self.every_steps >= 1, "[checkpoint] every_steps must be at least 1")


@dataclass(frozen=True)
class Recipe:
    """A whole recipe; `text` is the TOML it was read from, and is copied into the run folder."""

    run: RunSettings
    network: NetworkSettings
    source: Mapping[str, Any]
    optimizer: OptimizerSettings
    loss: LossSettings
    ema: EmaSettings
    checkpoint: CheckpointSettings
    warm_start: Path | None
    bundle: Mapping[str, Any]
    text: str

    @property
    def fingerprint(self) -> str:
        """Hash of all that must not change between a checkpoint and its resumption (length and machine may)."""
        parts = {
            "seed": self.run.seed,
            "network": [self.network.name, dict(self.network.arguments)],
            "source": dict(self.source),
            "loss": self.loss.name,
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:16]


def read_recipe(path: str | Path) -> Recipe:
    """Read and check a recipe file; a relative `warm_start` path counts from the recipe's folder.

    Raises RecipeError naming the file: missing, not TOML, unknown section or key, or a value out of range.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise RecipeError(f"{path}: no such recipe; give the path of a .toml file, as in recipes/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"{path}: cannot be read as a recipe ({error}); give a .toml text file") from error
    try:
        return parse_recipe(text, folder=path.parent)
    except RecipeError as error:
        raise RecipeError(f"{path}: {error}") from error


def parse_recipe(text: str, *, folder: Path | None = None) -> Recipe:
    """Make a Recipe from TOML text; `folder` is where a relative `warm_start` path counts from."""
    data = _load_toml(text)
    known = ("run", "network", "source", "optimizer", "loss", "ema", "checkpoint", "warm_start", "bundle")
    _refuse_unknown("section", data, known)
    for section in known:
        _demand(isinstance(data.get(section, {}), Mapping), f"[{section}] must be a table")
    for section in ("run", "network", "source"):
        _demand(section in data, f"section [{section}] is missing")
    network = dict(data["network"])
    _demand(isinstance(network.get("name"), str), "[network] name is missing")
    _demand(isinstance(data["source"].get("kind"), str), "[source] kind is missing")
    start = data.get("warm_start", {})
    _refuse_unknown("key in [warm_start]", start, ("path",))
    return Recipe(
        run=_settings(RunSettings, "run", data),
        network=NetworkSettings(name=network.pop("name"), arguments=network),
        source=data["source"],
        optimizer=_settings(OptimizerSettings, "optimizer", data),
        loss=_settings(LossSettings, "loss", data),
        ema=_settings(EmaSettings, "ema", data),
        checkpoint=_settings(CheckpointSettings, "checkpoint", data),
        warm_start=(folder or Path()) / start["path"] if start.get("path") else None,
        bundle=data.get("bundle", {}),
        text=text,
    )


def _load_toml(text: str) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        try:
            import tomli as tomllib
        except ImportError:
            raise MissingDependencyError(
                "reading recipes on Python 3.10 needs tomli: pip install 'lightseg[train]'"
            ) from None
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"not valid TOML ({error}); correct the recipe") from error


def _settings(kind: type[Settings], section: str, data: Mapping[str, Any]) -> Settings:
    values = data.get(section, {})
    _refuse_unknown(f"key in [{section}]", values, tuple(field.name for field in fields(kind)))  # type: ignore[arg-type]
    try:
        return kind(**values)
    except TypeError as error:
        raise RecipeError(f"[{section}] is incomplete or has a value of the wrong type ({error})") from error


def _refuse_unknown(what: str, given: Mapping[str, Any], known: tuple[str, ...]) -> None:
    unknown = sorted(set(given) - set(known))
    if unknown:
        raise RecipeError(f"unknown {what}: {', '.join(unknown)}; known: {', '.join(known)}")


def _demand(holds: bool, message: str) -> None:
    if not holds:
        raise RecipeError(message)
