"""Times `lightseg segment` from file to file, stage by stage: both engines, and the models, in turn."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import SimpleITK as sitk
from document import markdown_table

__all__ = ["measure"]

# The grid of MNI152 at 1 mm, the usual size of a research FLAIR.
SIZE_XYZ = (182, 218, 182)
REPEATS = 5


@dataclass(frozen=True)
class Candidate:
    """What is timed: a model on an engine."""

    model: str
    engine: str
    label: str


CANDIDATES = (
    Candidate("wmh-acu", "openvino", "wmh-acu, OpenVINO"),
    Candidate("wmh-acu", "pytorch", "wmh-acu, PyTorch"),
    Candidate("wmh-pocket", "openvino", "wmh-pocket, OpenVINO"),
    Candidate("wmh-lowrank", "openvino", "wmh-lowrank, OpenVINO"),
)


@dataclass(frozen=True)
class Run:
    """One finished process: its seconds by stage, by the clock in "process", its labelmap and its largest memory."""

    seconds: dict[str, float]
    memory_gb: float
    labels: np.ndarray


def measure(sample: Path, *, repeats: int = REPEATS) -> str:
    """Return a Markdown text with the medians of `repeats` runs of each candidate, taken in turn.

    The machine may be shared and its speed may drift, so only figures of one call are comparable.
    """
    with tempfile.TemporaryDirectory() as folder:
        flair = Path(folder) / "flair.nii.gz"
        sitk.WriteImage(_enlarge(sitk.ReadImage(str(sample))), str(flair))
        runs: dict[Candidate, list[Run]] = {candidate: [] for candidate in CANDIDATES}
        for number in range(repeats):
            for candidate, done in runs.items():
                done.append(_segment(flair, candidate, output=Path(folder) / "labels.nii.gz"))
                print(f"run {number + 1} {candidate.label}: {done[-1].seconds['process']:.2f} s", file=sys.stderr)
    medians = [_medians(done) for done in runs.values()]
    rows = [[_label(stage), *(f"{median[stage]:.2f}" for median in medians)] for stage in medians[0]]
    rows.append(["largest memory, GB", *(f"{max(run.memory_gb for run in done):.2f}" for done in runs.values())])
    first, second = (runs[candidate][-1].labels > 0 for candidate in CANDIDATES[:2])
    dice = 2 * np.count_nonzero(first & second) / max(1, np.count_nonzero(first) + np.count_nonzero(second))
    return "\n\n".join(
        [
            f"Seconds, medians of {repeats} runs of each taken in turn, {_machine()}.",
            markdown_table(["stage", *(candidate.label for candidate in CANDIDATES)], rows),
            f"Dice between the segmentations of wmh-acu by the two engines: {dice:.5f}.",
        ]
    )


def _enlarge(image: sitk.Image) -> sitk.Image:
    """Resample (linearly) an image so that its box is covered by SIZE_XYZ voxels."""
    spacing = [old * n / new for old, n, new in zip(image.GetSpacing(), image.GetSize(), SIZE_XYZ, strict=True)]
    grid = sitk.Image(SIZE_XYZ, image.GetPixelID())
    grid.SetSpacing(spacing)
    grid.SetDirection(image.GetDirection())
    # keep the box's corner, not the first voxel's center, in place
    corner = image.TransformContinuousIndexToPhysicalPoint([-0.5] * 3)
    center = grid.TransformContinuousIndexToPhysicalPoint([-0.5] * 3)
    grid.SetOrigin([a - b for a, b in zip(corner, center, strict=True)])
    return sitk.Resample(image, grid, sitk.Transform(), sitk.sitkLinear)


def _segment(flair: Path, candidate: Candidate, *, output: Path) -> Run:
    command = [sys.executable, "-m", "LightSegLib", "segment", "--model", candidate.model]
    command += ["--input", f"FLAIR={flair}", "--output", str(output)]
    command += ["--engine", candidate.engine, "--device", "cpu", "--json"]
    start = time.perf_counter()
    with tempfile.TemporaryFile("w+") as text, tempfile.TemporaryFile("w+") as problems:
        process = subprocess.Popen(command, stdout=text, stderr=problems)
        _, status, usage = os.wait4(process.pid, 0)  # unlike `wait`, it tells what the process used
        elapsed = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        text.seek(0)
        problems.seek(0)
        if process.returncode != 0:
            raise SystemExit(f"{' '.join(command)} failed: {problems.read().strip()}")
        seconds = {**json.load(text)["timings_s"], "process": elapsed}
    labels = sitk.GetArrayFromImage(sitk.ReadImage(str(output)))
    return Run(seconds=seconds, labels=labels, memory_gb=usage.ru_maxrss * 1024 / 1e9)


def _medians(runs: list[Run]) -> dict[str, float]:
    return {stage: statistics.median(run.seconds[stage] for run in runs) for stage in runs[0].seconds}


def _label(stage: str) -> str:
    names = {"total": "**pipeline in all**", "process": "**whole process, start to exit, by the clock**"}
    return names.get(stage, stage.replace("_", " "))


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        lines = cpuinfo.read_text(encoding="utf-8").splitlines()
        model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), model)
    return f"{os.cpu_count()} cores of {model}, Python {platform.python_version()}, input {SIZE_XYZ} as `.nii.gz`"
