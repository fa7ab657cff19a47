"""What the runs of a cross-validation say about the cases that each of them has not seen."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.segmenter import Segmenter
from LightSegLib.training.cases import Case, left_out, read_cases
from LightSegLib.training.runs import export_run, read_run

__all__ = ["left_out_by_run", "out_of_fold"]


def left_out_by_run(runs: Sequence[tuple[Path, ...]], cases: Sequence[Case]) -> dict[tuple[Path, ...], list[Case]]:
    """Return those of the cases that the recipe of each run leaves out; of runs that are averaged, that of all.

    Raises InputError for a run that leaves out none, for averaged runs that leave out different cases, and for a case
    that two leave out: it would count twice.
    """
    chosen: dict[tuple[Path, ...], list[Case]] = {}
    seen: dict[str, Path] = {}
    for averaged in runs:
        run = averaged[0]
        own = left_out(cases, dict(read_run(run).source))
        for other in averaged[1:]:
            if left_out(cases, dict(read_run(other).source)) != own:
                raise InputError(f"{other}: leaves out other cases than {run}, so their average has seen some of them")
        chosen[averaged] = own
        if not own:
            raise InputError(
                f"{run}: its recipe leaves out none of the cases, so there is nothing that it has not seen"
            )
        for case in own:
            if case.name in seen:
                raise InputError(f"{run}: leaves out {case.name}, as {seen[case.name]} does; give one run per fold")
            seen[case.name] = run
    return chosen


def out_of_fold(runs: Sequence[Path], data: Path, *, threads: int | None = None) -> Iterator[tuple[Case, sitk.Image]]:
    """Yield each train case that a run leaves out, with that run's probabilities on the grid of its first image.

    `data` holds cases.json. Raises InputError as `left_out_by_run` does.
    """
    cases = [case for case in read_cases(data) if case.split == "train"]
    for (run,), chosen in left_out_by_run([(run,) for run in runs], cases).items():
        with tempfile.TemporaryDirectory(prefix="lightseg-") as folder:
            bundle = export_run(run, Path(folder) / "bundle", model_card="For tuning only.\n")
            segmenter = Segmenter(bundle, threads=threads)
            for case in chosen:
                files = {channel.name: case.path(channel.name) for channel in bundle.inputs}
                files = {name: path for name, path in files.items() if name in case.files}
                probability = segmenter.segment(files, probabilities=True).probabilities
                if probability is None:
                    raise InputError(f"{case.name}: {run} gave no probabilities; does its bundle have probabilities?")
                yield case, probability
