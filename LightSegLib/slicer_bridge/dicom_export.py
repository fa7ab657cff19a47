"""Export of a segmentation node as DICOM SEG of the series that its volume came from, by the worker process."""

import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import SimpleITK as sitk
import slicer

from LightSegLib.dicom_seg import check_dicom_seg_path
from LightSegLib.errors import InputError, OutputError
from LightSegLib.job import DicomSegJob, write_job
from LightSegLib.pipeline.ensemble import load_ensemble
from LightSegLib.slicer_bridge.dicom_sources import dicom_files, why_no_dicom_seg
from LightSegLib.slicer_bridge.process import WorkerProcess
from LightSegLib.slicer_bridge.references import reference_labelmap
from LightSegLib.slicer_bridge.run import SegmentRun
from LightSegLib.slicer_bridge.volumes import node_grid, world_volume
from LightSegLib.writers import check_writable

__all__ = ["DicomSegTask", "start_dicom_seg"]


def start_dicom_seg(
    *,
    segmentation: "slicer.vtkMRMLSegmentationNode",
    volume: "slicer.vtkMRMLScalarVolumeNode",
    model: str | Path | Sequence[str | Path],
    path: Path,
    corrected: bool = False,
) -> SegmentRun[Path]:
    """Start to write a DICOM SEG file (.dcm) in a worker process and return at once; the run's result is its path.

    `segmentation`: what `model`, one or several, made of `volume`, on any grid; its segments are found by name, then
    by terminology. `volume`: a node that was loaded from DICOM. `corrected` says that a person has changed the
    segmentation.
    Errors, raised here: BundleError, InputError, GeometryError, OutputError; later ones are raised by the run's
    `result`.
    """
    check_dicom_seg_path(path)
    check_writable(path)
    task = DicomSegTask(segmentation=segmentation, volume=volume, model=model, path=path, corrected=corrected)
    try:
        return SegmentRun(WorkerProcess(task.write()), task)
    except BaseException:
        task.clean()
        raise


@dataclass(frozen=True, kw_only=True)
class DicomSegTask:
    """The nodes of one export and the folder through which they reach the worker; arguments as of `start_dicom_seg`."""

    segmentation: "slicer.vtkMRMLSegmentationNode"
    volume: "slicer.vtkMRMLScalarVolumeNode"
    model: str | Path | Sequence[str | Path]
    path: Path
    corrected: bool
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="lightseg-")))

    def write(self) -> Path:
        """Write the labelmap for the worker and return the job's file."""
        if reason := why_no_dicom_seg(self.volume):
            raise InputError(f"{reason}; only segmentations of DICOM volumes can be exported as DICOM SEG.")
        bundles = load_ensemble(self.model)
        labelmap = self.folder / "segmentation.nrrd"
        try:
            sitk.WriteImage(self._labelmap(bundles[0].segments), str(labelmap), useCompression=False)
        except RuntimeError as error:
            raise OutputError(f"The temporary folder {self.folder} cannot be written to: free space on it") from error
        job = DicomSegJob(
            models=[str(bundle.folder) for bundle in bundles],
            segmentation=str(labelmap),
            sources=[str(file) for file in dicom_files(self.volume)],
            output=str(self.path),
            corrected=self.corrected,
        )
        path = self.folder / "job.json"
        write_job(job, path)
        return path

    def finish(self, result: dict[str, Any]) -> Path:
        """Return the file that the worker has written."""
        return Path(result["outputs"]["dicom_seg"])

    def in_words(self, text: str) -> str:
        """Name the node instead of temporary files in a text."""
        return text.replace(str(self.folder), f'the segmentation "{self.segmentation.GetName()}"')

    def clean(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _labelmap(self, segments: Sequence[Any]) -> sitk.Image:
        """Return the segmentation on the volume's own voxels, where DICOM has them: transforms above both are undone.

        In world space the volume may have been moved, and the segmentation along with it.
        """
        world = world_volume(self.volume)
        if world.resampled:
            raise InputError(
                f'A transform bends or shears the volume "{self.volume.GetName()}", so that its slices are not those '
                "of the DICOM series any more: segment it without the transform to export DICOM SEG"
            )
        labels = reference_labelmap(self.segmentation, world.world_grid, segments)
        return node_grid(self.volume).image(sitk.GetArrayFromImage(labels))
