"""What decides about the result of a case, in a short text: two runs that share it give the same."""

import hashlib
import json
import os
from pathlib import Path
from typing import Any

from LightSegLib.batch.case import Case
from LightSegLib.segmenter import Segmenter

__all__ = ["settings_id"]

WITHOUT_EFFECT = frozenset({"device", "engine", "threads"})
"""Options that change how fast it goes, and results within tolerance only."""
LENGTH = 16


def settings_id(segmenter: Segmenter, case: Case) -> str:
    """Return a digest of the models' files, the options, and the case's files by name, size and time of change.

    Their folders do not count, as the same files have other paths on other computers.
    """
    finder = [] if segmenter.finder is None else [segmenter.finder]
    content = {
        "models": [dict(bundle.hashes) for bundle in (*segmenter.bundles, *finder)],
        "options": {name: value for name, value in segmenter.options.items() if name not in WITHOUT_EFFECT},
        "inputs": {channel: _state(path) for channel, path in case.inputs.items()},
        "reference": None if case.reference is None else _state(case.reference),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=str).encode()).hexdigest()[:LENGTH]


def _state(path: Path) -> list[Any]:
    try:
        files = sorted(entry for entry in path.iterdir() if entry.is_file()) if path.is_dir() else [path]
        return [[os.fsencode(file.name).hex(), file.stat().st_size, int(file.stat().st_mtime)] for file in files]
    except OSError:  # the case will fail when it is read, and say why
        return []
