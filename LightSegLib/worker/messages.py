"""What a worker says: one message a line, marked, so that everything else on the line or stream is log."""

import json
import threading
from collections.abc import Mapping
from typing import Any, TextIO

from LightSegLib.job import MESSAGE_PREFIX

__all__ = ["Messages"]


class Messages:
    """Writes messages, one per line, whole, whatever thread they come from."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()

    def send(self, kind: str, content: Mapping[str, Any]) -> None:
        """Write one message."""
        # ASCII: the reader may decode with any locale.
        line = MESSAGE_PREFIX + json.dumps({"type": kind, **content}, ensure_ascii=True)
        with self._lock:
            self._stream.write(line + "\n")
            self._stream.flush()

    def progress(self, fraction: float, message: str) -> None:
        """Tell how far the job is, 0 to 1, and what it does."""
        self.send("progress", {"fraction": fraction, "message": message})
