"""Times `lightseg segment` from file to file, stage by stage, with both engines in turn."""

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
ENGINES = ("openvino", "pytorch")
REPEATS = 5


@dataclass(frozen=True)
class Run:
    """One finished process: its seconds by stage, by the clock in "process", and its labelmap."""

    seconds: dict[str, float]
    labels: np.ndarray


def measure(sample: Path, *, repeats: int = REPEATS) -> str:
    """Return a Markdown text with the medians of `repeats` runs per engine, taken in turn.

    The machine may be shared and its speed may drift, so only figures of one call are comparable.
    """
    with tempfile.TemporaryDirectory() as folder:
        flair = Path(folder) / "flair.nii.gz"
        sitk.WriteImage(_enlarge(sitk.ReadImage(str(sample))), str(flair))
        runs: dict[str, list[Run]] = {engine: [] for engine in ENGINES}
        for number in range(repeats):
            for engine in ENGINES:
                runs[engine].append(_segment(flair, engine=engine, output=Path(folder) / f"{engine}.nii.gz"))
                print(f"run {number + 1} {engine}: {runs[engine][-1].seconds['process']:.2f} s", file=sys.stderr)
    medians = {engine: _medians(runs[engine]) for engine in ENGINES}
    stages = list(medians[ENGINES[0]])
    rows = [[_label(stage), *(f"{medians[engine][stage]:.2f}" for engine in ENGINES)] for stage in stages]
    first, second = (runs[engine][-1].labels > 0 for engine in ENGINES)
    dice = 2 * np.count_nonzero(first & second) / max(1, np.count_nonzero(first) + np.count_nonzero(second))
    return "\n\n".join(
        [
            f"Seconds, medians of {repeats} runs per engine taken in turn, {_machine()}.",
            markdown_table(["stage", "OpenVINO", "PyTorch"], rows),
            f"Dice between the two engines' segmentations: {dice:.5f}.",
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


def _segment(flair: Path, *, engine: str, output: Path) -> Run:
    command = [sys.executable, "-m", "LightSegLib", "segment", "--model", "wmh-acu", "--input", f"FLAIR={flair}"]
    command += ["--output", str(output), "--engine", engine, "--device", "cpu", "--json"]
    start = time.perf_counter()
    finished = subprocess.run(command, capture_output=True, text=True)
    elapsed = time.perf_counter() - start
    if finished.returncode != 0:
        raise SystemExit(f"{' '.join(command)} failed: {finished.stderr.strip()}")
    seconds = {**json.loads(finished.stdout)["timings_s"], "process": elapsed}
    return Run(seconds=seconds, labels=sitk.GetArrayFromImage(sitk.ReadImage(str(output))))


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
