"""Which devices the user can choose from, found out beside the application and without importing any engine."""

import os
import platform
import shutil
import subprocess
import threading
from importlib.util import find_spec

__all__ = ["DeviceSearch", "has_pytorch"]

QUERY = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
SECONDS = 5.0
NO_WINDOW = 0x08000000 if os.name == "nt" else 0


def has_pytorch() -> bool:
    """Return whether PyTorch, which computes on a GPU, is installed."""
    return find_spec("torch") is not None


class DeviceSearch:
    """Looks for a graphics card in a thread of its own, as the driver may take its time."""

    def __init__(self) -> None:
        self.gpu = ""
        self._thread = threading.Thread(target=self._look, daemon=True, name="LightSeg device search")
        self._thread.start()

    @property
    def is_looking(self) -> bool:
        """Whether the driver has not answered yet."""
        return self._thread.is_alive()

    def entries(self) -> list[tuple[str, str]]:
        """Return (device, text) for each device that can be chosen: what `Segmenter` takes, and what was found."""
        found = [("auto", "Automatic"), ("cpu", f"CPU, {os.cpu_count() or 1} threads")]
        if self.gpu and has_pytorch():
            found.append(("mps" if self.gpu.startswith("Apple") else "cuda", f"GPU, {self.gpu}"))
        return found

    @property
    def has_unused_gpu(self) -> bool:
        """Whether there is a graphics card that only lacks PyTorch."""
        return bool(self.gpu) and not has_pytorch()

    def _look(self) -> None:
        if platform.system() == "Darwin":
            self.gpu = "Apple GPU" if platform.machine() == "arm64" else ""
        elif shutil.which(QUERY[0]) is not None:
            try:
                answer = subprocess.run(
                    QUERY, capture_output=True, text=True, timeout=SECONDS, check=True, creationflags=NO_WINDOW
                )
            except (OSError, subprocess.SubprocessError):
                return
            self.gpu = answer.stdout.partition("\n")[0].strip()
