"""Scoring a tumor model by its nested regions: whole tumor (WT), tumor core (TC) and enhancing tumor (ET)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from LightSegLib.errors import InputError
from LightSegLib.measures import Agreement
from LightSegLib.segmenter import Segmenter
from LightSegLib.training.cases import Case
from LightSegLib.training.scoring.baseline import Baseline
from LightSegLib.training.scoring.evaluate import keep_labelmap, segment_case

__all__ = ["REGION_NAMES", "TUMOR_COLUMNS", "TumorScore", "evaluate_tumor", "tumor_row", "worst_third"]

# What the regions are called in the table's keys, and what a tumor model's card calls them.
REGION_NAMES = {"wt": "WT", "tc": "TC", "et": "ET"}
# A region with at most this much in the reference has no Dice: a few voxels more or less would decide it.
SMALLEST_ML = {"wt": 0.0, "tc": 1.0, "et": 1.0}
# Columns of the model card's table: key of `tumor_row`, title, number format.
TUMOR_COLUMNS = (
    ("wt_dice", "WT Dice", "{:.3f}"),
    ("tc_dice", "TC Dice", "{:.3f}"),
    ("et_dice", "ET Dice", "{:.3f}"),
    ("wt_hd95_mm", "WT HD95 (mm)", "{:.1f}"),
    ("tc_hd95_mm", "TC HD95 (mm)", "{:.1f}"),
    ("et_hd95_mm", "ET HD95 (mm)", "{:.1f}"),
    ("et_false_ml", "False ET (ml)", "{:.2f}"),
    ("wt_volume_ml", "WT (ml)", "{:.1f}"),
    ("wt_reference_volume_ml", "Reference WT (ml)", "{:.1f}"),
    ("tc_reference_volume_ml", "Reference TC (ml)", "{:.1f}"),
    ("et_reference_volume_ml", "Reference ET (ml)", "{:.1f}"),
    ("baseline_best_dice", "WT, best threshold", "{:.3f}"),
    ("baseline_fixed_dice", "WT, fixed threshold", "{:.3f}"),
)
MEASURED = ("dice", "hd95_mm", "assd_mm", "avd_percent", "ppv", "tpr")


@dataclass(frozen=True)
class TumorScore:
    """How well the regions of one case were segmented; `regions` has the keys of REGION_NAMES."""

    case: Case
    regions: Mapping[str, Agreement]
    brain: str | None
    seconds: float

    @property
    def agreement(self) -> Agreement:
        """The agreement of the whole tumor."""
        return self.regions["wt"]


def evaluate_tumor(
    segmenter: Segmenter,
    case: Case,
    *,
    inputs: Mapping[str, str],
    reference: str,
    also: str | None = None,
    keep: Path | None = None,
) -> TumorScore:
    """Segment a case and measure its regions; arguments as for `evaluate.evaluate_case`, without a second reference.

    Raises InputError, also where the case lacks the reference or the model measures other regions.
    """
    if also is not None:
        raise InputError(f"--also {also}: a tumor model is scored against one reference")
    result, seconds = segment_case(segmenter, case, inputs=inputs, reference=reference)
    missing = [name for name in REGION_NAMES.values() if name not in result.agreements]
    if missing:
        known = ", ".join(result.agreements) or "none"
        raise InputError(f"{case.name}: the model does not measure {', '.join(missing)}; it measures {known}")
    keep_labelmap(result, case, keep)
    regions = {key: result.agreements[name] for key, name in REGION_NAMES.items()}
    return TumorScore(case, regions, result.provenance.get("brain"), seconds)


def tumor_row(score: TumorScore, baseline: Baseline | None = None) -> dict[str, Any]:
    """Return one flat row of the per-case table: measures named after their region, such as tc_dice.

    A core or enhancing tumor of at most 1 ml in the reference is not measured; of such an enhancing tumor,
    et_false_ml says how much was found that is none.
    """
    row: dict[str, Any] = {
        "case": score.case.name,
        "patient": score.case.patient,
        "fold": None if score.case.fold is None else str(score.case.fold),
        "brain": score.brain,
        "seconds": score.seconds,
    }
    for key, agreement in score.regions.items():
        row |= {f"{key}_{name}": getattr(agreement, name) for name in ("volume_ml", "reference_volume_ml")}
        if agreement.reference_volume_ml > SMALLEST_ML[key]:
            row |= {f"{key}_{name}": getattr(agreement, name) for name in MEASURED}
        elif key == "et":
            right = 0.0 if math.isnan(agreement.ppv) else agreement.ppv
            row["et_false_ml"] = agreement.volume_ml * (1 - right)
    if baseline is not None:
        row |= {f"baseline_{name}": value for name, value in asdict(baseline).items()}
    return row


def worst_third(rows: Sequence[Mapping[str, Any]], key: str) -> tuple[float, list[str]]:
    """Return the mean of the lowest third of the rows' values of `key`, and the cases, worst first.

    Rows without the value do not count; NaN and no cases if there is none.
    """
    ranked = sorted((float(row[key]), str(row["case"])) for row in rows if key in row and row[key] == row[key])
    worst = ranked[: max(1, round(len(ranked) / 3))] if ranked else []
    return (sum(value for value, _ in worst) / len(worst) if worst else math.nan), [name for _, name in worst]
