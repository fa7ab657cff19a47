"""One segmentation between the scene and the worker: nodes to files, and the result to nodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import slicer

from LightSegLib.bundles import Bundle
from LightSegLib.errors import InputError
from LightSegLib.job import RunOptions, SegmentJob, write_job
from LightSegLib.slicer_bridge.hierarchy import put_under
from LightSegLib.slicer_bridge.references import labelmap_of
from LightSegLib.slicer_bridge.result import SegmentResult
from LightSegLib.slicer_bridge.result_nodes import keep_result_nodes
from LightSegLib.slicer_bridge.scene_files import REFERENCE, SceneFiles
from LightSegLib.slicer_bridge.segmentations import show_segmentation
from LightSegLib.slicer_bridge.show_result import segment_result, show_tables
from LightSegLib.slicer_bridge.volumes import show_image

__all__ = ["SegmentTask"]


@dataclass(frozen=True, kw_only=True)
class SegmentTask:
    """The nodes of one run and the folder through which they reach the worker.

    Of several `bundles` the probabilities are averaged. `volumes` maps channel names, as the bundles spell them, to
    nodes; the result covers the first. `reference_segment`: the name of the segment to compare with, "" for a
    reference that has but one or all of the model's.
    """

    bundles: tuple[Bundle, ...]
    volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode]"
    reference: "slicer.vtkMRMLNode | None"
    reference_segment: str
    output: "slicer.vtkMRMLSegmentationNode | None"
    probabilities: "slicer.vtkMRMLScalarVolumeNode | None"
    options: RunOptions
    _files: SceneFiles = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_files", SceneFiles(self.volumes, self.reference))

    @property
    def folder(self) -> Path:
        """The run's temporary folder."""
        return self._files.folder

    def write(self) -> Path:
        """Take what the worker needs from the scene, write the job's file and return it."""
        files, bundle = self._files, self.bundles[0]
        inputs = files.add_volumes()
        reference = None
        if self.reference is not None:
            labelmap = labelmap_of(
                self.reference,
                files.main.world_grid,
                bundle.segments,
                known_values=bundle.reference_values,
                segment_name=self.reference_segment,
            )
            reference = files.add(labelmap, REFERENCE)
        job = SegmentJob(
            models=[str(bundle.folder) for bundle in self.bundles],
            inputs=inputs,
            output=str(files.folder / "segmentation.nrrd"),
            reference=reference,
            probabilities=None if self.probabilities is None else str(files.folder / "probabilities.nrrd"),
            **self.options.segmenter_options(),
        )
        path = files.folder / "job.json"
        write_job(job, path)
        return path

    def write_inputs(self) -> None:
        """Write the worker's input files; may be called from another thread."""
        self._files.write()

    def finish(self, result: dict[str, Any]) -> SegmentResult:
        """Show the worker's result in the scene; InputError if the input has left it meanwhile."""
        input_node = next(iter(self.volumes.values()))
        scene = input_node.GetScene()
        if scene is None:
            raise InputError(f'The volume "{input_node.GetName()}" was removed from the scene during the segmentation')
        volume, measures = self._files.main, self._files.in_words_throughout(result["result"])
        measures["provenance"]["notes"] += self._notes()
        segmentation = self.output
        if segmentation is None or segmentation.GetScene() is not scene:
            title = f"{input_node.GetName()} {'+'.join(bundle.name for bundle in self.bundles)} segmentation"
            segmentation = scene.AddNewNodeByClass("vtkMRMLSegmentationNode", scene.GenerateUniqueName(title))
            put_under(segmentation, input_node)
        labelmap = sitk.ReadImage(result["outputs"]["segmentation"])
        show_segmentation(segmentation, labelmap, self.bundles[0].segments, volume, input_node)
        keep_result_nodes(
            segmentation,
            models=[bundle.locator for bundle in self.bundles],
            inputs=self.volumes,
            reference=self.reference,
            reference_segment=self.reference_segment,
            provenance=measures["provenance"],
        )
        show_tables(segmentation, measures)
        if self.probabilities is not None:
            show_image(self.probabilities, sitk.ReadImage(result["outputs"]["probabilities"]), volume)
            put_under(self.probabilities, input_node)
        return segment_result(segmentation, measures, probabilities=self.probabilities)

    def in_words(self, text: str) -> str:
        """Name nodes instead of temporary files in a text."""
        return self._files.in_words(text)

    def clean(self) -> None:
        """Remove the temporary files."""
        self._files.clean()

    def _notes(self) -> list[str]:
        notes = [
            f"{channel} was interpolated in world space, because its transform bends or shears it."
            for channel, volume in self._files.worlds.items()
            if volume.resampled
        ]
        main, node = next(iter(self.volumes.items()))
        if self._files.main.result_transform is not node.GetParentTransformNode():
            notes.append(f"The result is in world space, because the transform above {main} is not rigid.")
        return notes
