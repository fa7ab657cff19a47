"""`lightseg batch`: a folder or table of cases in, their segmentations and one table out."""

import argparse
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

from LightSegLib.batch import (
    BatchOutputs,
    BatchResult,
    CaseOutcome,
    Cohort,
    Part,
    PlannedCase,
    find_cases,
    plan_batch,
    run_batch,
)
from LightSegLib.bundles import InputChannel
from LightSegLib.cli.console import ProgressLine, print_json
from LightSegLib.cli.run_options import POSTPROCESSING_HELP, add_run_options, make_segmenter
from LightSegLib.errors import ChannelError

__all__ = ["EXIT_SOME_FAILED", "add_parser", "run"]

EXIT_SOME_FAILED = 3
ENDINGS = ("seg.nrrd", "nii.gz", "nrrd", "mha")

EPILOG = """\
examples:
  lightseg batch cohort --model wmh-acu --output results --dry-run
  lightseg batch cohort --model wmh-acu --output results
  lightseg batch cases.csv --model tumor-acu --output results --format nii.gz --report
  lightseg batch scans/*.nii.gz --model liver-pocket --output results
  lightseg batch cohort --model wmh-acu --output results --part $SLURM_ARRAY_TASK_ID/20

A folder holds a subfolder for each case, or images that belong together by their names (p7_flair, p7_t1, p7_mask).
The channel of a file follows from its name, and of a DICOM series also from its description; a file called reference,
label, mask, seg or gt is the reference. A CSV file has a column for each channel of the model (FLAIR, T1, ...), and may
have the columns case and reference; its paths are relative to its folder. --dry-run shows what was found.

The output folder gets a segmentation for each case and volumes.csv, one row a case, which is whole at any time. The
same command again goes on where a run has ended: what is done with the same model and files is kept.

With --part K/N each run has a table of its own, volumes.part-K-of-N.csv. When all are done, the same command without
--part joins them: it takes over what they did, and tries again what failed.

exit codes: 0 all done, 1 unexpected error, 2 wrong use or nothing to do it with, 3 some cases failed (the others are
done), 130 cancelled."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "batch",
        help="segment all cases of a folder or table, and measure them",
        description="Segment a cohort: writes a segmentation for each case and one table of volumes and agreement.",
        epilog=EPILOG + "\n\n" + POSTPROCESSING_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="FOLDER_OR_CSV",
        help="a folder, a CSV file, a list of files (.txt), or image files",
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="for the results; made if absent")
    parser.add_argument("--format", choices=ENDINGS, default="seg.nrrd", help="of segmentations; default: seg.nrrd")
    parser.add_argument("--overwrite", action="store_true", help="do all cases again, also those that are done")
    parser.add_argument("--report", action="store_true", help="also write a page with pictures for each case")
    parser.add_argument("--part", type=_part, metavar="K/N", help="only the K-th of N shares of the cases")
    parser.add_argument(
        "--pattern",
        action="append",
        default=[],
        metavar="CHANNEL=PATTERN",
        help="how the names of a channel's files look, such as 'FLAIR=*tirm*', instead of the model's own patterns",
    )
    add_run_options(parser)
    parser.add_argument("--dry-run", action="store_true", help="only show the cases, their files and problems")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    """Segment the cases as the options say; returns EXIT_SOME_FAILED when some failed, or cannot be segmented."""
    outputs = BatchOutputs(
        folder=options.output.expanduser(),
        ending=options.format,
        report=options.report,
        overwrite=options.overwrite,
        part=options.part,
    )
    segmenter = make_segmenter(options)
    cohort = find_cases(options.sources, _with_patterns(segmenter.inputs, options.pattern), output=outputs.folder)
    if options.dry_run:
        return _show_plan(options, cohort, plan_batch(segmenter, cohort.cases, outputs))
    line = ProgressLine()
    width = len(str(len(cohort.cases)))

    def tell(outcome: CaseOutcome) -> None:
        if outcome.status != "running" and not options.json:
            line.close()
            print(f"{outcome.index + 1:{width}}/{len(cohort.cases)}  {_in_words(outcome)}", flush=True)

    try:
        if not options.json:
            _print_notes(cohort)
        done = run_batch(segmenter, cohort.cases, outputs, progress=line, on_case=tell)
    finally:
        line.close()
    if options.json:
        print_json(options, _as_json(done, cohort))
    else:
        counts = ", ".join(f"{number} {status}" for status, number in done.counts().items())
        print(f"{counts}\nWrote {done.table}")
    return EXIT_SOME_FAILED if done.counts()["failed"] else 0


def _show_plan(options: argparse.Namespace, cohort: Cohort, planned: list[PlannedCase]) -> int:
    if options.json:
        print_json(options, {"cases": [_planned_json(one) for one in planned], "notes": cohort.notes})
    else:
        _print_notes(cohort)
        for one in planned:
            state = "problem" if one.problem else "done before" if one.kept else "to do"
            print(f"{one.index + 1}/{len(cohort.cases)}  {one.case.name}: {state}")
            files = {**one.case.inputs, **({"reference": one.case.reference} if one.case.reference else {})}
            print("".join(f"    {what}: {path}\n" for what, path in files.items()), end="")
            if one.case.unused:
                print(f"    not used: {', '.join(path.name for path in one.case.unused)}")
            print(f"    problem: {one.problem}" if one.problem else f"    output: {one.output}")
        unusable = sum(one.problem is not None for one in planned)
        print(f"{len(planned)} cases, {unusable} of them with a problem; nothing was written.")
    return EXIT_SOME_FAILED if any(one.problem for one in planned) else 0


def _planned_json(one: PlannedCase) -> dict[str, Any]:
    reference = one.case.reference
    return {
        "index": one.index,
        "name": one.case.name,
        "inputs": {channel: str(path) for channel, path in one.case.inputs.items()},
        "reference": None if reference is None else str(reference),
        "unused": [str(path) for path in one.case.unused],
        "output": str(one.output),
        "done_before": one.kept is not None,
        "problem": one.problem,
    }


def _as_json(done: BatchResult, cohort: Cohort) -> dict[str, Any]:
    cases = [outcome.to_json() for outcome in done.outcomes]
    return {"cases": cases, **done.counts(), "table": str(done.table), "notes": cohort.notes}


def _in_words(outcome: CaseOutcome) -> str:
    words = f"{outcome.name}: {outcome.status}"
    if outcome.status == "done":
        volumes = ", ".join(f"{name} {ml:.2f} ml" for name, ml in outcome.volumes_ml.items())
        words += f" in {outcome.seconds:.1f} s, {volumes}"
    return f"{words}. {outcome.message}" if outcome.message else words


def _print_notes(cohort: Cohort) -> None:
    for note in cohort.notes:
        print(f"Note: {note}")


def _with_patterns(inputs: tuple[InputChannel, ...], pairs: list[str]) -> tuple[InputChannel, ...]:
    """Return the inputs with the patterns that are given for some of them, CHANNEL=PATTERN, in place of their own."""
    given: dict[str, list[str]] = {}
    names = {channel.name.casefold(): channel.name for channel in inputs}
    for pair in pairs:
        channel, _, pattern = pair.partition("=")
        if channel.casefold() not in names or not pattern:
            raise ChannelError(f"--pattern {pair}: write CHANNEL=PATTERN, with one of {', '.join(names.values())}.")
        given.setdefault(names[channel.casefold()], []).append(pattern)
    return tuple(replace(one, patterns=tuple(given.get(one.name, one.patterns))) for one in inputs)


def _part(text: str) -> Part:
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None:
        raise argparse.ArgumentTypeError(f"must be K/N, such as 1/4, got {text}")
    try:
        return Part(int(match[1]), int(match[2]))
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None
