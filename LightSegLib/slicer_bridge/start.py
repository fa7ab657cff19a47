"""The jobs as Slicer's users start them: nodes or files in, a run that gives nodes or a table."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import slicer

from LightSegLib.errors import ChannelError, InputError
from LightSegLib.job import BatchJob, RunOptions
from LightSegLib.pipeline.channels import match_channels
from LightSegLib.pipeline.ensemble import ensemble_inputs, load_ensemble
from LightSegLib.postprocess.choices import Choice, choose
from LightSegLib.slicer_bridge.batch_task import BatchResult, BatchTask
from LightSegLib.slicer_bridge.export_task import ExportTask
from LightSegLib.slicer_bridge.installer import ensure_dependencies
from LightSegLib.slicer_bridge.measure_task import MeasureTask
from LightSegLib.slicer_bridge.process import WorkerProcess
from LightSegLib.slicer_bridge.result import SegmentResult
from LightSegLib.slicer_bridge.run import Task, WorkerRun
from LightSegLib.slicer_bridge.segment_task import SegmentTask
from LightSegLib.slicer_bridge.segmentations import check_output
from LightSegLib.slicer_bridge.volumes import scalar_image_data

__all__ = ["segment", "segment_folder", "start_batch", "start_export", "start_measure", "start_segment"]

ResultT = TypeVar("ResultT", covariant=True)


class WrittenTask(Task[ResultT], Protocol[ResultT]):
    """A task that writes the files of its job."""

    def write(self) -> Path:
        """Take what the worker needs from the scene, write the job's file and return it."""

    def write_inputs(self) -> None:
        """Write the worker's input files; may be called from another thread."""


def start_segment(
    *,
    model: str | Path | Sequence[str | Path],
    volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode | None]",
    reference: "slicer.vtkMRMLNode | None" = None,
    reference_segment: str = "",
    output: "slicer.vtkMRMLSegmentationNode | None" = None,
    probabilities: "slicer.vtkMRMLScalarVolumeNode | None" = None,
    interactive: bool = False,
    **options: Any,
) -> WorkerRun[SegmentResult]:
    """Start to segment volume nodes in a worker process and return at once.

    `model`: a model's name or folder, or several of one task, whose probabilities are averaged.
    `volumes` maps channel names ("FLAIR") to scalar volume nodes; None means not given. All are taken in world space.
    `reference`: a segmentation or labelmap volume node, on any grid, under any transform; of a segmentation with
    several segments, `reference_segment` is the name of the one to compare with. `output`: the segmentation
    node whose content is replaced; None makes a new one. `probabilities`: a volume node to fill. Only if
    `interactive`, missing packages are offered for installation. `options` are the fields of `RunOptions`.
    Errors, raised here: BundleError, ChannelError, InputError, GeometryError, MissingDependencyError; later ones are
    raised by the run's `result`.
    """
    bundles = load_ensemble(model)
    given = {name: node for name, node in volumes.items() if node is not None}
    spelled = {channel: given[name] for name, channel in match_channels(ensemble_inputs(bundles), list(given)).items()}
    _check_nodes(spelled)
    check_output(output, reference=reference)
    if probabilities is not None and (len(bundles[0].segments) != 1 or probabilities in spelled.values()):
        raise InputError("Probabilities need a volume node of their own and a model with one segment")
    chosen = RunOptions(**options)
    choose(
        bundles[0],
        Choice(strategy=chosen.postprocessing, threshold=chosen.threshold, min_lesion_ml=chosen.min_lesion_ml),
    )
    _ensure_engine(chosen, interactive=interactive)
    return _start(
        SegmentTask(
            bundles=bundles,
            volumes=spelled,
            reference=reference,
            reference_segment=reference_segment,
            output=output,
            probabilities=probabilities,
            options=chosen,
        )
    )


def segment(
    *,
    model: str | Path | Sequence[str | Path],
    volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode | None]",
    reference: "slicer.vtkMRMLNode | None" = None,
    reference_segment: str = "",
    output: "slicer.vtkMRMLSegmentationNode | None" = None,
    probabilities: "slicer.vtkMRMLScalarVolumeNode | None" = None,
    interactive: bool = False,
    **options: Any,
) -> SegmentResult:
    """Segment volume nodes in a worker process and return the result; the application's events are processed meanwhile.

    Arguments and errors: as for `start_segment`, and whatever the worker finds wrong, each a LightSegError in one line.
    """
    return _wait(
        start_segment(
            model=model,
            volumes=volumes,
            reference=reference,
            reference_segment=reference_segment,
            output=output,
            probabilities=probabilities,
            interactive=interactive,
            **options,
        )
    )


def start_measure(
    segmentation: "slicer.vtkMRMLSegmentationNode",
    *,
    report: Path | None = None,
    reference: "slicer.vtkMRMLNode | None" = None,
    reference_segment: str = "",
) -> WorkerRun[SegmentResult]:
    """Start to measure a result again, as after a correction, and to write its report (.html) if a file is given.

    It is compared with `reference`, or else with what it was compared with before.
    Errors, raised here: InputError for a segmentation that is no result of LightSeg or has lost its segments.
    """
    return _start(MeasureTask(segmentation, report, reference, reference_segment))


def start_export(segmentation: "slicer.vtkMRMLSegmentationNode", path: Path) -> WorkerRun[Path]:
    """Start to write a result as DICOM SEG; its main input must have come from DICOM.

    Errors, raised here: InputError for a segmentation that is no result of LightSeg or whose DICOM files are gone.
    """
    return _start(ExportTask(segmentation, path))


def start_batch(
    cases: str | Path,
    folder: str | Path,
    *,
    model: str | Path | Sequence[str | Path],
    interactive: bool = False,
    overwrite: bool = False,
    report: bool = False,
    **options: Any,
) -> WorkerRun[BatchResult]:
    """Start to segment a cohort, a folder or a CSV file, with results and one table in `folder`; returns at once.

    `overwrite`: also the cases whose results are there already. `report`: a page with pictures for each case.
    Messages of the run tell about each case; `options` are the fields of `RunOptions`.
    Errors, raised here: BundleError, InputError, MissingDependencyError.
    """
    bundles, chosen = load_ensemble(model), RunOptions(**options)
    _ensure_engine(chosen, interactive=interactive)
    job = BatchJob(
        models=[str(bundle.folder) for bundle in bundles],
        sources=[str(cases)],
        output=str(folder),
        overwrite=overwrite,
        report=report,
        **chosen.segmenter_options(),
    )
    return _start(BatchTask(job))


def segment_folder(
    cases: str | Path,
    folder: str | Path,
    *,
    model: str | Path | Sequence[str | Path],
    interactive: bool = False,
    overwrite: bool = False,
    report: bool = False,
    **options: Any,
) -> BatchResult:
    """Segment a cohort of files and return its table and counts; the application's events are processed meanwhile.

    Prints a line for each case. Arguments and errors: as for `start_batch`; a case that fails does not stop the others.
    """
    run = start_batch(
        cases, folder, model=model, interactive=interactive, overwrite=overwrite, report=report, **options
    )
    run.on_message(_print_case)
    return _wait(run)


def _print_case(message: Mapping[str, object]) -> None:
    if message["type"] == "case" and message["status"] != "running":
        print(f"{message['name']}: {message['status']} {message.get('message') or ''}".rstrip())


def _ensure_engine(options: RunOptions, *, interactive: bool) -> None:
    needs_pytorch = options.engine == "pytorch" or options.device in ("cuda", "mps")
    ensure_dependencies(interactive=interactive, engine="pytorch" if needs_pytorch else "openvino")


def _start(task: WrittenTask[ResultT]) -> WorkerRun[ResultT]:
    try:
        return WorkerRun(WorkerProcess(task.write(), before=task.write_inputs), task)
    except BaseException:
        task.clean()
        raise


def _wait(run: WorkerRun[ResultT]) -> ResultT:
    try:
        return run.wait()
    finally:
        run.cancel()  # for Ctrl-C while waiting; does nothing at the end of a run


def _check_nodes(volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode]") -> None:
    channels: dict[str, str] = {}
    for channel, node in volumes.items():
        scalar_image_data(node)
        if node.IsA("vtkMRMLLabelMapVolumeNode"):
            raise InputError(f'"{node.GetName()}" is a labelmap, {channel} must be an image: choose another volume')
        if node.GetScene() is None:
            raise InputError(f'The volume "{node.GetName()}" is in no scene: add it to the scene first')
        other = channels.setdefault(node.GetID(), channel)
        if other != channel:
            raise ChannelError(
                f'{other} and {channel} are both "{node.GetName()}": leave {channel} out or choose another'
            )
