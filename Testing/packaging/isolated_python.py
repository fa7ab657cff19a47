"""Runs code in a Python that finds the library only where it is told to."""

import subprocess
import sys
from pathlib import Path

__all__ = ["run_python"]


def run_python(code: str, *search_paths: Path, cwd: Path) -> list[str]:
    """Run code in a new Python and return the lines it prints.

    It looks in search_paths first, and in no other folder that holds the library, like the one of an editable install.
    """
    setup = (
        "import sys; from pathlib import Path; "
        f"sys.path[:] = {[str(path) for path in search_paths]!r}"
        " + [p for p in sys.path if not Path(p or '.', 'LightSegLib').is_dir()]; "
    )
    result = subprocess.run([sys.executable, "-c", setup + code], cwd=cwd, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()
