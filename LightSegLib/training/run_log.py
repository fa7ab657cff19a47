"""What a training run leaves to read: a CSV log, a learning-curve picture, lines or a progress bar."""

from __future__ import annotations

import csv
import sys
from dataclasses import astuple, dataclass, fields
from pathlib import Path
from typing import Any, TextIO

__all__ = ["LogRow", "Reporter", "RunLog", "draw_learning_curve", "read_log"]


@dataclass(frozen=True)
class LogRow:
    """One training step: loss before the update, learning rate, gradient norm before clipping, cumulative seconds of
    training, and the seconds of this step spent waiting for its batch."""

    step: int
    loss: float
    lr: float
    gradient_norm: float
    seconds: float
    wait_s: float


class RunLog:
    """Append-only CSV file with one row a step; reopening it at a step drops later rows, to be redone."""

    def __init__(self, path: Path, *, step: int) -> None:
        rows = [row for row in read_log(path) if row.step <= step] if step and path.is_file() else []
        self._stream: TextIO = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._stream)
        self._writer.writerow([field.name for field in fields(LogRow)])
        for row in rows:
            self.write(row)

    def write(self, row: LogRow) -> None:
        """Append a row."""
        self._writer.writerow([f"{value:.6g}" if isinstance(value, float) else value for value in astuple(row)])
        self._stream.flush()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()


def read_log(path: Path) -> list[LogRow]:
    """Read the rows of a log; a last line cut short by a kill is left out."""
    rows = []
    with path.open(newline="", encoding="utf-8") as stream:
        for line in csv.DictReader(stream):
            try:
                rows.append(LogRow(int(line["step"]), *(float(line[field.name]) for field in fields(LogRow)[1:])))
            except (TypeError, ValueError):
                continue
    return rows


def draw_learning_curve(rows: list[LogRow], path: Path, *, title: str) -> None:
    """Draw loss (thin: each step, thick: moving average) and learning rate over the steps into a PNG."""
    import numpy as np
    from matplotlib.figure import Figure  # not pyplot: no window system, no global state

    if not rows:
        return
    steps = np.array([row.step for row in rows])
    loss = np.array([row.loss for row in rows])
    window = max(1, min(len(rows) // 20, 200))
    figure = Figure(figsize=(8, 4.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(steps, loss, color="0.8", linewidth=0.7, label="loss")
    smooth = np.convolve(np.nan_to_num(loss, nan=float(np.nanmean(loss))), np.ones(window) / window, mode="valid")
    axes.plot(steps[window - 1 :], smooth, color="C0", label=f"mean of {window} steps")
    axes.set(xlabel="step", ylabel="loss", title=title, ylim=(0, float(np.nanpercentile(loss, 99)) * 1.1 or 1))
    rates = axes.twinx()
    rates.plot(steps, [row.lr for row in rows], color="C1", linewidth=1)
    rates.set_ylabel("learning rate", color="C1")
    axes.legend(loc="upper right")
    temporary = path.with_name(f".{path.name}.tmp")
    figure.savefig(temporary, dpi=110, format="png")
    temporary.replace(path)


class Reporter:
    """Tells a person how far the run is: a rich progress bar on a terminal, else one line every `every` steps."""

    def __init__(self, *, steps: int, step: int, every: int, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._steps, self._every = steps, every
        self._losses: list[float] = []
        self._waits: list[float] = []
        self._since = 0.0
        self._bar: Any = None
        if self._stream.isatty():
            try:
                from rich.console import Console
                from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
            except ImportError:
                return  # lines do as well
            self._bar = Progress(
                TextColumn("{task.description}"),
                BarColumn(),
                TextColumn("{task.percentage:>5.1f} %"),
                TimeElapsedColumn(),
                TimeRemainingColumn(),
                console=Console(file=self._stream),
            )
            self._bar.start()
            self._task = self._bar.add_task("starting", total=1.0, completed=step / steps)

    def step(self, row: LogRow, *, progress: float) -> None:
        """Report a step; `progress` 0..1 is that of the whole run."""
        if not self._losses:
            self._since = row.seconds
        self._losses.append(row.loss)
        self._waits.append(row.wait_s)
        if len(self._losses) < self._every and progress < 1:
            return
        count = len(self._losses)
        pace = (row.seconds - self._since) / max(1, count - 1)
        waiting = sum(self._waits[1:]) / max(1e-9, row.seconds - self._since) if count > 1 else 0.0
        text = f"step {row.step}/{self._steps} loss {sum(self._losses) / count:.4f} lr {row.lr:.2e} {pace:.2f} s/step"
        self.say(f"{text} waiting {waiting:.0%} done {progress:.1%}", progress=progress)
        self._losses, self._waits = [], []

    def say(self, text: str, *, progress: float | None = None) -> None:
        """Show a line (on a terminal: beside the bar)."""
        if self._bar is not None:
            self._bar.update(self._task, description=text, completed=progress)
        else:
            print(text, file=self._stream, flush=True)

    def close(self) -> None:
        """Take the bar down."""
        if self._bar is not None:
            self._bar.stop()
