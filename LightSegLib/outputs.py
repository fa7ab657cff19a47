"""Several output files that appear together at the end, or not at all."""

import glob
import os
from collections.abc import Callable, Iterable
from pathlib import Path

from LightSegLib.errors import OutputError
from LightSegLib.writers import check_writable, output_format

__all__ = ["OutputSet", "check_report_path", "check_volume_path", "remove_leftovers"]

REPORT_EXTENSIONS = (".html", ".htm")


class OutputSet:
    """Files of one run: written under temporary names beside their places, renamed together by `commit`.

    Use it as a context manager: on leaving, whatever has not been committed is removed.
    Raises OutputError at construction when two outputs are one file, when an output would overwrite one of
    `inputs`, or when a place cannot be written to.
    """

    def __init__(self, paths: Iterable[Path], *, inputs: Iterable[Path] = ()) -> None:
        self._temporary: dict[Path, Path] = {}
        read = {path.resolve() for path in inputs}
        seen: set[Path] = set()
        for path in paths:
            place = path.resolve()
            if place in seen:
                raise OutputError(f"{path} is given as two outputs: give each output its own file.")
            if place in read:
                raise OutputError(f"{path} is an input of this run and would be overwritten: choose another output.")
            check_writable(path)
            seen.add(place)

    def write(self, path: Path, writer: Callable[[Path], object]) -> None:
        """Have `writer` write the content of `path` under the temporary name that it is given."""
        # The name keeps its end, because the file's format follows from it.
        temporary = path.with_name(f".lightseg-{os.getpid()}-{path.name}")
        self._temporary[path] = temporary
        try:
            writer(temporary)
        except OutputError as error:
            raise OutputError(str(error).replace(str(temporary), str(path))) from error
        except OSError as error:
            raise OutputError(
                f"{path} cannot be written ({error.strerror or error}): free space or choose another folder."
            ) from error

    def commit(self) -> list[Path]:
        """Rename every written file to its own name and return the names; an earlier file there is replaced.

        Raises OutputError when a rename fails; files that this call had newly made are then removed again.
        """
        made: list[Path] = []
        done: list[Path] = []
        for path, temporary in self._temporary.items():
            existed = path.exists()
            try:
                os.replace(temporary, path)
            except OSError as error:
                for earlier in made:
                    earlier.unlink(missing_ok=True)
                raise OutputError(f"{path} cannot be written ({error.strerror}): choose another output.") from error
            done.append(path)
            if not existed:
                made.append(path)
        return done

    def __enter__(self) -> "OutputSet":
        return self

    def __exit__(self, *exception: object) -> None:
        for temporary in self._temporary.values():
            temporary.unlink(missing_ok=True)


def remove_leftovers(path: Path) -> None:
    """Remove the temporary files of an output whose process was killed; not while another one writes it."""
    for leftover in path.parent.glob(f".lightseg-*-{glob.escape(path.name)}"):
        leftover.unlink(missing_ok=True)


def check_volume_path(path: Path, *, labels: bool) -> None:
    """Raise OutputError unless the file's extension is one that a labelmap, or a volume of numbers, can have."""
    if output_format(path) == "seg.nrrd" and not labels:
        raise OutputError(f"{path}: probabilities are no segmentation; use .nii.gz, .nrrd or .mha.")


def check_report_path(path: Path) -> None:
    """Raise OutputError unless the file's extension is one of an HTML page."""
    if path.suffix.lower() not in REPORT_EXTENSIONS:
        raise OutputError(f"{path}: a report is an HTML page; use the extension .html.")
