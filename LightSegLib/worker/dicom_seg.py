"""The worker's job of exporting a segmentation as DICOM SEG."""

from pathlib import Path

from LightSegLib.dicom_seg import write_dicom_seg
from LightSegLib.job import DicomSegJob
from LightSegLib.pipeline.ensemble import algorithm_of, load_ensemble
from LightSegLib.volumes import read_labelmap
from LightSegLib.worker.messages import Messages

__all__ = ["run_dicom_seg"]


def run_dicom_seg(job: DicomSegJob, messages: Messages) -> None:
    """Write the DICOM SEG and send the result: the names of the segments in it, without the empty ones."""
    messages.progress(0.0, "Writing DICOM SEG")
    bundles = load_ensemble(job.models)
    name, version = algorithm_of(bundles)
    written = write_dicom_seg(
        read_labelmap(job.segmentation),
        bundles[0].segments,
        [Path(source) for source in job.sources],
        Path(job.output),
        algorithm_name=name,
        algorithm_version=version,
        corrected=job.corrected,
    )
    messages.progress(1.0, "Done")
    segments = [segment.name for segment in written]
    messages.send("result", {"result": {"segments": segments}, "outputs": {"dicom_seg": job.output}})
