"""Weighs the wheels of an install without PyTorch, as pip downloads them for this machine."""

import subprocess
import sys
import tempfile
from pathlib import Path

from document import markdown_table

__all__ = ["measure"]

LIMIT_MB = 200


def measure(repository: Path) -> str:
    """Return a Markdown text with the size of every wheel of `pip install -c constraints.txt .`, in 10^6 bytes."""
    with tempfile.TemporaryDirectory() as folder:
        pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
        constraints = str(repository / "constraints.txt")
        subprocess.run([*pip, "wheel", "--no-deps", "-w", folder, str(repository)], check=True)
        (own,) = Path(folder).glob("lightseg-*.whl")
        subprocess.run([*pip, "download", "-c", constraints, "-d", folder, str(own)], check=True)
        sizes = {path.name: path.stat().st_size / 1e6 for path in Path(folder).glob("*.whl")}
    if any(name.startswith("torch-") for name in sizes):
        raise SystemExit("the base install takes PyTorch")
    total = sum(sizes.values())
    if total > LIMIT_MB:
        raise SystemExit(f"the base install takes {total:.0f} MB of wheels, more than {LIMIT_MB}")
    largest_first = sorted(sizes.items(), key=lambda item: -item[1])
    rows = [["-".join(name.split("-")[:2]), f"{megabytes:.1f}"] for name, megabytes in largest_first]
    return markdown_table(["wheel", "MB"], [*rows, ["**all**", f"**{total:.1f}**"]])
