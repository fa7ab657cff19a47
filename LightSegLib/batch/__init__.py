"""Cohorts: finding the cases, segmenting them with one model load, and one table of what was measured."""

from LightSegLib.batch.case import Case, Cohort
from LightSegLib.batch.cases import find_cases
from LightSegLib.batch.plan import BatchOutputs, Part, PlannedCase, plan_batch
from LightSegLib.batch.run import BatchResult, CaseOutcome, run_batch

__all__ = [
    "BatchOutputs",
    "BatchResult",
    "Case",
    "CaseOutcome",
    "Cohort",
    "Part",
    "PlannedCase",
    "find_cases",
    "plan_batch",
    "run_batch",
]
