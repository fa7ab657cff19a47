"""The cases of a data folder, as its `cases.json` lists them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from LightSegLib.errors import InputError

__all__ = ["Case", "left_out", "read_cases", "select_cases"]

# simvent comes from the hospital and scanner of ms3seg, so leaving out one means leaving out the other.
SAME_CENTER = {"simvent": "ms3seg"}


@dataclass(frozen=True)
class Case:
    """One scan: its folder, what files it has (names without .nii.gz), and what it may be used for.

    Cases with the same `patient` are not independent; `center` is where it was scanned; `fold` is the part of a
    cross-validation that scores it, None where the listing has none.
    """

    name: str
    split: str
    center: str
    patient: str
    folder: Path
    files: tuple[str, ...]
    fold: int | None = None

    def path(self, file: str) -> Path:
        """Return the path of a file by its name without the extension."""
        return self.folder / f"{file}.nii.gz"


def read_cases(data: Path) -> list[Case]:
    """Read `cases.json` of a data folder; a case whose files it does not name has those in its folder.

    Raises InputError naming the file.
    """
    listing = Path(data) / "cases.json"
    try:
        entries = json.loads(listing.read_text(encoding="utf-8"))
        return [
            Case(
                name=entry["case"],
                split=entry.get("split", "train"),
                center=center_of(entry["case"]),
                patient=entry.get("patient", entry["case"]),
                folder=Path(data) / entry["case"],
                files=tuple(entry["files"]) if "files" in entry else _files_in(Path(data) / entry["case"]),
                fold=entry.get("fold"),
            )
            for entry in entries
        ]
    except FileNotFoundError:
        raise InputError(f"{listing}: missing; give the folder that holds cases.json and one folder per case") from None
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise InputError(f"{listing}: malformed ({error!r}); see DATA.md for its format") from error


def _files_in(folder: Path) -> tuple[str, ...]:
    return tuple(sorted(path.name.removesuffix(".nii.gz") for path in folder.glob("*.nii.gz")))


def center_of(case: str) -> str:
    """Return the center of a case name: what stands before its number, `simvent` counted as `ms3seg`.

    >>> center_of("mslesseg_06_t1")
    'mslesseg'
    """
    prefix = re.split(r"_\d", case, maxsplit=1)[0]
    return SAME_CENTER.get(prefix, prefix)


def select_cases(cases: Iterable[Case], *, split: str = "all", names: Iterable[str] = ()) -> list[Case]:
    """Return the cases of a split (`train`, `validation` or `all`), or exactly those named."""
    cases, names = list(cases), list(names)
    if names:
        known = {case.name: case for case in cases}
        unknown = [name for name in names if name not in known]
        if unknown:
            raise InputError(f"unknown case {', '.join(unknown)}; known: {', '.join(known)}")
        return [known[name] for name in names]
    return [case for case in cases if split in ("all", case.split)]


def left_out(cases: Iterable[Case], settings: dict) -> list[Case]:
    """Return the cases that a recipe's `[source]` settings leave out by center, fold or name."""
    centers = {SAME_CENTER.get(name, name) for name in settings.get("leave_out_centers", ())}
    names = set(settings.get("leave_out_cases", ()))
    fold = settings.get("leave_out_fold")
    return [
        case
        for case in cases
        if case.center in centers or case.name in names or (fold is not None and case.fold == fold)
    ]
