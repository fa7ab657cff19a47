"""Exports a result as DICOM SEG."""

from pathlib import Path
from typing import Any

import SimpleITK as sitk
import slicer

from LightSegLib.bundles import load_bundle
from LightSegLib.dicom_seg import check_dicom_seg_path
from LightSegLib.errors import InputError
from LightSegLib.job import DicomSegJob, write_job
from LightSegLib.slicer_bridge.dicom_sources import dicom_files, why_no_dicom_seg
from LightSegLib.slicer_bridge.measure_task import require_result
from LightSegLib.slicer_bridge.references import labelmap_of
from LightSegLib.slicer_bridge.scene_files import SceneFiles
from LightSegLib.slicer_bridge.volumes import node_grid, world_volume
from LightSegLib.writers import check_writable

__all__ = ["ExportTask"]


class ExportTask:
    """One export between the scene and the worker; `path` is the DICOM file to write."""

    def __init__(self, segmentation: "slicer.vtkMRMLSegmentationNode", path: Path) -> None:
        self._segmentation, self._path = segmentation, path
        self._nodes = require_result(segmentation)
        check_dicom_seg_path(path)
        check_writable(path)
        reason = why_no_dicom_seg(self._nodes.main)
        if reason:
            raise InputError(f"{reason}; only segmentations of DICOM volumes can be exported as DICOM SEG")
        self._files = SceneFiles({})

    def write(self) -> Path:
        """Take what the worker needs from the scene, write the job's file and return it."""
        nodes = self._nodes
        segments = load_bundle(nodes.models[0]).segments
        world = world_volume(nodes.main)
        if world.resampled:
            raise InputError(
                f'A transform bends or shears the volume "{nodes.main.GetName()}", so that its slices are not those '
                "of the DICOM series any more: segment it without the transform to export DICOM SEG"
            )
        labels = labelmap_of(self._segmentation, world.world_grid, segments, what="segmentation", may_lack=True)
        # On the volume's own voxels, where DICOM has them, also where a transform has moved both.
        labelmap = node_grid(nodes.main).image(sitk.GetArrayFromImage(labels))
        job = DicomSegJob(
            models=nodes.models,
            segmentation=self._files.add(labelmap, "segmentation"),
            sources=[str(file) for file in dicom_files(nodes.main)],
            output=str(self._path),
            corrected=nodes.is_corrected,
        )
        path = self._files.folder / "job.json"
        write_job(job, path)
        return path

    def write_inputs(self) -> None:
        """Write the worker's input files; may be called from another thread."""
        self._files.write()

    def finish(self, result: dict[str, Any]) -> Path:
        """Return the file that was written."""
        return Path(result["outputs"]["dicom_seg"])

    def in_words(self, text: str) -> str:
        """Name nodes instead of temporary files in a text."""
        return self._files.in_words(text)

    def clean(self) -> None:
        """Remove the temporary files."""
        self._files.clean()
