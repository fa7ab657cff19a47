"""The job as Slicer's users start it: nodes in, a run that fills nodes out."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import slicer

from LightSegLib.errors import ChannelError, InputError
from LightSegLib.pipeline.channels import match_channels
from LightSegLib.pipeline.ensemble import ensemble_inputs, load_ensemble
from LightSegLib.slicer_bridge.installer import ensure_dependencies
from LightSegLib.slicer_bridge.process import WorkerProcess
from LightSegLib.slicer_bridge.result import SegmentResult
from LightSegLib.slicer_bridge.run import SegmentRun
from LightSegLib.slicer_bridge.segmentations import check_output
from LightSegLib.slicer_bridge.task import Options, SceneTask
from LightSegLib.slicer_bridge.volumes import scalar_image_data

__all__ = ["segment", "start_segment"]


def start_segment(
    *,
    model: str | Path | Sequence[str | Path],
    volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode | None]",
    reference: "slicer.vtkMRMLNode | None" = None,
    output: "slicer.vtkMRMLSegmentationNode | None" = None,
    probabilities: "slicer.vtkMRMLScalarVolumeNode | None" = None,
    interactive: bool = False,
    device: str = "auto",
    engine: str = "auto",
    threads: int | None = None,
) -> SegmentRun:
    """Start to segment volume nodes in a worker process and return at once.

    `model`: a model's name or folder, or several of one task, whose probabilities are averaged.
    `volumes` maps channel names ("FLAIR") to scalar volume nodes; None means not given. All are taken in world space.
    `reference`: a segmentation or labelmap volume node, on any grid, under any transform. `output`: the segmentation
    node whose content is replaced; None makes a new one. `probabilities`: a volume node to fill. Only if
    `interactive`, missing packages are offered for installation. `device`, `engine`
    and `threads` are those of `Segmenter`.
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
    needs_pytorch = engine == "pytorch" or device in ("cuda", "mps")
    ensure_dependencies(interactive=interactive, engine="pytorch" if needs_pytorch else "openvino")
    task = SceneTask(
        bundles=bundles,
        volumes=spelled,
        main=next(iter(spelled)),
        reference=reference,
        output=output,
        probabilities=probabilities,
        options=Options(device=device, engine=engine, threads=threads),
    )
    try:
        return SegmentRun(WorkerProcess(task.write()), task)
    except BaseException:
        task.clean()
        raise


def segment(
    *,
    model: str | Path | Sequence[str | Path],
    volumes: "Mapping[str, slicer.vtkMRMLScalarVolumeNode | None]",
    reference: "slicer.vtkMRMLNode | None" = None,
    output: "slicer.vtkMRMLSegmentationNode | None" = None,
    probabilities: "slicer.vtkMRMLScalarVolumeNode | None" = None,
    interactive: bool = False,
    device: str = "auto",
    engine: str = "auto",
    threads: int | None = None,
) -> SegmentResult:
    """Segment volume nodes in a worker process and return the result; the application's events are processed meanwhile.

    Arguments and errors: as for `start_segment`, and whatever the worker finds wrong, each a LightSegError in one line.
    """
    run = start_segment(
        model=model,
        volumes=volumes,
        reference=reference,
        output=output,
        probabilities=probabilities,
        interactive=interactive,
        device=device,
        engine=engine,
        threads=threads,
    )
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
