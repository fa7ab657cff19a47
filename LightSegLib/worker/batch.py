"""The worker's job of segmenting a cohort."""

from pathlib import Path

import SimpleITK as sitk

from LightSegLib.batch import BatchOutputs, Part, find_cases, run_batch
from LightSegLib.job import BatchJob
from LightSegLib.segmenter import Segmenter
from LightSegLib.worker.messages import Messages

__all__ = ["run_batch_job"]


def run_batch_job(job: BatchJob, messages: Messages) -> None:
    """Segment the cases of a cohort, tell about each, and send how many were done, failed and skipped."""
    outputs = BatchOutputs(
        folder=Path(job.output),
        ending=job.ending,
        report=job.report,
        overwrite=job.overwrite,
        part=None if job.part is None else Part(*job.part),
    )
    if job.threads is not None:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(job.threads)
    segmenter = Segmenter(job.models, **job.segmenter_options())
    cohort = find_cases(job.sources, segmenter.inputs, output=outputs.folder)
    for note in cohort.notes:
        messages.send("log", {"message": note})
    done = run_batch(
        segmenter,
        cohort.cases,
        outputs,
        progress=messages.progress,
        on_case=lambda outcome: messages.send("case", outcome.to_json()),
    )
    messages.send("result", {"result": done.counts(), "outputs": {"table": str(done.table)}})
