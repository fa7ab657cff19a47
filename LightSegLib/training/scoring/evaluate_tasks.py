"""How a model is scored, by what it segments: lesions on FLAIR, the nested regions of a tumor, or an organ on CT."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from LightSegLib.bundles import Bundle
from LightSegLib.training.scoring.baseline import threshold_baselines
from LightSegLib.training.scoring.evaluate import CARD_COLUMNS, evaluate_case, score_row
from LightSegLib.training.scoring.evaluate_organs import ORGAN_COLUMNS
from LightSegLib.training.scoring.evaluate_tumors import TUMOR_COLUMNS, evaluate_tumor, tumor_row
from LightSegLib.training.scoring.organ_baseline import window_baselines
from LightSegLib.training.scoring.tumor_baseline import tumor_baselines

__all__ = ["EvaluationTask", "task_of"]


@dataclass(frozen=True)
class EvaluationTask:
    """What scoring needs to know of a task.

    `folder` of the data holds its cases, `reference` is the file of a case that is scored against. `evaluate` scores
    a case, `row` makes a row of the table of it, `baselines` gives those of the cases on their image `baseline_input`,
    None if the task has none. `worst` are the columns whose worst third is reported. `by_patient` is for few patients
    with several cases: a patient counts once, and means carry no interval.
    """

    folder: str
    reference: str
    columns: tuple[tuple[str, str, str], ...]
    evaluate: Callable[..., Any]
    row: Callable[..., dict[str, Any]]
    baselines: Callable[..., dict[str, Any]] | None = None
    baseline_input: str = "FLAIR"
    worst: tuple[str, ...] = ()
    by_patient: bool = False


LESIONS = EvaluationTask("wmh", "lesion", CARD_COLUMNS, evaluate_case, score_row, threshold_baselines)
TUMOR = EvaluationTask(
    "tumor",
    "seg",
    TUMOR_COLUMNS,
    evaluate_tumor,
    tumor_row,
    tumor_baselines,
    worst=("wt_dice", "tc_dice", "et_dice"),
)
ORGAN = EvaluationTask(
    "liver",
    "liver",
    ORGAN_COLUMNS,
    evaluate_case,
    score_row,
    window_baselines,
    baseline_input="CT",
    by_patient=True,
)
# By the kind of the bundle's postprocessing.
TASKS = {"lesions": LESIONS, "nested_tumor": TUMOR, "organ": ORGAN}
OTHER = EvaluationTask("wmh", "lesion", CARD_COLUMNS, evaluate_case, score_row)


def task_of(bundle: Bundle) -> EvaluationTask:
    """Return how the bundle is scored; any other kind by its first segment alone."""
    return TASKS.get(str(bundle.postprocessing.get("kind")), OTHER)
