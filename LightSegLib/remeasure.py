"""The measures of a segmentation that exists already, such as one that was corrected by hand; no network runs."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import SimpleITK as sitk

from LightSegLib.bundles import Bundle
from LightSegLib.errors import GeometryError, InputError
from LightSegLib.geometry import same_grid
from LightSegLib.pipeline.channels import Channels, VolumeSource, align_channels, read_channels
from LightSegLib.pipeline.comparison import label_values
from LightSegLib.pipeline.ensemble import ensemble_inputs, load_ensemble
from LightSegLib.pipeline.measuring import build_result, measure, read_reference, voxel_hash
from LightSegLib.pipeline.provenance import remeasured
from LightSegLib.pipeline.result import Result
from LightSegLib.progress import Cancel, Progress, RunMonitor
from LightSegLib.volumes import normalize_labelmap, read_labelmap

__all__ = ["measure_labelmap"]

STAGE_WEIGHTS = {"read": 60.0, "measure": 40.0}
REFERENCE = "reference"


def measure_labelmap(
    model: Bundle | str | Path | Sequence[Bundle | str | Path],
    images: Mapping[str, VolumeSource],
    segmentation: VolumeSource,
    *,
    reference: VolumeSource | None = None,
    run: Mapping[str, Any] | None = None,
    names: Mapping[str, str] = MappingProxyType({}),
    progress: Progress | None = None,
    cancel: Cancel | None = None,
) -> Result:
    """Measure a segmentation as `Segmenter.segment` does after its network.

    `model` and `images` are those of `Segmenter`: the first channel, in the model's order, has the grid of
    `segmentation`, whose label values are those of the model's segments. `run` is the provenance of the run that made
    it, None if that is not known; the new provenance says whether the segmentation was corrected since. `names`: what
    the provenance calls the images, by channel, and the "reference", instead of their files.
    Raises InputError and its kinds for unusable images, unknown labels and another grid; BundleError; CancelledError.
    """
    monitor = RunMonitor(STAGE_WEIGHTS, progress=progress, cancel=cancel)
    bundles = load_ensemble(model)
    with monitor.stage("read", "Reading"):
        channels = align_channels(read_channels(ensemble_inputs(bundles), images))
        labelmap = _read_segmentation(segmentation, bundles[0], channels)
        truth = None if reference is None else read_reference(reference, bundles[0])
    with monitor.stage("measure", "Measuring"):
        measures = measure(labelmap, bundles[0], truth, name=channels.names[channels.main])
        digest = voxel_hash(labelmap)
    told = replace(channels, names={**channels.names, **{key: names[key] for key in channels.names if key in names}})
    return build_result(
        labelmap,
        measures,
        bundle=bundles[0],
        channels=told,
        timings_s=monitor.finish(),
        provenance=remeasured(
            run,
            bundles=bundles,
            channels=told,
            reference_name=None if truth is None else names.get(REFERENCE, truth.name),
            measuring_notes=measures.notes,
            voxels_sha256=digest,
        ),
    )


def _read_segmentation(source: VolumeSource, bundle: Bundle, channels: Channels) -> sitk.Image:
    """Return a labelmap (uint8) with exactly the main channel's geometry and known labels."""
    name = "the segmentation" if isinstance(source, sitk.Image) else str(source)
    labelmap = normalize_labelmap(source, name=name) if isinstance(source, sitk.Image) else read_labelmap(source)
    main = channels.images[channels.main]
    if not same_grid(labelmap, main):
        raise GeometryError(
            f"{name} is not on the grid of {channels.main} ({channels.names[channels.main]}): give the image that was "
            "segmented, or save the segmentation with its whole extent."
        )
    unknown = [value for value in label_values(labelmap) if value not in {one.value for one in bundle.segments}]
    if unknown:
        known = ", ".join(f"{segment.value} {segment.name}" for segment in bundle.segments)
        raise InputError(
            f"{name} has the label {', '.join(map(str, unknown))}, which model {bundle.name} does not know "
            f"(it has {known}): relabel it or choose its model."
        )
    labelmap = sitk.Cast(labelmap, sitk.sitkUInt8)
    labelmap.CopyInformation(main)
    return labelmap
