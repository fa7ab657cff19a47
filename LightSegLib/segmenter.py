"""The one pipeline that the command line, Python and Slicer all call."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from LightSegLib import postprocess
from LightSegLib.brain import Brain, find_brain
from LightSegLib.bundles import Bundle, load_bundle
from LightSegLib.engines import create_engine
from LightSegLib.engines.base import Engine
from LightSegLib.errors import BundleError, InputError
from LightSegLib.geometry import to_grid_of, to_lps
from LightSegLib.measures import lesion_count, volume_ml
from LightSegLib.pipeline.channels import Channels, VolumeSource, align_channels, read_channels
from LightSegLib.pipeline.comparison import Comparison, compare_labelmaps, load_reference
from LightSegLib.pipeline.inference import predict_probabilities
from LightSegLib.pipeline.provenance import build_provenance
from LightSegLib.pipeline.result import Result
from LightSegLib.preprocess import build_preprocessor
from LightSegLib.progress import Cancel, Progress, RunMonitor

__all__ = ["Result", "Segmenter"]

STAGE_WEIGHTS = {
    "read": 10.0,
    "load_model": 10.0,
    "orient": 2.0,
    "brain": 20.0,
    "preprocess": 8.0,
    "network": 40.0,
    "postprocess": 6.0,
    "measure": 4.0,
}
"""Usual shares of the time of a 1 mm volume on two cores; they only shape the progress."""


class Segmenter:
    """Segments images with one model bundle; engines are made at the first run and kept for the next.

    >>> segmenter = Segmenter("wmh-acu")
    >>> result = segmenter.segment({"FLAIR": "flair.nii.gz"})
    >>> result.volumes_ml

    `bundle` is a model's name, its folder, or a loaded bundle. `device` is "auto", "cpu", "cuda" or "mps"; `engine`
    is "auto", "openvino" or "pytorch"; `threads` limits the engine's threads.
    Raises BundleError when the bundle, or the brain bundle that it needs, is unknown or altered.
    """

    def __init__(
        self, bundle: Bundle | str | Path, *, device: str = "auto", engine: str = "auto", threads: int | None = None
    ) -> None:
        self.bundle = bundle if isinstance(bundle, Bundle) else load_bundle(bundle)
        brain_name = self.bundle.preprocessing.get("brain")
        self.brain_bundle = None if brain_name is None else load_bundle(str(brain_name))
        self._options = {"device": device, "engine": engine, "threads": threads}
        self._create = lambda of: create_engine(of, engine=engine, device=device, threads=threads)
        self._engines: dict[str, Engine] = {}

    def segment(
        self,
        images: Mapping[str, VolumeSource],
        *,
        reference: VolumeSource | None = None,
        progress: Progress | None = None,
        cancel: Cancel | None = None,
        probabilities: bool = False,
    ) -> Result:
        """Segment one case; see Result for what comes back.

        `images` maps channel names to 3D images in memory, files or DICOM folders. Optional channels on another grid
        are resampled onto the first required one; `reference`, a labelmap, likewise.
        Raises InputError and its kinds for unusable inputs, EngineError, and CancelledError once `cancel` says True.
        """
        run = RunMonitor(STAGE_WEIGHTS, progress=progress, cancel=cancel)
        with run.stage("read", "Reading"):
            channels = align_channels(read_channels(self.bundle.inputs, images))
            truth = None if reference is None else load_reference(reference)
        with run.stage("load_model", "Loading the model"):
            preprocessor = build_preprocessor(
                self.bundle.preprocessing, [channel.name for channel in self.bundle.inputs]
            )
            engine = self._engine_of(self.bundle)
        with run.stage("orient", "Orienting"):
            original = channels.images[channels.main]
            oriented = {name: to_lps(image) for name, image in channels.images.items()}
        brain = None
        if preprocessor.needs_brain:
            with run.stage("brain", "Finding the brain"), _naming(channels.names[channels.main]):
                brain = self._find_brain(oriented[channels.main], name=channels.names[channels.main])
        with run.stage("preprocess", "Preparing"), _naming(channels.names[channels.main]):
            prepared = preprocessor.prepare(oriented, brain=None if brain is None else brain.mask)
        with run.stage("network", f"Segmenting with {engine.name} on {engine.device}"):
            array = predict_probabilities(engine, prepared.array, tiling=self.bundle.tiling, advance=run.advance)
        with run.stage("postprocess", "Finishing"):
            maps = prepared.restore(array)
            del array, prepared
            mask = None if brain is None else brain.mask
            labelmap = to_grid_of(postprocess.apply(self.bundle.postprocessing, maps, mask), original)
            probability = to_grid_of(_join(maps), original) if probabilities else None
        with run.stage("measure", "Measuring"):
            comparison = None if truth is None else self._compare(labelmap, truth, channels)
            volumes, lesions = self._measure(labelmap)
        notes = channels.notes + (() if comparison is None else comparison.notes)
        return Result(
            labelmap=labelmap,
            image=original,
            segments=self.bundle.segments,
            volumes_ml=volumes,
            lesion_count=lesions,
            probabilities=probability,
            reference=None if comparison is None else comparison.reference,
            agreements=self._agreements_by_name(comparison),
            timings_s=run.finish(),
            provenance=build_provenance(
                bundle=self.bundle,
                brain_bundle=self.brain_bundle,
                engine=engine,
                brain=brain,
                channels=channels,
                reference_name=None if truth is None else truth[1],
                options=self._options,
                notes=notes,
            ),
        )

    def _engine_of(self, bundle: Bundle) -> Engine:
        if bundle.name not in self._engines:
            self._engines[bundle.name] = self._create(bundle)
        return self._engines[bundle.name]

    def _find_brain(self, image: sitk.Image, *, name: str) -> Brain:
        if self.brain_bundle is None:
            raise BundleError(f"Model {self.bundle.name} needs a brain mask but names no brain model: reinstall it.")
        bundle = self.brain_bundle
        channel = bundle.inputs[0].name
        preprocessor = build_preprocessor(bundle.preprocessing, [channel])

        def probability_of(volume: sitk.Image) -> sitk.Image:
            prepared = preprocessor.prepare({channel: volume})
            array = predict_probabilities(
                self._engine_of(bundle), prepared.array, tiling=bundle.tiling, advance=lambda fraction: None
            )
            return prepared.restore(array)[0]

        return find_brain(image, probability_of, name=name)

    def _compare(self, labelmap: sitk.Image, truth: tuple[sitk.Image, str], channels: Channels) -> Comparison:
        image, name = truth
        return compare_labelmaps(
            labelmap,
            image,
            values=tuple(segment.value for segment in self.bundle.segments),
            segmentation_name=channels.names[channels.main],
            reference_name=name,
        )

    def _measure(self, labelmap: sitk.Image) -> tuple[dict[str, float], int | None]:
        volumes = {segment.name: volume_ml(labelmap, segment.value) for segment in self.bundle.segments}
        return volumes, lesion_count(labelmap) if self.bundle.postprocessing.get("kind") == "lesions" else None

    def _agreements_by_name(self, comparison: Comparison | None) -> dict[str, Any]:
        if comparison is None:
            return {}
        return {segment.name: comparison.agreements[segment.value] for segment in self.bundle.segments}


def _join(maps: list[sitk.Image]) -> sitk.Image:
    return maps[0] if len(maps) == 1 else sitk.Compose(maps)


@contextmanager
def _naming(name: str) -> Iterator[None]:
    """Add the input's name to errors from steps that see only an image."""
    try:
        yield
    except InputError as error:
        if name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error
