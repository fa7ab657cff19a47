"""The training loop: resumable to the bit, bounded in time, ending in averaged weights."""

from __future__ import annotations

import contextlib
import itertools
import math
import os
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

from LightSegLib.errors import LightSegError, RecipeError
from LightSegLib.training.batch_norm import renew_batch_norm
from LightSegLib.training.checkpoint import Checkpoint, load_checkpoint, save_checkpoint, save_weights, warm_start
from LightSegLib.training.ema import WeightAverage
from LightSegLib.training.interrupts import stop_signals
from LightSegLib.training.loader import Source, batches
from LightSegLib.training.losses import build_loss
from LightSegLib.training.memory import keep_freed_memory
from LightSegLib.training.optimizer import build_adamw, learning_rate
from LightSegLib.training.recipe import Recipe
from LightSegLib.training.run_log import LogRow, Reporter, RunLog, draw_learning_curve, read_log

__all__ = ["TrainingResult", "train"]

# A single batch with a non-finite gradient is left out; this many of so many steps mean that something is wrong. Not in
# a row: a third of the steps may be lost, one here and two there, while the loss falls and nobody looks.
BAD_STEPS_ALLOWED, BAD_STEPS_OF = 10, 100
# The picture takes half a second; it is drawn with a checkpoint, but no more often than this, and at the end.
CURVE_EVERY_S = 120.0


@dataclass(frozen=True)
class TrainingResult:
    """Where a run stands: `weights` is None when it was stopped before its end and can be resumed."""

    folder: Path
    step: int
    seconds: float
    loss: float
    weights: Path | None


def train(
    recipe: Recipe,
    *,
    source: Source,
    run_folder: Path,
    network: nn.Module | None = None,
    stop_after_minutes: float | None = None,
    finish_now: bool = False,
) -> TrainingResult:
    """Train, or go on training, the recipe's network on the source's batches.

    A `checkpoint.pt` in the run folder is resumed: same weights in the end as without the interruption (exactly so on
    one CPU with the same number of threads; under `[run] minutes` the schedule follows the clock). Ctrl-C, SIGTERM and
    `stop_after_minutes` save a checkpoint and return; `finish_now` takes the averaged weights as they are. `network`
    replaces the one that the recipe names. Leaves recipe.toml, checkpoint.pt, log.csv, curve.png and, at the end,
    weights.safetensors (averaged weights). Raises RecipeError, InputError, OutputError.
    """
    folder = Path(run_folder)
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(recipe.run.threads or _cores())
    keep_freed_memory()
    run = _Run(recipe, network=network, folder=folder)
    (folder / "recipe.toml").write_text(recipe.text, encoding="utf-8")
    steps = run.step if finish_now else recipe.run.steps
    stream = batches(source, start=run.step, stop=steps + recipe.ema.norm_batches, workers=recipe.run.workers)
    log = RunLog(folder / "log.csv", step=run.step)
    reporter = Reporter(steps=recipe.run.steps, step=run.step, every=recipe.run.report_every)
    if run.step:
        reporter.say(f"resuming at step {run.step}")
    finished = finish_now or run.progress >= 1
    try:
        with stop_signals() as stopped:
            drawn = time.monotonic()
            session_end = drawn + 60 * (stop_after_minutes or math.inf)
            while not finished:
                row = run.advance(stream)
                log.write(row)
                reporter.step(row, progress=run.progress)
                finished = run.progress >= 1
                if stopped or time.monotonic() > session_end:
                    break
                if run.step % recipe.checkpoint.every_steps == 0 and not finished:
                    run.save()
                    if time.monotonic() > drawn + CURVE_EVERY_S:
                        drawn = time.monotonic()
                        draw_learning_curve(read_log(folder / "log.csv"), folder / "curve.png", title=recipe.run.name)
            run.save()
            weights = run.finish(stream, say=reporter.say) if finished else None
    finally:
        log.close()
        reporter.close()
        stream.close()
    draw_learning_curve(read_log(folder / "log.csv"), folder / "curve.png", title=recipe.run.name)
    return TrainingResult(folder=folder, step=run.step, seconds=run.seconds, loss=run.loss, weights=weights)


class _Run:
    """Everything that changes from step to step, and how it changes."""

    def __init__(self, recipe: Recipe, *, network: nn.Module | None, folder: Path) -> None:
        self.recipe, self.folder = recipe, folder
        torch.manual_seed(recipe.run.seed)
        self.network = _build(recipe) if network is None else network
        self.layout = _channels_last(self.network) if recipe.run.channels_last else torch.contiguous_format
        if recipe.run.channels_last:
            self.network.to(memory_format=self.layout)  # type: ignore[call-overload]
        self.criterion = build_loss(recipe.loss.name)
        self.optimizer = build_adamw(self.network, recipe.optimizer)
        self.step, self.seconds, self.loss = 0, 0.0, math.nan
        self.bad_steps: deque[bool] = deque(maxlen=BAD_STEPS_OF)
        path = folder / "checkpoint.pt"
        if not path.is_file() and recipe.warm_start is not None:
            warm_start(self.network, recipe.warm_start)
        self.average = WeightAverage(self.network, decay=recipe.ema.decay)
        if path.is_file():
            self._restore(load_checkpoint(path), path)
        self.network.train()

    @property
    def progress(self) -> float:
        """How far the run is, 0 to 1: by steps or, where the recipe gives minutes, by the clock if that is further."""
        by_time = self.seconds / (60 * self.recipe.run.minutes) if self.recipe.run.minutes else 0.0
        return max(self.step / self.recipe.run.steps, by_time)

    def advance(self, stream: Iterator[tuple[Tensor, Tensor]]) -> LogRow:
        """Do one step."""
        start = time.perf_counter()
        inputs, target = next(stream)
        waited = time.perf_counter() - start
        rate = learning_rate(self.recipe.optimizer, step=self.step, progress=self.progress)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.zero_grad(set_to_none=True)
        with self._autocast():
            logits = self.network(self._arranged(inputs))
        loss = self.criterion(logits.float(), target)
        loss.backward()
        norm = float(nn.utils.clip_grad_norm_(self.network.parameters(), self.recipe.optimizer.clip_norm))
        self.loss = float(loss.detach())
        self.bad_steps.append(not (math.isfinite(norm) and math.isfinite(self.loss)))
        if not self.bad_steps[-1]:
            self.optimizer.step()
            self.average.update(self.network)
        elif sum(self.bad_steps) >= BAD_STEPS_ALLOWED:
            raise LightSegError(
                f"{self.folder}: loss or gradient not finite for {sum(self.bad_steps)} of the last "
                f"{len(self.bad_steps)} steps up to step {self.step}; lower [optimizer] lr, set [run] precision to "
                '"fp32", or look for NaN in the training images'
            )
        self.step += 1
        self.seconds += time.perf_counter() - start
        return LogRow(self.step, self.loss, rate, norm, self.seconds, waited)

    def save(self) -> None:
        """Write the checkpoint."""
        state = Checkpoint(
            step=self.step,
            seconds=self.seconds,
            fingerprint=self.recipe.fingerprint,
            network=self.network.state_dict(),
            optimizer=self.optimizer.state_dict(),
            average=self.average.state_dict(),
            random_state=torch.get_rng_state(),
        )
        save_checkpoint(state, self.folder / "checkpoint.pt")

    def finish(self, stream: Iterator[tuple[Tensor, Tensor]], *, say: Callable[[str], None]) -> Path:
        """Renew the averaged network's batch-norm statistics on the next batches, and write the weights."""
        used = renew_batch_norm(
            self.average.network,
            (self._arranged(inputs) for inputs, _ in itertools.islice(stream, self.recipe.ema.norm_batches)),
        )
        path = self.folder / "weights.safetensors"
        metadata = {"run": self.recipe.run.name, "step": str(self.step), "fingerprint": self.recipe.fingerprint}
        save_weights(self.average.network, path, metadata=metadata)
        say(f"wrote {path} after step {self.step}, batch-norm statistics from {used} batches")
        return path

    def _restore(self, state: Checkpoint, path: Path) -> None:
        if state.fingerprint != self.recipe.fingerprint:
            raise RecipeError(
                f"{path}: made with another network, source, loss or seed than the recipe now says; "
                "give [run] another name, or delete the run folder"
            )
        self.step, self.seconds = state.step, state.seconds
        self.network.load_state_dict(state.network)
        self.optimizer.load_state_dict(state.optimizer)
        self.average.load_state_dict(state.average)
        torch.set_rng_state(state.random_state)

    def _arranged(self, inputs: Tensor) -> Tensor:
        return inputs.contiguous(memory_format=self.layout)

    def _autocast(self) -> contextlib.AbstractContextManager:
        if self.recipe.run.precision == "bf16":
            return torch.autocast("cpu", dtype=torch.bfloat16)
        return contextlib.nullcontext()


def _build(recipe: Recipe) -> nn.Module:
    from LightSegLib.networks import build_network

    return build_network(recipe.network.name, **recipe.network.arguments)


def _channels_last(network: nn.Module) -> torch.memory_format:
    # Seconds a step on two cores: ACU-Net, 12 x 5 x 224 x 176: 0.65 -> 0.37; pocket U-Net, 2 x 96^3: 12.9 -> 9.4.
    deep = any(isinstance(module, nn.Conv3d) for module in network.modules())
    return torch.channels_last_3d if deep else torch.channels_last


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
