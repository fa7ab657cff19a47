"""What a worker process is asked to do, and how its answers are marked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from LightSegLib.errors import InputError

__all__ = ["MESSAGE_PREFIX", "AnyJob", "DicomSegJob", "SegmentJob", "read_job", "write_job"]

MESSAGE_PREFIX = "@LightSeg "
"""Starts a worker's message on its stdout; all other text there is log."""


@dataclass(frozen=True, kw_only=True)
class SegmentJob:
    """One segmentation of files: `inputs` and the other settings are those of the command line.

    `models` are bundles' names or folders, one or several to average.
    """

    models: Sequence[str]
    inputs: Mapping[str, str]
    output: str
    reference: str | None = None
    probabilities: str | None = None
    device: str = "auto"
    engine: str = "auto"
    threads: int | None = None


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


AnyJob = SegmentJob | DicomSegJob
JOBS: dict[str, type[AnyJob]] = {"segment": SegmentJob, "dicom_seg": DicomSegJob}
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
