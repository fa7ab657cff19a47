"""What a worker process is asked to do."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from LightSegLib.errors import InputError

__all__ = ["Job"]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One segmentation of files: `inputs` and the other settings are those of the command line.

    `models` are bundles' names or folders, one or several to average. On disk it is one JSON object with these
    fields as keys.
    """

    models: Sequence[str]
    inputs: Mapping[str, str]
    output: str
    reference: str | None = None
    probabilities: str | None = None
    device: str = "auto"
    engine: str = "auto"
    threads: int | None = None

    def write(self, path: Path) -> None:
        """Write the job as JSON."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")

    @staticmethod
    def read(path: Path) -> "Job":
        """Read a job; InputError if the file cannot be read or does not hold the right keys."""
        try:
            return Job(**json.loads(path.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(f"{path} is no job for the LightSeg worker: {error}") from error
