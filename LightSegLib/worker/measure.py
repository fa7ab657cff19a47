"""The worker's job of measuring a segmentation that exists already."""

from functools import partial
from pathlib import Path

from LightSegLib.job import MeasureJob
from LightSegLib.outputs import OutputSet, check_report_path
from LightSegLib.remeasure import measure_labelmap
from LightSegLib.report import write_report
from LightSegLib.worker.messages import Messages

__all__ = ["run_measure"]


def run_measure(job: MeasureJob, messages: Messages) -> None:
    """Measure a segmentation, write the report if one is asked for, and send the result."""
    outputs = {} if job.report is None else {"report": Path(job.report)}
    for path in outputs.values():
        check_report_path(path)
    inputs = {name: Path(path) for name, path in job.inputs.items()}
    segmentation = Path(job.segmentation)
    reference = None if job.reference is None else Path(job.reference)
    sources = [*inputs.values(), segmentation, *([] if reference is None else [reference])]
    with OutputSet(outputs.values(), inputs=sources) as files:
        result = measure_labelmap(
            job.models,
            inputs,
            segmentation,
            reference=reference,
            run=job.provenance,
            names=job.names,
            progress=messages.progress,
        )
        for path in outputs.values():
            files.write(path, partial(write_report, result))
        files.commit()
    messages.send(
        "result", {"result": result.to_json(), "outputs": {name: str(path) for name, path in outputs.items()}}
    )
