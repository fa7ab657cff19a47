"""What a worker process is asked to do, and how its answers are marked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from LightSegLib.errors import InputError

__all__ = [
    "MESSAGE_PREFIX",
    "AnyJob",
    "BatchJob",
    "DicomSegJob",
    "MeasureJob",
    "RunOptions",
    "SegmentJob",
    "read_job",
    "write_job",
]

MESSAGE_PREFIX = "@LightSeg "
"""Starts a worker's message on its stdout; all other text there is log."""


@dataclass(frozen=True, kw_only=True)
class RunOptions:
    """How to compute, and what to change of the first model's postprocessing: the options of `Segmenter`."""

    device: str = "auto"
    engine: str = "auto"
    threads: int | None = None
    precision: str = "auto"
    postprocessing: str = "shipped"
    threshold: float | Mapping[str, float] | None = None
    min_lesion_ml: float | None = None

    def segmenter_options(self) -> dict[str, Any]:
        """Return these options alone, as `Segmenter` takes them."""
        return {option.name: getattr(self, option.name) for option in fields(RunOptions)}


@dataclass(frozen=True, kw_only=True)
class SegmentJob(RunOptions):
    """One segmentation of files: `inputs` and the other settings are those of the command line.

    `models` are bundles' names or folders, one or several to average.
    """

    models: Sequence[str]
    inputs: Mapping[str, str]
    output: str
    reference: str | None = None
    probabilities: str | None = None


@dataclass(frozen=True, kw_only=True)
class MeasureJob:
    """Measures of a segmentation that exists, such as a corrected one, and a report on request; no network runs.

    `inputs`, the main one first, are those of the segmentation, which is on the main one's grid. `provenance` is that
    of the run that made it, None if unknown. `names`: what the report calls the inputs, by channel, and the
    "reference", instead of their files.
    """

    models: Sequence[str]
    inputs: Mapping[str, str]
    segmentation: str
    reference: str | None = None
    provenance: Mapping[str, Any] | None = None
    report: str | None = None
    names: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class BatchJob(RunOptions):
    """The segmentation of a cohort: `sources` are one folder, one CSV file, or image files, as on the command line.

    `ending` is that of the segmentations in the folder `output`; `part` is (2, 8) for the second of eight shares.
    """

    models: Sequence[str]
    sources: Sequence[str]
    output: str
    ending: str = "seg.nrrd"
    report: bool = False
    overwrite: bool = False
    part: tuple[int, int] | None = None


@dataclass(frozen=True, kw_only=True)
class DicomSegJob:
    """One labelmap file of the segments of `models` to export as DICOM SEG of the series that `sources` are.

    `corrected` says that a person has changed it.
    """

    models: Sequence[str]
    segmentation: str
    sources: Sequence[str]
    output: str
    corrected: bool = False


AnyJob = SegmentJob | MeasureJob | BatchJob | DicomSegJob
JOBS: dict[str, type[AnyJob]] = {
    "segment": SegmentJob,
    "measure": MeasureJob,
    "batch": BatchJob,
    "dicom_seg": DicomSegJob,
}
"""Each job's class by the name that its file gives it."""


def write_job(job: AnyJob, path: Path) -> None:
    """Write a job as one JSON object: its name as "job", and its fields."""
    name = next(name for name, kind in JOBS.items() if type(job) is kind)
    path.write_text(json.dumps({"job": name, **asdict(job)}), encoding="utf-8")


def read_job(path: Path) -> AnyJob:
    """Read a job; InputError if the file cannot be read or does not hold the right keys."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return JOBS[content.pop("job")](**content)
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InputError(f"{path} is no job for the LightSeg worker: {error!r}") from error
