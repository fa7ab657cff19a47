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

__all__ = ["build_provenance", "software_versions"]


def build_provenance(
    *,
    bundles: Sequence[Bundle],
    finder: Bundle | None,
    engine: Engine,
    focus: Focus,
    channels: Channels,
    reference_name: str | None,
    options: Mapping[str, Any],
    notes: tuple[str, ...],
) -> dict[str, Any]:
    """Return, ready for JSON, everything needed to tell how a result was made and to make it again.

    Of several bundles whose probabilities were averaged, "model" is the first and "further_models" are the others.
    "finder_model" is the one that found the brain, or the "box" about the organ: voxels (x, y, z) of the image in LPS
    orientation.
    """
    brain, box = focus.brain, focus.box
    stripped = None if brain is None else ("skull-stripped" if brain.skull_stripped else "extracted")
    return {
        "model": _describe_bundle(bundles[0]),
        "further_models": [_describe_bundle(bundle) for bundle in bundles[1:]],
        "finder_model": None if finder is None else _describe_bundle(finder),
        "engine": {"name": engine.name, "device": engine.device, "reason": engine.reason},
        "options": dict(options),
        "brain": stripped,
        "box": None if box is None else {"index": list(box.index), "size": list(box.size)},
        "inputs": {
            channel: {
                "name": channels.names[channel],
                "size": list(image.GetSize()),
                "spacing_mm": [round(spacing, 6) for spacing in image.GetSpacing()],
                "pixel_type": image.GetPixelIDTypeAsString(),
            }
            for channel, image in channels.images.items()
        },
        "missing_inputs": list(channels.missing),
        "reference": reference_name,
        "notes": list(notes),
        "versions": software_versions(),
        "platform": platform.platform(),
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
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


def _describe_bundle(bundle: Bundle) -> dict[str, Any]:
    return {"name": bundle.name, "version": bundle.version, "sha256": dict(bundle.hashes)}
