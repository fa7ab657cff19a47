"""Scoring a model on cases with references, beside what a plain threshold reaches."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from LightSegLib.errors import InputError, OutputError
from LightSegLib.measures import Agreement
from LightSegLib.pipeline.comparison import compare_labelmaps
from LightSegLib.pipeline.result import json_ready
from LightSegLib.segmenter import Result, Segmenter
from LightSegLib.training.cases import Case
from LightSegLib.training.scoring.baseline import Baseline
from LightSegLib.training.scoring.bootstrap import Interval, bootstrap_mean
from LightSegLib.volumes import read_labelmap
from LightSegLib.writers import write_labelmap

__all__ = [
    "CARD_COLUMNS",
    "CaseScore",
    "evaluate_case",
    "evaluate_cases",
    "keep_labelmap",
    "markdown_table",
    "score_row",
    "segment_case",
    "summarize",
    "write_scores",
]

# Columns of the model card's table: key of `score_row`, title, number format.
CARD_COLUMNS = (
    ("dice", "Dice", "{:.3f}"),
    ("also_dice", "Dice ({also})", "{:.3f}"),
    ("lesion_f1", "Lesion F1", "{:.3f}"),
    ("lesion_recall", "Lesion recall", "{:.3f}"),
    ("hd95_mm", "HD95 (mm)", "{:.1f}"),
    ("assd_mm", "ASSD (mm)", "{:.2f}"),
    ("avd_percent", "AVD (%)", "{:.1f}"),
    ("ppv", "PPV", "{:.3f}"),
    ("tpr", "TPR", "{:.3f}"),
    ("volume_ml", "Volume (ml)", "{:.1f}"),
    ("reference_volume_ml", "Reference (ml)", "{:.1f}"),
    ("baseline_best_dice", "Best threshold", "{:.3f}"),
    ("baseline_fixed_dice", "Fixed threshold", "{:.3f}"),
)


@dataclass(frozen=True)
class CaseScore:
    """How well one case was segmented; `also` is the agreement with a second reference, where the case has it."""

    case: Case
    agreement: Agreement
    also: Agreement | None
    brain: str | None
    seconds: float


def segment_case(
    segmenter: Segmenter, case: Case, *, inputs: Mapping[str, str], reference: str
) -> tuple[Result, float]:
    """Segment a case beside its reference: the result, and the seconds it took; arguments as for `evaluate_case`."""
    if reference not in case.files:
        raise InputError(f"{case.folder}: has no {reference}.nii.gz to score against; it has {', '.join(case.files)}")
    start = time.perf_counter()
    images = {channel: case.path(file) for channel, file in inputs.items() if file in case.files}
    result = segmenter.segment(images, reference=case.path(reference))
    return result, time.perf_counter() - start


def keep_labelmap(result: Result, case: Case, folder: Path | None) -> None:
    """Write the labelmap of a case into a folder, if there is one."""
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        write_labelmap(result.labelmap, folder / f"{case.name}.nii.gz")


def evaluate_case(
    segmenter: Segmenter,
    case: Case,
    *,
    inputs: Mapping[str, str],
    reference: str,
    also: str | None = None,
    keep: Path | None = None,
) -> CaseScore:
    """Segment a case and measure it.

    `inputs` maps the model's channels to file names of the case (without extension); those that the case lacks are
    left out. `keep` is a folder for the labelmap. Raises InputError, also where the case lacks the reference.
    """
    result, seconds = segment_case(segmenter, case, inputs=inputs, reference=reference)
    if result.agreement is None:
        raise InputError(f"{case.path(reference)}: could not be compared with the segmentation")
    second = None
    if also is not None and also in case.files:
        comparison = compare_labelmaps(result.labelmap, read_labelmap(case.path(also)), values=(1,))
        second = comparison.agreements[1]
    keep_labelmap(result, case, keep)
    return CaseScore(case, result.agreement, second, result.provenance.get("brain"), seconds)


def score_row(score: CaseScore, baseline: Baseline | None = None) -> dict[str, Any]:
    """Return one flat row of the per-case table; measures of the second reference are named also_..."""
    row: dict[str, Any] = {
        "case": score.case.name,
        "patient": score.case.patient,
        "center": score.case.center,
        "split": score.case.split,
        "brain": score.brain,
        "seconds": score.seconds,
        **asdict(score.agreement),
    }
    if score.also is not None:
        row |= {f"also_{name}": value for name, value in asdict(score.also).items()}
    if baseline is not None:
        row |= {f"baseline_{name}": value for name, value in asdict(baseline).items()}
    return row


def summarize(rows: Sequence[Mapping[str, Any]]) -> dict[str, Interval]:
    """Return the mean of every numeric column over the rows that have it, its interval drawn over patients."""
    numeric = {key: None for row in rows for key, value in row.items() if isinstance(value, (int, float))}
    summary = {}
    for key in numeric:
        held = [row for row in rows if key in row]
        summary[key] = bootstrap_mean([row[key] for row in held], groups=[row["patient"] for row in held])
    return summary


def markdown_table(
    rows: Sequence[Mapping[str, Any]],
    summary: Mapping[str, Interval],
    *,
    also: str | None = None,
    columns: Sequence[tuple[str, str, str]] = CARD_COLUMNS,
    patients: bool = False,
) -> str:
    """Return the table of a model card: one line per case, then means and 95 % intervals; "-" where undefined.

    `columns`: key of a row, title and number format; those that no row has are left out. With `patients`, the summary
    is that of a few patients: their number is told, and no interval.
    """
    columns = [(key, title.format(also=also), form) for key, title, form in columns if key in summary]
    lines = [["case", *(title for _, title, _ in columns)], ["---", *("---:" for _ in columns)]]
    for row in rows:
        lines.append([row["case"], *(_number(row.get(key), form) for key, _, form in columns)])
    means = [f"**{_number(summary[key].mean, form)}**" for key, _, form in columns]
    if patients:
        count = len({row["patient"] for row in rows})
        lines.append([f"**mean of {count} patients**", *means])
        return "\n".join("| " + " | ".join(line) + " |" for line in lines)
    lines.append([f"**mean of {len(rows)}**", *means])
    ranges = [f"{_number(summary[key].low, form)} to {_number(summary[key].high, form)}" for key, _, form in columns]
    lines.append(["95 % interval", *ranges])
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def evaluate_cases(
    segmenter: Segmenter,
    cases: Sequence[Case],
    *,
    inputs: Mapping[str, str],
    reference: str,
    also: str | None = None,
    keep: Path | None = None,
    progress: Callable[[str], None] = lambda text: None,
    evaluate: Callable[..., Any] = evaluate_case,
) -> list[Any]:
    """Score every case in turn by `evaluate`, telling `progress` about each."""
    scores = []
    for number, case in enumerate(cases, start=1):
        score = evaluate(segmenter, case, inputs=inputs, reference=reference, also=also, keep=keep)
        progress(f"{number}/{len(cases)} {case.name}: Dice {score.agreement.dice:.3f}, {score.seconds:.1f} s")
        scores.append(score)
    return scores


def write_scores(
    folder: Path, *, rows: Sequence[Mapping[str, Any]], table: str, summary: tuple[str, Mapping[str, Any]]
) -> None:
    """Write cases.csv, table.md and a summary, (name of its JSON file, content); OutputError if that fails."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    name, content = summary
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "cases.csv").open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, columns)
            writer.writeheader()
            writer.writerows(rows)
        (folder / name).write_text(json.dumps(json_ready(content), indent=2) + "\n", encoding="utf-8")
        (folder / "table.md").write_text(table + "\n", encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror}); choose another --output folder") from error


def _number(value: Any, form: str) -> str:
    return "-" if value is None or value != value else form.format(value)
