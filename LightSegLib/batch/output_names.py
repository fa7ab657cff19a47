"""Names of the result files of cases: fit for every file system, and no two alike."""

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["output_stems"]

FORBIDDEN = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f]')
"""What Windows allows in no file name."""
RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
"""Names of devices on Windows, whatever their ending."""
LONGEST = 100
"""Characters: paths on Windows often end at 260 in all, and file names on Linux at 255 bytes."""


def output_stems(names: Iterable[str]) -> list[str]:
    """Return for each case's name that of its files, without an ending.

    Characters that some file system does not take become "_". Names that would then be one, also where upper and lower
    case are the same, are told apart by a number.
    """
    taken: set[str] = set()
    stems = []
    for name in names:
        stem = _safe(name)
        unique, number = stem, 2
        while unique.casefold() in taken:
            unique, number = f"{stem}-{number}", number + 1
        taken.add(unique.casefold())
        stems.append(unique)
    return stems


def _safe(name: str) -> str:
    # Windows drops dots and spaces at the end; a dot at the beginning hides the file elsewhere.
    text = FORBIDDEN.sub("_", unicodedata.normalize("NFC", name))[:LONGEST].strip(" .")
    return f"_{text}" if not text or RESERVED.fullmatch(text) else text
