"""From images to network input, by the one rule that training and inference share, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import BundleError
from LightSegLib.preprocess.box import BrainBox
from LightSegLib.preprocess.box_slices import BrainBoxSlices
from LightSegLib.preprocess.ct import CTSlices, PreparedCTSlices
from LightSegLib.preprocess.head import HeadVolume
from LightSegLib.preprocess.slices import BrainSlices
from LightSegLib.preprocess.volume import BrainVolume

__all__ = [
    "BrainBox",
    "BrainBoxSlices",
    "BrainSlices",
    "BrainVolume",
    "CTSlices",
    "HeadVolume",
    "Prepared",
    "PreparedCTSlices",
    "Preprocessor",
    "build_preprocessor",
]

KINDS = ("brain_box", "brain_box_slices", "brain_slices", "brain_volume", "ct_slices", "head_volume")


class Prepared(Protocol):
    """What a preprocessor hands to the engine."""

    @property
    def array(self) -> np.ndarray:
        """Network input, float32 (n, c, *spatial)."""

    def restore(self, probabilities: np.ndarray) -> list[sitk.Image]:
        """Bring (n, k, *spatial) back as k float32 images on the grid of the input."""


class Preprocessor(Protocol):
    """A task's way from images to network input."""

    @property
    def needs_brain(self) -> bool:
        """Whether `prepare` needs a brain mask."""

    def prepare(self, images: Mapping[str, sitk.Image], *, brain: sitk.Image | None = None) -> Prepared:
        """Prepare LPS-oriented images that share one grid."""


def build_preprocessor(settings: Mapping[str, Any], channels: Sequence[str]) -> Preprocessor:
    """Build the preprocessor that a bundle's `preprocessing` section describes, for its input `channels` in order."""
    try:
        kind = settings["kind"]
        if kind == "brain_box":
            z, y, x = settings["multiple"]
            return BrainBox(
                channels=tuple(channels),
                spacing_mm=float(settings["spacing_mm"]),
                multiple=(int(z), int(y), int(x)),
            )
        if kind == "brain_box_slices":
            height, width = settings["canvas"]
            return BrainBoxSlices(
                channels=tuple(channels),
                spacing_mm=float(settings["spacing_mm"]),
                canvas=(int(height), int(width)),
            )
        if kind == "brain_slices":
            height, width = settings["canvas"]
            return BrainSlices(
                channels=tuple(channels),
                normalization=tuple(settings["normalization"][name] for name in channels),
                spacing_mm=float(settings["spacing_mm"]),
                canvas=(int(height), int(width)),
                neighbor_mm=float(settings["neighbor_mm"]),
            )
        if kind == "brain_volume":
            z, y, x = settings["multiple"]
            return BrainVolume(
                channels=tuple(channels),
                normalization=tuple(settings["normalization"][name] for name in channels),
                spacing_mm=float(settings["spacing_mm"]),
                multiple=(int(z), int(y), int(x)),
            )
        if kind == "ct_slices":
            (channel,) = channels
            height, width = settings["canvas"]
            return CTSlices(
                channel=channel,
                spacing_mm=float(settings["spacing_mm"]),
                canvas=(int(height), int(width)),
                neighbor_mm=float(settings["neighbor_mm"]),
            )
        if kind == "head_volume":
            (channel,) = channels
            return HeadVolume(channel=channel, spacing_mm=float(settings["spacing_mm"]))
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(
            f"the bundle's preprocessing section is incomplete or malformed ({error!r}): reinstall it"
        ) from error
    raise BundleError(f"unknown preprocessing {kind!r}; known: {', '.join(KINDS)}")
