"""A cohort of files, segmented by the worker with one model loaded once."""

import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from LightSegLib.job import BatchJob, write_job

__all__ = ["BatchResult", "BatchTask"]


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """What a batch gave: its table (CSV), and the number of cases by status ("done", "failed", "skipped")."""

    table: Path
    counts: Mapping[str, int]

    @property
    def text(self) -> str:
        """The counts and the table in one line."""
        told = ", ".join(f"{number} {status}" for status, number in self.counts.items() if number)
        return f"{told or 'no cases'}; table: {self.table}"


class BatchTask:
    """One batch between the application and the worker."""

    def __init__(self, job: BatchJob) -> None:
        self._job = job
        self._folder = Path(tempfile.mkdtemp(prefix="lightseg-"))

    def write(self) -> Path:
        """Write the job's file and return it."""
        path = self._folder / "job.json"
        write_job(self._job, path)
        return path

    def write_inputs(self) -> None:
        """Write nothing: the worker reads the user's own files."""

    def finish(self, result: dict[str, Any]) -> BatchResult:
        """Return what the batch gave."""
        return BatchResult(table=Path(result["outputs"]["table"]), counts=result["result"])

    def in_words(self, text: str) -> str:
        """Return the text: its files are the user's own."""
        return text

    def clean(self) -> None:
        """Remove the job's file."""
        shutil.rmtree(self._folder, ignore_errors=True)
