"""Where a result comes from: model, engine, options, inputs and software versions."""

import platform
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from typing import Any

import LightSegLib
from LightSegLib.bundles import Bundle
from LightSegLib.engines.base import Engine
from LightSegLib.pipeline.channels import Channels
from LightSegLib.pipeline.finding import Focus

__all__ = ["build_provenance", "remeasured", "software_versions"]

_CORRECTED = {
    True: "The segmentation was corrected by hand after the run that made it, and measured again.",
    False: "The segmentation was measured again; it is as the run made it.",
    None: "The segmentation was measured by itself; whether it was corrected by hand is not known.",
}


def build_provenance(
    *,
    bundles: Sequence[Bundle],
    finder: Bundle | None,
    engine: Engine,
    precision: tuple[str, str],
    postprocessing: Mapping[str, Any],
    focus: Focus,
    channels: Channels,
    reference_name: str | None,
    options: Mapping[str, Any],
    notes: tuple[str, ...],
    measuring_notes: tuple[str, ...],
    voxels_sha256: str,
) -> dict[str, Any]:
    """Return, ready for JSON, everything needed to tell how a result was made and to make it again.

    Of several bundles whose probabilities were averaged, "model" is the first and "further_models" are the others.
    "finder_model" is the one that found the brain, or the "box" about the organ: voxels (x, y, z) of the image in LPS
    orientation. `precision` is what the network computed in and why; `postprocessing` the settings that were used.
    "measuring_notes" are those of the "notes" that tell about measuring, not about the segmentation; `voxels_sha256`
    is the `voxel_hash` of the segmentation; "measured_again" is what `remeasured` adds.
    """
    brain, box = focus.brain, focus.box
    stripped = None if brain is None else ("skull-stripped" if brain.skull_stripped else "extracted")
    return {
        "model": _describe_bundle(bundles[0]),
        "further_models": [_describe_bundle(bundle) for bundle in bundles[1:]],
        "finder_model": None if finder is None else _describe_bundle(finder),
        "engine": {"name": engine.name, "device": engine.device, "reason": engine.reason},
        "precision": {"name": precision[0], "reason": precision[1]},
        "options": dict(options),
        "postprocessing": dict(postprocessing),
        "brain": stripped,
        "box": None if box is None else {"index": list(box.index), "size": list(box.size)},
        "inputs": _describe_inputs(channels),
        "missing_inputs": list(channels.missing),
        "reference": reference_name,
        "notes": [*notes, *measuring_notes],
        "measuring_notes": list(measuring_notes),
        "voxels_sha256": voxels_sha256,
        "measured_again": None,
        "versions": software_versions(),
        "platform": platform.platform(),
        "created": _now(),
    }


def remeasured(
    run: Mapping[str, Any] | None,
    *,
    bundles: Sequence[Bundle],
    channels: Channels,
    reference_name: str | None,
    measuring_notes: tuple[str, ...],
    voxels_sha256: str,
) -> dict[str, Any]:
    """Return the provenance of a segmentation that was measured again, by that of the run that made it.

    `run` is None where that is not known; only the bundles, which name the segments, are then told. "measured_again"
    says when, with which software, and whether the segmentation was "corrected" since (None if that is not known).
    """
    known = dict(run or {})
    original = known.get("voxels_sha256")
    corrected = None if original is None else original != voxels_sha256
    stale = known.get("measuring_notes", [])
    about_measuring = [_CORRECTED[corrected], *measuring_notes]
    return {
        "model": _describe_bundle(bundles[0]),
        "further_models": [_describe_bundle(bundle) for bundle in bundles[1:]],
        **dict.fromkeys(("finder_model", "engine", "precision", "postprocessing", "brain", "box")),
        "options": {},
        "missing_inputs": [],
        "voxels_sha256": None,
        "versions": software_versions(),
        "platform": platform.platform(),
        "created": _now(),
        **known,
        "inputs": {**known.get("inputs", {}), **_describe_inputs(channels)},
        "reference": reference_name,
        "notes": [*(note for note in known.get("notes", []) if note not in stale), *about_measuring],
        "measuring_notes": about_measuring,
        "measured_again": {"corrected": corrected, "created": _now(), "versions": software_versions()},
    }


def software_versions() -> dict[str, str]:
    """Return the versions of LightSeg, Python and the packages that took part in the computation."""
    engines = [name for name in ("openvino", "torch") if name in sys.modules]
    versions = {"lightseg": LightSegLib.__version__, "python": platform.python_version()}
    for package in ["numpy", "scipy", "SimpleITK", "Pillow", *engines]:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            # Slicer bundles SimpleITK without distribution metadata.
            versions[package] = str(getattr(sys.modules.get(package), "__version__", "unknown"))
    return versions


def _describe_inputs(channels: Channels) -> dict[str, Any]:
    return {
        channel: {
            "name": channels.names[channel],
            "size": list(image.GetSize()),
            "spacing_mm": [round(spacing, 6) for spacing in image.GetSpacing()],
            "pixel_type": image.GetPixelIDTypeAsString(),
        }
        for channel, image in channels.images.items()
    }


def _now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def _describe_bundle(bundle: Bundle) -> dict[str, Any]:
    return {"name": bundle.name, "version": bundle.version, "sha256": dict(bundle.hashes)}
