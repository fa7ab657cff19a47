"""Ends a process together with everything that it started."""

import contextlib
import os
import signal
import subprocess
from collections import defaultdict
from pathlib import Path

__all__ = ["descendants", "kill_tree"]


def kill_tree(process: "subprocess.Popen[str]") -> None:
    """Kill a process and its descendants at once, and wait until it is gone.

    Slicer's `PythonSlicer` is a launcher: killing only that would leave the Python that it started at work.
    """
    if process.poll() is None:
        if os.name == "nt":
            # /T follows the children, which a plain kill does not on Windows.
            command = ["taskkill", "/PID", str(process.pid), "/T", "/F"]
            subprocess.run(command, capture_output=True, creationflags=0x08000000, check=False)  # no console window
        else:
            for pid in [process.pid, *descendants(process.pid)]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
    process.wait()


def descendants(pid: int) -> list[int]:
    """Return the ids of the processes started by `pid` and by those, parents before children; not on Windows."""
    children = defaultdict(list)
    for child, parent in _parents():
        children[parent].append(child)
    found = list(children[pid])
    for child in found:
        found += children[child]
    return found


def _parents() -> list[tuple[int, int]]:
    """Return (process, its parent) for every process of the machine."""
    proc = Path("/proc")
    if (proc / "self" / "stat").exists():
        pairs = []
        for entry in proc.iterdir():
            if entry.name.isdigit():
                with contextlib.suppress(OSError):  # it ended meanwhile
                    # The name in parentheses may hold anything, so count from its end.
                    after_name = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                    pairs.append((int(entry.name), int(after_name[1])))
        return pairs
    listing = subprocess.run(["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True).stdout
    rows = [line.split() for line in listing.splitlines()]
    return [(int(pid), int(parent)) for pid, parent in rows]
