"""Measures a result again after a correction, and writes its report."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import slicer

from LightSegLib.bundles import load_bundle
from LightSegLib.errors import InputError
from LightSegLib.job import MeasureJob, write_job
from LightSegLib.slicer_bridge.references import labelmap_of
from LightSegLib.slicer_bridge.result import SegmentResult
from LightSegLib.slicer_bridge.result_nodes import ResultNodes, keep_result_nodes, result_nodes
from LightSegLib.slicer_bridge.scene_files import REFERENCE, SceneFiles
from LightSegLib.slicer_bridge.show_result import segment_result, show_tables

__all__ = ["MeasureTask", "require_result"]


class MeasureTask:
    """One measurement between the scene and the worker; `report` is the file for the report, None for none.

    `reference` takes the place of the one that the result was compared with.
    """

    def __init__(
        self,
        segmentation: "slicer.vtkMRMLSegmentationNode",
        report: Path | None,
        reference: "slicer.vtkMRMLNode | None" = None,
        reference_segment: str = "",
    ) -> None:
        self._segmentation, self._report = segmentation, report
        nodes = require_result(segmentation)
        if reference is not None:
            nodes = replace(nodes, reference=reference, reference_segment=reference_segment)
        self._nodes = nodes
        self._files = SceneFiles(self._nodes.inputs, self._nodes.reference)

    def write(self) -> Path:
        """Take what the worker needs from the scene, write the job's file and return it."""
        nodes, files = self._nodes, self._files
        bundle = load_bundle(nodes.models[0])
        inputs = files.add_volumes()
        grid = files.main.world_grid
        labelmap = labelmap_of(self._segmentation, grid, bundle.segments, what="segmentation", may_lack=True)
        reference = None
        if nodes.reference is not None:
            known = bundle.reference_values
            image = labelmap_of(
                nodes.reference,
                grid,
                bundle.segments,
                known_values=known,
                segment_name=nodes.reference_segment,
            )
            reference = files.add(image, REFERENCE)
        job = MeasureJob(
            models=nodes.models,
            inputs=inputs,
            segmentation=files.add(labelmap, "segmentation"),
            reference=reference,
            provenance=nodes.provenance,
            report=None if self._report is None else str(self._report),
            names=files.names,
        )
        path = files.folder / "job.json"
        write_job(job, path)
        return path

    def write_inputs(self) -> None:
        """Write the worker's input files; may be called from another thread."""
        self._files.write()

    def finish(self, result: dict[str, Any]) -> SegmentResult:
        """Bring the tables up to date; InputError if the segmentation has left the scene meanwhile."""
        nodes, segmentation = self._nodes, self._segmentation
        if segmentation.GetScene() is None:
            raise InputError(f'The segmentation "{segmentation.GetName()}" was removed from the scene meanwhile')
        measures = self._files.in_words_throughout(result["result"])
        keep_result_nodes(
            segmentation,
            models=nodes.models,
            inputs=nodes.inputs,
            reference=nodes.reference,
            reference_segment=nodes.reference_segment,
            provenance=measures["provenance"],
        )
        show_tables(segmentation, measures)
        return segment_result(segmentation, measures)

    def in_words(self, text: str) -> str:
        """Name nodes instead of temporary files in a text."""
        return self._files.in_words(text)

    def clean(self) -> None:
        """Remove the temporary files."""
        self._files.clean()


def require_result(segmentation: "slicer.vtkMRMLSegmentationNode") -> ResultNodes:
    """Return what a segmentation was made from; InputError if LightSeg did not make it or its volume is gone."""
    nodes = result_nodes(segmentation)
    if nodes is None:
        raise InputError(
            f'"{segmentation.GetName()}" was not made by LightSeg, or its volume is no longer in the scene: '
            "choose a result of LightSeg"
        )
    return nodes
