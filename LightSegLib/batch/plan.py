"""What a batch will do with each case, worked out before it starts."""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from LightSegLib.batch.case import Case
from LightSegLib.batch.output_names import output_stems
from LightSegLib.batch.settings import settings_id
from LightSegLib.batch.volumes_table import Row, read_rows
from LightSegLib.errors import OutputError
from LightSegLib.outputs import check_volume_path
from LightSegLib.segmenter import Segmenter

__all__ = ["BatchOutputs", "Part", "PlannedCase", "plan_batch"]

TABLE = "volumes"
DONE = "done"
CLOCKS_DIFFER_S = 60.0
"""File servers set the time of a file, computers that of a row."""


@dataclass(frozen=True)
class Part:
    """The `number`-th of `count` equal shares of a cohort, counted from 1. Raises ValueError for other numbers."""

    number: int
    count: int

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.count:
            raise ValueError(f"part {self.number} of {self.count}: expected a number from 1 to {self.count}")


@dataclass(frozen=True, kw_only=True)
class BatchOutputs:
    """Where the results go: `<case>.<ending>` and, if asked for, a report `<case>.html` for each case, and a table.

    With a `part` only its share of the cases is done, and the table is one of its own.
    """

    folder: Path
    ending: str = "seg.nrrd"
    report: bool = False
    overwrite: bool = False
    part: Part | None = None

    @property
    def table(self) -> Path:
        """The CSV file of this run."""
        share = "" if self.part is None else f".part-{self.part.number}-of-{self.part.count}"
        return self.folder / f"{TABLE}{share}.csv"

    def known_tables(self) -> list[Path]:
        """Return the tables that runs have left in the folder, this run's own first."""
        others = sorted(
            {*self.folder.glob(f"{TABLE}.csv"), *self.folder.glob(f"{TABLE}.part-*-of-*.csv")} - {self.table}
        )
        return [*([self.table] if self.table.exists() else []), *others]


@dataclass(frozen=True, kw_only=True)
class PlannedCase:
    """One case of a run: its place in the whole cohort, its files, and the row of an earlier run that still holds.

    `problem` is why it will fail, be it for the case or for its outputs.
    """

    index: int
    case: Case
    output: Path
    report: Path | None
    settings_id: str
    kept: Row | None
    problem: str | None

    @property
    def is_blocked(self) -> bool:
        """Whether the problem is a file that stands where the result would go."""
        return self.problem is not None and self.case.problem is None


def plan_batch(segmenter: Segmenter, cases: Sequence[Case], outputs: BatchOutputs) -> list[PlannedCase]:
    """Return what a run does with its cases, in order; nothing is written.

    A case is kept where its files exist and a table says that it was done with the same models, options and input
    files. Raises OutputError when an output would replace an input of any case, its format is unknown, or a table in
    the folder is not LightSeg's.
    """
    check_volume_path(outputs.folder / f"case.{outputs.ending}", labels=True)
    rows: dict[str, list[Row]] = {}
    for table in outputs.known_tables():
        for row in read_rows(table):
            rows.setdefault(row["case"], []).append(row)
    inputs = _identities(path for case in cases for path in _files(case))
    planned = []
    for index, (case, stem) in enumerate(zip(cases, output_stems(case.name for case in cases), strict=True)):
        if outputs.part is not None and index % outputs.part.count != outputs.part.number - 1:
            continue
        one = PlannedCase(
            index=index,
            case=case,
            output=outputs.folder / f"{stem}.{outputs.ending}",
            report=outputs.folder / f"{stem}.html" if outputs.report else None,
            settings_id="" if case.problem else settings_id(segmenter, case),
            kept=None,
            problem=case.problem,
        )
        files = [one.output, *([one.report] if one.report else [])]
        if _identities(files) & inputs:
            raise OutputError(f"{one.output} is an input of this run and would be overwritten: choose another folder.")
        planned.append(_compare(one, files, rows.get(case.name, []), overwrite=outputs.overwrite))
    return planned


def _compare(one: PlannedCase, files: Sequence[Path], rows: Sequence[Row], *, overwrite: bool) -> PlannedCase:
    """Add what earlier runs mean for a case: whether their result holds, or a file that is not theirs is in the way."""
    if one.problem is not None or overwrite:
        return one
    same = (row for row in rows if row["status"] == DONE and row["settings_id"] == one.settings_id)
    kept = next((row for row in same if row["output"] == one.output.name), None)
    if kept is not None and all(path.exists() for path in files):
        return replace(one, kept=kept)
    # A row without an id is of a case that was never tried.
    tried = [row for row in rows if row["settings_id"]]
    if one.output.exists() and not any(_is_as_written(one.output, row) for row in tried):
        what = "was changed after it was written" if tried else "exists and no table here tells of it"
        problem = f"{one.output} {what}: choose another folder, or overwrite."
        return replace(one, problem=problem, settings_id="")
    return one


def _is_as_written(output: Path, row: Row) -> bool:
    """Return whether a file has not been changed, such as corrected by hand, since the run that its row tells of."""
    try:
        finished = datetime.fromisoformat(row["finished"]).timestamp()
    except ValueError:
        return False
    return output.stat().st_mtime <= finished + CLOCKS_DIFFER_S


def _files(case: Case) -> list[Path]:
    return [*case.inputs.values(), *([] if case.reference is None else [case.reference])]


def _identities(paths: Iterable[Path]) -> set[tuple[int, int]]:
    """Return what tells files apart whatever their names: links, and other spellings where case does not matter."""
    found = set()
    for path in paths:
        try:
            state = os.stat(path)
        except OSError:
            continue
        found.add((state.st_dev, state.st_ino))
    return found
