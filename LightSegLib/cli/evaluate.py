"""`lightseg evaluate`: score a model, or a training run, on cases with references."""

import argparse
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from LightSegLib.bundles import Bundle, load_bundle
from LightSegLib.cli.console import print_json
from LightSegLib.errors import InputError, MissingDependencyError
from LightSegLib.segmenter import Segmenter

__all__ = ["add_parser", "run"]

DATA = Path("../shared/data")
DESCRIPTION = """\
Segment the cases that DATA/cases.json lists, and score them against their references. Prints the table of the model
card; means carry 95 % bootstrap intervals over patients. Tumor models are scored by whole tumor, core and enhancing
tumor, liver models by patient, without an interval. Beside lesion and tumor models stand two plain thresholds on
FLAIR, beside liver models two windows of Hounsfield units: the best possible one for each case, and a fixed one chosen
on the train cases of other patients, for tumors also of other folds."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "evaluate",
        help="score a model or a training run on cases with references",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    model = parser.add_mutually_exclusive_group(required=True)
    model.add_argument("--model", metavar="NAME[,NAME]", help="name or folder of a bundle; several are averaged")
    model.add_argument(
        "--run",
        dest="runs",
        type=_run_folders,
        nargs="+",
        metavar="RUN[,RUN]",
        help="folder of a training run; several, such as one per fold, are scored together with --split left-out, and "
        "those joined by a comma are averaged",
    )
    parser.add_argument(
        "--data",
        type=Path,
        help="folder with cases.json (default: wmh, tumor or liver in ../shared/data, by the model's task)",
    )
    parser.add_argument(
        "--split",
        choices=("validation", "train", "all", "left-out"),
        default="validation",
        help="left-out: what the recipe of --run leaves out",
    )
    parser.add_argument("--cases", metavar="A,B", help="exactly these cases")
    parser.add_argument(
        "--reference", help="reference file of a case, without .nii.gz (default: lesion, seg or liver, by the task)"
    )
    parser.add_argument("--also", metavar="NAME", help="a second reference, reported beside the first")
    parser.add_argument(
        "--inputs",
        metavar="CHANNEL[=FILE],...",
        help="channels of the model, and files of a case where named otherwise (default: all the model's channels)",
    )
    parser.add_argument("--no-baseline", action="store_true", help="leave out the plain thresholds")
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="write cases.csv, summary.json, table.md, masks")
    parser.add_argument("--device", default="auto", choices=("auto", "cpu", "cuda", "mps"))
    parser.add_argument("--engine", default="auto", choices=("auto", "openvino", "pytorch"))
    parser.add_argument("--threads", type=int, metavar="N", help="threads of the engine")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def _run_folders(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(","))


def run(options: argparse.Namespace) -> int:
    """Evaluate a bundle, a training run, or the runs of a cross-validation."""
    left_out = _of_left_out(options)
    if left_out and options.runs is None:
        raise InputError("--split left-out needs --run: a bundle does not say what was left out of its training")
    if not left_out and len(options.runs or ()) > 1:
        raise InputError("several runs are scored on the cases that each left out: add --split left-out")
    with tempfile.TemporaryDirectory(prefix="lightseg-") as folder:
        if options.runs is None:
            bundles = {options.model: [load_bundle(name) for name in options.model.split(",")]}
        else:
            bundles = {
                _name(paths): [_bundle_of_run(path, Path(folder) / f"{i}-{path.name}") for path in paths]
                for i, paths in enumerate(options.runs)
            }
        return _evaluate(options, bundles)


def _of_left_out(options: argparse.Namespace) -> bool:
    return options.cases is None and options.split == "left-out"


def _name(runs: Sequence[Path]) -> str:
    return ",".join(map(str, runs))


def _evaluate(options: argparse.Namespace, bundles: Mapping[str, Sequence[Bundle]]) -> int:
    from LightSegLib.training.cases import read_cases, select_cases
    from LightSegLib.training.scoring.evaluate import evaluate_cases, markdown_table, summarize, write_scores
    from LightSegLib.training.scoring.evaluate_organs import patient_means
    from LightSegLib.training.scoring.evaluate_tasks import task_of
    from LightSegLib.training.scoring.out_of_fold import left_out_by_run

    bundle = next(iter(bundles.values()))[0]
    task = task_of(bundle)
    data = options.data or DATA / task.folder
    reference = options.reference or task.reference
    known = read_cases(data)
    if _of_left_out(options):
        scored = {_name(runs): chosen for runs, chosen in left_out_by_run(options.runs, known).items()}
    else:
        names = options.cases.split(",") if options.cases else ()
        scored = {name: select_cases(known, split=options.split, names=names) for name in bundles}
    cases = [case for chosen in scored.values() for case in chosen]
    if not cases:
        raise InputError(f"{data}/cases.json: no case in split '{options.split}'; choose another with --split")
    inputs = _inputs(options.inputs, bundle)
    keep = None if options.output is None else options.output / "segmentations"
    scores = []
    for name, members in bundles.items():
        scores += evaluate_cases(
            Segmenter(members, device=options.device, engine=options.engine, threads=options.threads),
            scored[name],
            inputs=inputs,
            reference=reference,
            also=options.also,
            keep=keep,
            progress=lambda text: print(text, file=sys.stderr, flush=True),
            evaluate=task.evaluate,
        )
    baselines = {}
    if not options.no_baseline and task.baselines is not None and task.baseline_input in inputs:
        baselines = task.baselines(cases, chosen_on=select_cases(known, split="train"), reference=reference)
    rows = [task.row(score, baselines.get(score.case.name)) for score in scores]
    counted = patient_means(rows) if task.by_patient else rows
    intervals = summarize(counted)
    worst = _worst_thirds(rows, task.worst)
    table = markdown_table(rows, intervals, also=options.also, columns=task.columns, patients=task.by_patient)
    for column, third in worst.items():
        table += f"\n\nworst third by {column}: {third['mean']:.3f} ({', '.join(third['cases'])})"
    body = {
        "model": {
            "name": ",".join(one.name for one in next(iter(bundles.values()))),
            "version": bundle.version,
            "runs": [_name(runs) for runs in options.runs or ()],
        },
        "reference": reference,
        "also": options.also,
        "inputs": inputs,
        "postprocessing": dict(bundle.postprocessing),
        "cases": rows,
        "summary": {name: asdict(interval) for name, interval in intervals.items()},
        "worst_third": worst,
    }
    if options.output is not None:
        write_scores(options.output, rows=rows, table=table, summary=("summary.json", body))
    if options.json:
        print_json(options, body)
    else:
        print(table)
    return 0


def _worst_thirds(rows: list[dict[str, Any]], columns: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    from LightSegLib.training.scoring.evaluate_tumors import worst_third

    found = {column: worst_third(rows, column) for column in columns}
    return {column: {"mean": mean, "cases": names} for column, (mean, names) in found.items() if names}


def _bundle_of_run(run_folder: Path, folder: Path) -> Bundle:
    if find_spec("torch") is None:
        raise MissingDependencyError("evaluating a training run needs PyTorch: pip install 'lightseg[train]'")
    from LightSegLib.training.runs import export_run

    return export_run(run_folder, folder, model_card=f"Training run {run_folder.name}, for evaluation only.\n")


def _inputs(text: str | None, bundle: Bundle) -> dict[str, str]:
    names = [channel.name for channel in bundle.inputs]
    if text is None:
        return {name: name for name in names}
    inputs = {}
    for item in text.split(","):
        channel, _, file = item.partition("=")
        if channel not in names:
            raise InputError(f"--inputs {item}: {bundle.name} has no channel {channel!r}; it has {', '.join(names)}")
        inputs[channel] = file or channel
    return inputs
