"""The table of a batch: one row for each case, kept on disk as a CSV file that is always whole.

Wide rather than long, as a case is what is studied: the table is merged with others by `case`, a failed case is one
row, and tables of several shares go one below the other. Columns of one kind end alike ("_volume_ml"), so that one
line makes it long where that is wanted. The encoding is UTF-8 without a mark, as R would take that for a part of the
first column's name; numbers have a point, and what is undefined is empty.
"""

import csv
import io
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from LightSegLib.bundles import Bundle
from LightSegLib.errors import OutputError
from LightSegLib.outputs import OutputSet
from LightSegLib.pipeline.result import Result
from LightSegLib.report import MEASURES

__all__ = ["Row", "VolumesTable", "measure_columns", "measured", "read_rows", "volumes_of"]

Row = dict[str, str]
KEYS = ("case", "status", "output", "finished", "settings_id")
"""Without these columns a table is none of ours."""
AGREEMENT = (*(key for key, _, _ in MEASURES), "reference_volume_ml")


class VolumesTable:
    """The rows by case, read from `path` if there is such a file; `put` changes one, `write` replaces the file.

    `columns` come first, in this order, then what else the file had. `order` is the order of the cases; cases of the
    file that are not among them are kept at the end. Raises OutputError when the file is no such table.
    """

    def __init__(self, path: Path, *, columns: Sequence[str], order: Sequence[str]) -> None:
        self.path = path
        self._columns = columns
        self._order = {name: place for place, name in enumerate(order)}
        self._rows = {row["case"]: row for row in read_rows(path)} if path.exists() else {}

    def put(self, row: Mapping[str, Any]) -> None:
        """Set the row of the case `row["case"]`."""
        self._rows[row["case"]] = {column: _text(value) for column, value in row.items()}

    def has(self, name: str) -> bool:
        """Return whether a case has a row."""
        return name in self._rows

    def write(self) -> None:
        """Replace the file in one step; OutputError when it cannot be written, then it stays as it was."""
        rows = sorted(self._rows.values(), key=lambda row: self._order.get(row["case"], len(self._order)))
        columns = list(dict.fromkeys([*self._columns, *(column for row in rows for column in row)]))
        text = io.StringIO()
        writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        with OutputSet([self.path]) as files:
            files.write(self.path, lambda path: _write_bytes(path, text.getvalue()))
            files.commit()


def read_rows(path: Path) -> list[Row]:
    """Return the rows of a table that a batch has written; OutputError when the file is none or cannot be read."""
    try:
        with path.open(encoding="utf-8-sig", errors="surrogateescape", newline="") as file:
            reader = csv.DictReader(file)
            if not set(KEYS) <= set(reader.fieldnames or ()):
                raise OutputError(
                    f"{path} is no table of lightseg batch, or another program has changed its columns: move it away, "
                    "or choose another folder."
                )
            return [{column: value or "" for column, value in row.items() if column} for row in reader]
    except (OSError, csv.Error) as error:
        raise OutputError(f"{path} cannot be read ({error}): move it away, or choose another folder.") from None


def measure_columns(bundle: Bundle, *, with_agreement: bool) -> list[str]:
    """Return the columns of `measured`, in the order of the table: all volumes first."""
    names = [*(_column(segment.name) for segment in bundle.segments), *(_column(one.name) for one in bundle.regions)]
    counts_lesions = bundle.postprocessing.get("kind") == "lesions"
    columns = [f"{name}_volume_ml" for name in names] + (["lesion_count"] if counts_lesions else [])
    if with_agreement:
        columns += [f"{name}_{key}" for name in names for key in AGREEMENT]
        columns += ["reference_lesion_count"] if counts_lesions else []
    return columns


def measured(result: Result) -> dict[str, Any]:
    """Return what was measured of a case by column."""
    cells: dict[str, Any] = {f"{_column(name)}_volume_ml": ml for name, ml in result.volumes_ml.items()}
    if result.lesion_count is not None:
        cells["lesion_count"] = result.lesion_count
    for name, agreement in result.agreements.items():
        values = agreement.to_json()
        cells |= {f"{_column(name)}_{key}": values[key] for key in AGREEMENT}
    if result.lesion_count is not None and result.agreement is not None:
        cells["reference_lesion_count"] = result.agreement.reference_lesion_count
    return cells


def volumes_of(row: Row, bundle: Bundle) -> dict[str, float]:
    """Return the volumes in ml by segment and region that a row has."""
    names = [*(segment.name for segment in bundle.segments), *(region.name for region in bundle.regions)]
    return {name: float(row[f"{_column(name)}_volume_ml"]) for name in names if row.get(f"{_column(name)}_volume_ml")}


def _column(name: str) -> str:
    """Return a structure's name as a part of a column's that R and Python need not quote."""
    return re.sub(r"\W+", "_", name.casefold()).strip("_")


def _text(value: Any) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    # A cell of several lines is right in CSV, but not for those who read it line by line.
    return f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).splitlines())


def _write_bytes(path: Path, text: str) -> None:
    # File names may hold bytes that are no text.
    path.write_bytes(text.encode("utf-8", errors="surrogateescape"))
