"""Keeps the lists of files in the top CMakeLists.txt equal to the tree: Slicer packages only what is listed.

`python Testing/cmake_lists.py` rewrites them.
"""

import re
import subprocess
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = ("LightSegLib", "Resources")
NOT_PACKAGED = ("Resources/Screenshots/",)
VARIABLES = ("LIBRARY_SCRIPTS", "LIBRARY_RESOURCES")


def files_in_tree(variable: str) -> list[str]:
    """Return the files that belong into a variable, sorted: Python files are scripts, all others resources."""
    is_script = variable == "LIBRARY_SCRIPTS"
    names = [name for name in _all_files() if not name.startswith(NOT_PACKAGED)]
    return sorted(name for name in names if name.endswith(".py") == is_script)


def files_listed(variable: str) -> list[str]:
    """Return the files that a variable of CMakeLists.txt lists, in their order."""
    match = _block(variable).search(_cmake_file().read_text(encoding="utf-8"))
    if match is None:
        raise ValueError(f"CMakeLists.txt sets no {variable}")
    return match.group("files").split()


def rewrite() -> None:
    """Make both lists equal to the tree."""
    text = _cmake_file().read_text(encoding="utf-8")
    for variable in VARIABLES:
        lines = "".join(f"  {name}\n" for name in files_in_tree(variable))
        text = _block(variable).sub(f"set({variable}\n{lines}  )", text)
    _cmake_file().write_text(text, encoding="utf-8")


def _all_files() -> list[str]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *FOLDERS]
    listing = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    names = listing.stdout.splitlines()
    if listing.returncode != 0:  # an unpacked archive, without git
        paths = (path for folder in FOLDERS for path in (REPOSITORY / folder).rglob("*"))
        names = [path.relative_to(REPOSITORY).as_posix() for path in paths if "__pycache__" not in path.parts]
    return [name for name in names if (REPOSITORY / name).is_file()]


def _cmake_file() -> Path:
    return REPOSITORY / "CMakeLists.txt"


def _block(variable: str) -> re.Pattern[str]:
    return re.compile(rf"set\({variable}\n(?P<files>[^)]*)\)")


if __name__ == "__main__":
    rewrite()
