"""The worker's job of segmenting one case."""

from functools import partial
from pathlib import Path

import SimpleITK as sitk

from LightSegLib.job import SegmentJob
from LightSegLib.outputs import OutputSet, check_volume_path
from LightSegLib.segmenter import Segmenter
from LightSegLib.worker.messages import Messages
from LightSegLib.writers import write_labelmap, write_volume

__all__ = ["run_segment"]


def run_segment(job: SegmentJob, messages: Messages) -> None:
    """Segment a case, write its outputs together and send the result."""
    outputs = {"segmentation": Path(job.output)}
    check_volume_path(outputs["segmentation"], labels=True)
    if job.probabilities is not None:
        outputs["probabilities"] = Path(job.probabilities)
        check_volume_path(outputs["probabilities"], labels=False)
    inputs = {name: Path(path) for name, path in job.inputs.items()}
    reference = None if job.reference is None else Path(job.reference)
    if job.threads is not None:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(job.threads)
    sources = [*inputs.values(), *([] if reference is None else [reference])]
    with OutputSet(outputs.values(), inputs=sources) as files:
        segmenter = Segmenter(job.models, **job.segmenter_options())
        result = segmenter.segment(
            inputs, reference=reference, progress=messages.progress, probabilities=job.probabilities is not None
        )
        files.write(outputs["segmentation"], partial(write_labelmap, result.labelmap, segments=result.segments))
        if result.probabilities is not None:
            files.write(outputs["probabilities"], partial(write_volume, result.probabilities))
        files.commit()
    messages.send(
        "result", {"result": result.to_json(), "outputs": {name: str(path) for name, path in outputs.items()}}
    )
