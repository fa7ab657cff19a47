"""The cases that a CSV file lists."""

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from LightSegLib.batch.case import Case, Cohort, check_case, check_names
from LightSegLib.batch.file_names import file_stem
from LightSegLib.bundles import InputChannel
from LightSegLib.errors import InputError
from LightSegLib.pipeline.channels import likely_channel

__all__ = ["read_case_table"]

DELIMITERS = ",;\t"
CASE, REFERENCE = "case", "reference"


def read_case_table(path: Path, inputs: Sequence[InputChannel]) -> Cohort:
    """Return the cases of a CSV file: one row each, with the columns `case`, `reference` and one for each channel.

    `case` and `reference` may be absent; without `case` the name of the main file is the case's. Upper and lower case
    of the columns are the same, they are divided by comma, semicolon or tab, and other columns are left out, which a
    note says. Paths are relative to the file's folder.
    Raises InputError when the file cannot be read or its header does not fit the model.
    """
    header, rows = _read(path)
    columns, notes = _match_columns(path, header, inputs)
    cases = [_read_case(path, number, row, len(header), columns, inputs) for number, row in rows]
    if not cases:
        raise InputError(f"{path} lists no case: write one row for each below the header.")
    if CASE not in columns:
        cases = _number_equal_names(cases, [number for number, _ in rows])
    return Cohort(cases=check_names(cases), notes=notes)


def _read(path: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Return the header and the rows that are not empty, with their line numbers."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            file.seek(0)
            delimiter = max(DELIMITERS, key=first.count)
            reader = csv.reader(file, delimiter=delimiter)
            rows = [(reader.line_num, [cell.strip() for cell in row]) for row in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path} is no CSV file in UTF-8 ({error}): save it as 'CSV UTF-8'.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    rows = [(number, row) for number, row in rows if any(row)]
    if not rows:
        raise InputError(f"{path} is empty: give a table with a header.")
    return rows[0][1], rows[1:]


def _match_columns(
    path: Path, header: Sequence[str], inputs: Sequence[InputChannel]
) -> tuple[dict[str, int], tuple[str, ...]]:
    """Return the place of each column that is used, by channel or as "case" and "reference", and a note on others."""
    known = {name.casefold(): name for name in (CASE, REFERENCE, *(channel.name for channel in inputs))}
    columns: dict[str, int] = {}
    others = []
    for place, title in enumerate(header):
        name = known.get(title.casefold())
        if name in columns:
            raise InputError(f"{path} has two columns {name}: leave one.")
        if name is not None:
            columns[name] = place
        elif title:
            others.append(title)
    takes = ", ".join(f"{channel.name} ({'required' if channel.required else 'optional'})" for channel in inputs)
    missing = [channel for channel in inputs if channel.name not in columns]
    if len(missing) == len(inputs) or any(channel.required for channel in missing):
        what = next((channel for channel in missing if channel.required), missing[0]).name
        raise InputError(
            f"{path} has no column {what}, only {', '.join(filter(None, header))}: its first line must name the "
            f"columns, and this model takes {takes}."
        )
    for title in others:
        # An optional channel that goes missing by a slip of the pen would never be noticed.
        meant = likely_channel(missing, title) if missing else None
        if meant is not None and likely_channel(inputs, title) == meant:
            raise InputError(f"{path} has a column {title}: rename it to {meant} if that is meant, else remove it.")
    notes = (f"Not used of {path.name}: column {', '.join(others)}; this model takes {takes}.",) if others else ()
    return columns, notes


def _read_case(
    table: Path, number: int, row: list[str], width: int, columns: dict[str, int], inputs: Sequence[InputChannel]
) -> Case:
    cells = {name: row[place] for name, place in columns.items() if place < len(row) and row[place]}
    files = {name: table.parent / Path(cell).expanduser() for name, cell in cells.items() if name != CASE}
    reference = files.pop(REFERENCE, None)
    problem = None
    if len(row) > width:
        problem = f"Line {number} of {table.name} has more cells than the header: put quotes around commas in names."
    elif CASE in columns and CASE not in cells:
        problem = f"Line {number} of {table.name} has no case: give it a name."
    case = check_case(Case(name="", inputs=files, reference=reference, problem=problem), inputs)
    main = next(iter(case.inputs.values()), None)
    name = " ".join(cells.get(CASE, "").split()) or (f"line {number}" if main is None else file_stem(main))
    return replace(case, name=name)


def _number_equal_names(cases: Sequence[Case], lines: Sequence[int]) -> list[Case]:
    """Add the line number to names that several files have, such as flair.nii.gz in each patient's folder."""
    count = Counter(case.name for case in cases)
    return [
        case if count[case.name] == 1 else replace(case, name=f"{case.name}-{line}")
        for case, line in zip(cases, lines, strict=True)
    ]
