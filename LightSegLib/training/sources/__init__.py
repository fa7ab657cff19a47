"""Where batches come from: built by kind from a recipe's `[source]` table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from LightSegLib.errors import RecipeError
from LightSegLib.training.loader import Source
from LightSegLib.training.sources.ct_slices import build_liver_source
from LightSegLib.training.sources.heads import build_head_source
from LightSegLib.training.sources.slices import build_slice_source
from LightSegLib.training.sources.tumors import build_tumor_slices
from LightSegLib.training.sources.volumes import build_volume_source

__all__ = ["build_source"]

SOURCES: dict[str, Callable[..., Source]] = {
    "brain": build_head_source,
    "liver_slices": build_liver_source,
    "tumor_slices": build_tumor_slices,
    "wmh": build_slice_source,
    "wmh_volumes": build_volume_source,
}


def build_source(settings: Mapping[str, Any], *, data: Path, cache: Path, seed: int) -> Source:
    """Build the source of batches that a recipe's `[source]` table describes.

    `data` is the folder with `wmh/`, `tumor/`, `liver/` and `labels/`; `cache` keeps generated samples between runs.
    Generating them takes minutes the first time. Raises RecipeError for an unknown kind or setting.
    """
    kind = settings.get("kind")
    if kind not in SOURCES:
        raise RecipeError(f"[source] kind is {kind!r}; known: {', '.join(sorted(SOURCES))}")
    try:
        return SOURCES[kind](settings, data=Path(data), cache=Path(cache), seed=seed)
    except KeyError as error:
        raise RecipeError(f"[source] lacks {error.args[0]!r}, which kind {kind!r} needs") from error
