"""Scoring an organ model by patient: stacks of one patient are not independent, and count as one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["ORGAN_COLUMNS", "patient_means"]

# Columns of the model card's table: key of `evaluate.score_row`, title, number format.
ORGAN_COLUMNS = (
    ("dice", "Dice", "{:.3f}"),
    ("hd95_mm", "HD95 (mm)", "{:.1f}"),
    ("assd_mm", "ASSD (mm)", "{:.2f}"),
    ("avd_percent", "Volume error (%)", "{:.1f}"),
    ("volume_ml", "Volume (ml)", "{:.0f}"),
    ("reference_volume_ml", "Reference (ml)", "{:.0f}"),
    ("baseline_best_dice", "Best HU window", "{:.3f}"),
    ("baseline_fixed_dice", "Fixed HU window", "{:.3f}"),
)


def patient_means(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Average the rows of each patient: one row a patient, its "case" naming patient and number of cases.

    Numbers are averaged over the patient's rows that have them; everything else is left out.
    """
    by_patient: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_patient.setdefault(row["patient"], []).append(row)
    means = []
    for patient, own in by_patient.items():
        numeric = [key for key, value in own[0].items() if isinstance(value, (int, float))]
        label = own[0]["case"] if len(own) == 1 else f"patient {patient}, {len(own)} cases"
        means.append(
            {"case": label, "patient": patient}
            | {key: float(np.mean([row[key] for row in own if key in row])) for key in numeric}
        )
    return means
