"""The one pipeline that the command line, Python and Slicer all call."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import SimpleITK as sitk

from LightSegLib import postprocess
from LightSegLib.bundles import Bundle
from LightSegLib.engines import choose_precision, create_engine
from LightSegLib.engines.base import Engine
from LightSegLib.errors import InputError
from LightSegLib.geometry import to_grid_of, to_lps
from LightSegLib.organ_box import require_organ
from LightSegLib.pipeline.channels import Channels, VolumeSource, align_channels, read_channels
from LightSegLib.pipeline.ensemble import average_maps, ensemble_inputs, load_ensemble
from LightSegLib.pipeline.finding import focus, load_finder
from LightSegLib.pipeline.inference import predict_probabilities
from LightSegLib.pipeline.measuring import build_result, measure, read_reference, voxel_hash
from LightSegLib.pipeline.provenance import build_provenance
from LightSegLib.pipeline.result import Result
from LightSegLib.postprocess.choices import SHIPPED, Choice, changes, choose
from LightSegLib.preprocess import build_preprocessor
from LightSegLib.progress import Cancel, Progress, RunMonitor

__all__ = ["Result", "Segmenter"]

STAGE_WEIGHTS = {
    "read": 10.0,
    "load_model": 10.0,
    "orient": 2.0,
    "find": 20.0,
    "preprocess": 8.0,
    "network": 40.0,
    "postprocess": 6.0,
    "measure": 4.0,
}
"""Usual shares of the time of a 1 mm volume on two cores; they only shape the progress."""


class Segmenter:
    """Segments images with a model bundle, or several; engines are made at the first run and kept for the next.

    >>> segmenter = Segmenter("wmh-acu")
    >>> result = segmenter.segment({"FLAIR": "flair.nii.gz"})
    >>> result.volumes_ml

    `bundle` is a model's name, its folder, or a loaded bundle. Of several bundles of one task, the probabilities are
    averaged, and the first one's postprocessing applies. `device` is "auto", "cpu", "cuda" or "mps"; `engine`
    is "auto", "openvino" or "pytorch"; `threads` limits the engine's threads; `precision` is "auto" or "fp32".
    `postprocessing`, `threshold` and `min_lesion_ml` change the first bundle's settings as `postprocess.choices.Choice`
    says; the notes of the result tell what was changed.
    Raises BundleError when a bundle, or the one that finds the brain or organ for it, is unknown or altered, or when
    several differ in their inputs, labels or kind of postprocessing; InputError for postprocessing that does not fit.
    """

    def __init__(
        self,
        bundle: Bundle | str | Path | Sequence[Bundle | str | Path],
        *,
        device: str = "auto",
        engine: str = "auto",
        threads: int | None = None,
        precision: str = "auto",
        postprocessing: str = SHIPPED,
        threshold: float | Mapping[str, float] | None = None,
        min_lesion_ml: float | None = None,
    ) -> None:
        self.bundles = load_ensemble(bundle)
        self.bundle = self.bundles[0]
        self.inputs = ensemble_inputs(self.bundles)
        self.finder = load_finder(self.bundles)
        self._organ = "whole image" if self.finder is None else self.finder.segments[0].name.lower()
        choice = Choice(strategy=postprocessing, threshold=threshold, min_lesion_ml=min_lesion_ml)
        self._postprocessing = choose(self.bundle, choice)
        self._precision = choose_precision(precision)
        self._options = {
            "device": device,
            "engine": engine,
            "threads": threads,
            "precision": precision,
            "postprocessing": postprocessing,
            "threshold": threshold,
            "min_lesion_ml": min_lesion_ml,
        }
        self._create = lambda of: create_engine(of, engine=engine, device=device, threads=threads)
        self._engines: dict[Path, Engine] = {}

    @property
    def options(self) -> dict[str, Any]:
        """The options that it was made with, by name, as in a result's provenance."""
        return dict(self._options)

    def load(self) -> None:
        """Make the models' engines now rather than at the first run; raises EngineError and MissingDependencyError."""
        for bundle in self.bundles:
            self._engine_of(bundle)

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

        `images` maps channel names to 3D images in memory, files or DICOM folders. The first of them in the bundle's
        order gives the result its grid; channels on another grid are resampled onto it, and so is `reference`, a
        labelmap.
        Raises InputError and its kinds for unusable inputs, EngineError, and CancelledError once `cancel` says True.
        """
        run = RunMonitor(STAGE_WEIGHTS, progress=progress, cancel=cancel)
        with run.stage("read", "Reading"):
            channels = align_channels(read_channels(self.inputs, images))
            truth = None if reference is None else read_reference(reference, self.bundle)
        with run.stage("load_model", "Loading the model"):
            preprocessors = [
                build_preprocessor(bundle.preprocessing, [channel.name for channel in bundle.inputs])
                for bundle in self.bundles
            ]
            engines = [self._engine_of(bundle) for bundle in self.bundles]
        with run.stage("orient", "Orienting"):
            original = channels.images[channels.main]
            oriented = {name: to_lps(image) for name, image in channels.images.items()}
        with run.stage("find", f"Finding the {self._organ}"), _naming(channels):
            seen = focus(
                oriented,
                channels.main,
                bundle=self.bundle,
                preprocessors=preprocessors,
                finder=self.finder,
                engine_of=self._engine_of,
                name=channels.names[channels.main],
                advance=run.advance,
            )
        answers = []
        for bundle, preprocessor, engine in zip(self.bundles, preprocessors, engines, strict=True):
            with run.stage("preprocess", "Preparing"), _naming(channels):
                prepared = preprocessor.prepare(seen.images, brain=seen.mask)
            with run.stage("network", f"Segmenting with {engine.name} on {engine.device}"):
                array = predict_probabilities(engine, prepared.array, tiling=bundle.tiling, advance=run.advance)
            answers.append((prepared, array))
        with run.stage("postprocess", "Finishing"):
            maps = average_maps(prepared.restore(array) for prepared, array in answers)
            del answers, array, prepared
            labels = postprocess.apply(self._postprocessing, maps, seen.mask)
            if seen.box is not None:  # The finder may be wrong; an empty mask would look like a result.
                require_organ(labels, seen.whole, organ=self._organ, name=channels.names[channels.main])
            labelmap = to_grid_of(seen.uncut(labels), original)
            probability = to_grid_of(seen.uncut(_join(maps)), original) if probabilities else None
        with run.stage("measure", "Measuring"):
            measures = measure(labelmap, self.bundle, truth, name=channels.names[channels.main])
            digest = voxel_hash(labelmap)
        return build_result(
            labelmap,
            measures,
            bundle=self.bundle,
            channels=channels,
            probabilities=probability,
            timings_s=run.finish(),
            provenance=build_provenance(
                bundles=self.bundles,
                finder=self.finder,
                engine=engines[0],
                precision=self._precision,
                postprocessing=self._postprocessing,
                focus=seen,
                channels=channels,
                reference_name=None if truth is None else truth.name,
                options=self._options,
                notes=channels.notes + self._changes(),
                measuring_notes=measures.notes,
                voxels_sha256=digest,
            ),
        )

    def _engine_of(self, bundle: Bundle) -> Engine:
        # Not by name: the folds of one training have the same.
        if bundle.folder not in self._engines:
            self._engines[bundle.folder] = self._create(bundle)
        return self._engines[bundle.folder]

    def _changes(self) -> tuple[str, ...]:
        told = changes(self.bundle.postprocessing, self._postprocessing)
        return (f"Postprocessing was changed: {', '.join(told)}.",) if told else ()


def _join(maps: list[sitk.Image]) -> sitk.Image:
    return maps[0] if len(maps) == 1 else sitk.Compose(maps)


@contextmanager
def _naming(channels: Channels) -> Iterator[None]:
    """Add the input's name to errors from steps that see only images; they say which channel if not the main one."""
    try:
        yield
    except InputError as error:
        name = channels.names.get(str(error).partition(":")[0], channels.names[channels.main])
        if name in str(error):
            raise
        raise type(error)(f"{name}: {error}") from error
