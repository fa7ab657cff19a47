"""One segmentation between the scene and the worker: nodes to files, and the result to nodes."""

import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import slicer

from LightSegLib.bundles import Bundle
from LightSegLib.errors import InputError, OutputError
from LightSegLib.job import SegmentJob, write_job
from LightSegLib.measures import Agreement
from LightSegLib.postprocess.choices import SHIPPED
from LightSegLib.slicer_bridge.hierarchy import put_beside
from LightSegLib.slicer_bridge.references import reference_labelmap
from LightSegLib.slicer_bridge.result import SegmentResult
from LightSegLib.slicer_bridge.segmentations import show_segmentation
from LightSegLib.slicer_bridge.tables import show_measures
from LightSegLib.slicer_bridge.volumes import WorldVolume, show_image, world_volume

__all__ = ["Options", "SceneTask"]

TABLE_ROLE = "LightSeg.Measures"
REFERENCE = "reference"
PROVENANCE_ATTRIBUTE = "LightSeg.Provenance"


@dataclass(frozen=True, kw_only=True)
class Options:
    """How to compute, and what to change of the first bundle's postprocessing, as on the command line."""

    device: str = "auto"
    engine: str = "auto"
    threads: int | None = None
    precision: str = "auto"
    postprocessing: str = SHIPPED
    threshold: float | Mapping[str, float] | None = None
    min_lesion_ml: float | None = None


@dataclass(frozen=True, kw_only=True)
class SceneTask:
    """The nodes of one run and the folder through which they reach the worker.

    Of several `bundles` the probabilities are averaged. `volumes` maps channel names, as the bundles spell them, to
    nodes; `main` is the channel whose node the result covers.
    """

    bundles: tuple[Bundle, ...]
    volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode]"
    main: str
    reference: "slicer.vtkMRMLNode | None"
    output: "slicer.vtkMRMLSegmentationNode | None"
    probabilities: "slicer.vtkMRMLScalarVolumeNode | None"
    options: Options
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="lightseg-")))
    _worlds: dict[str, WorldVolume] = field(default_factory=dict)

    @property
    def bundle(self) -> Bundle:
        """The first bundle, whose segments and postprocessing apply."""
        return self.bundles[0]

    def write(self) -> Path:
        """Write the worker's input files and return the job's file."""
        inputs = {}
        for channel, node in self.volumes.items():
            self._worlds[channel] = world_volume(node)
            inputs[channel] = self._write_image(self._worlds[channel].image, self._file_of(channel))
        reference = None
        if self.reference is not None:
            labelmap = reference_labelmap(
                self.reference,
                self._worlds[self.main].world_grid,
                self.bundle.segments,
                known_values=self.bundle.reference_values,
            )
            reference = self._write_image(labelmap, self._file_of(REFERENCE))
        job = SegmentJob(
            models=[str(bundle.folder) for bundle in self.bundles],
            inputs=inputs,
            output=str(self.folder / "segmentation.nrrd"),
            reference=reference,
            probabilities=None if self.probabilities is None else str(self.folder / "probabilities.nrrd"),
            device=self.options.device,
            engine=self.options.engine,
            threads=self.options.threads,
            precision=self.options.precision,
            postprocessing=self.options.postprocessing,
            threshold=self.options.threshold,
            min_lesion_ml=self.options.min_lesion_ml,
        )
        path = self.folder / "job.json"
        write_job(job, path)
        return path

    def finish(self, result: dict[str, Any]) -> SegmentResult:
        """Show the worker's result in the scene; InputError if the input has left it meanwhile."""
        input_node = self.volumes[self.main]
        scene = input_node.GetScene()
        if scene is None:
            raise InputError(f'The volume "{input_node.GetName()}" was removed from the scene during the segmentation')
        volume, measures = self._worlds[self.main], self._in_words_throughout(result["result"])
        measures["provenance"]["notes"] += self._notes()
        title = f"{input_node.GetName()} {'+'.join(bundle.name for bundle in self.bundles)}"
        segmentation = self._node_in(scene, self.output, "vtkMRMLSegmentationNode", f"{title} segmentation")
        labelmap = sitk.ReadImage(result["outputs"]["segmentation"])
        show_segmentation(segmentation, labelmap, self.bundle.segments, volume, input_node)
        segmentation.SetAttribute(PROVENANCE_ATTRIBUTE, json.dumps(measures["provenance"]))
        # A second run into the same segmentation updates its table rather than adding one.
        known = segmentation.GetNodeReference(TABLE_ROLE)
        table = self._node_in(scene, known, "vtkMRMLTableNode", f"{title} measures")
        segmentation.SetNodeReferenceID(TABLE_ROLE, table.GetID())
        show_measures(table, measures)
        for node in (segmentation, table):
            put_beside(node, input_node)
        if self.probabilities is not None:
            show_image(self.probabilities, sitk.ReadImage(result["outputs"]["probabilities"]), volume)
            put_beside(self.probabilities, input_node)
        return SegmentResult(
            segmentation=segmentation,
            table=table,
            probabilities=self.probabilities,
            volumes_ml=measures["volumes_ml"],
            lesion_count=measures["lesion_count"],
            agreements={name: _agreement(values) for name, values in (measures["agreement"] or {}).items()},
            timings_s=measures["timings_s"],
            provenance=measures["provenance"],
        )

    def in_words(self, text: str) -> str:
        """Name nodes instead of temporary files in a text."""
        for name, node in self._nodes().items():
            what = "reference" if name == REFERENCE else "volume"
            text = text.replace(str(self._file_of(name)), f'the {what} "{node.GetName()}"')
        return text

    def clean(self) -> None:
        """Remove the folder; on Windows a file may be held open for a moment longer, then the system removes it."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _nodes(self) -> "dict[str, slicer.vtkMRMLNode]":
        """Return the nodes that have a file, by the name that the file is made from."""
        return {**self.volumes, **({} if self.reference is None else {REFERENCE: self.reference})}

    def _file_of(self, name: str) -> Path:
        return self.folder / f"input-{name}.nrrd"

    def _write_image(self, image: sitk.Image, path: Path) -> str:
        try:
            sitk.WriteImage(image, str(path), useCompression=False)
        except RuntimeError as error:
            raise OutputError(f"The temporary folder {self.folder} cannot be written to: free space on it") from error
        return str(path)

    def _in_words_throughout(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._in_words_throughout(item) for key, item in value.items()}
        if isinstance(value, list):
            return [self._in_words_throughout(item) for item in value]
        if isinstance(value, str):
            # A text that is nothing but the file, as in the provenance, becomes the bare name.
            names = {str(self._file_of(channel)): node.GetName() for channel, node in self._nodes().items()}
            return names.get(value) or self.in_words(value)
        return value

    def _notes(self) -> list[str]:
        notes = [
            f"{channel} was interpolated in world space, because its transform bends or shears it."
            for channel, volume in self._worlds.items()
            if volume.resampled
        ]
        if self._worlds[self.main].result_transform is not self.volumes[self.main].GetParentTransformNode():
            notes.append(f"The result is in world space, because the transform above {self.main} is not rigid.")
        return notes

    @staticmethod
    def _node_in(scene: Any, node: Any, node_class: str, name: str) -> Any:
        """Return `node` if it is in the scene, else a new node."""
        if node is not None and node.GetScene() is scene:
            return node
        return scene.AddNewNodeByClass(node_class, scene.GenerateUniqueName(name))


def _agreement(values: Mapping[str, Any]) -> Agreement:
    numbers: dict[str, Any] = {name: math.nan if value is None else value for name, value in values.items()}
    return Agreement(**numbers)
