"""Segments the cases of a cohort one after the other, and keeps a table of what was measured."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Any

import LightSegLib
from LightSegLib.batch.case import Case
from LightSegLib.batch.plan import BatchOutputs, PlannedCase, plan_batch
from LightSegLib.batch.volumes_table import VolumesTable, measure_columns, measured, volumes_of
from LightSegLib.errors import CancelledError, LightSegError, OutputError
from LightSegLib.outputs import OutputSet, remove_leftovers
from LightSegLib.pipeline.result import Result
from LightSegLib.progress import Cancel, Progress
from LightSegLib.report import write_report
from LightSegLib.segmenter import Segmenter
from LightSegLib.writers import write_labelmap

__all__ = ["BatchResult", "CaseOutcome", "run_batch"]

DONE, FAILED, SKIPPED, RUNNING = "done", "failed", "skipped", "running"


@dataclass(frozen=True, kw_only=True)
class CaseOutcome:
    """How a case stands: `status` is "running", then "done", "failed" or "skipped" (done before, and kept).

    `index` is its place in the cohort, from 0, also where only a share of that is done. `message` is the error's text,
    or what is to be known about the result; `volumes_ml` are by segment and region, empty where it failed.
    """

    index: int
    name: str
    status: str
    message: str = ""
    seconds: float = 0.0
    volumes_ml: Mapping[str, float] = field(default_factory=dict)
    output: Path | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it ready for `json.dumps`."""
        return {**asdict(self), "seconds": round(self.seconds, 2), "output": self.output and str(self.output)}


@dataclass(frozen=True, kw_only=True)
class BatchResult:
    """The outcome of each case that was this run's to do, in order, and the table."""

    outcomes: tuple[CaseOutcome, ...]
    table: Path

    def counts(self) -> dict[str, int]:
        """Return how many cases are "done", "failed" and "skipped"."""
        statuses = [outcome.status for outcome in self.outcomes]
        return {status: statuses.count(status) for status in (DONE, FAILED, SKIPPED)}


def run_batch(
    segmenter: Segmenter,
    cases: Sequence[Case],
    outputs: BatchOutputs,
    *,
    progress: Progress | None = None,
    on_case: Callable[[CaseOutcome], None] | None = None,
    cancel: Cancel | None = None,
) -> BatchResult:
    """Segment cases into a folder, which is made where it does not exist; the model is loaded once.

    The table has each case as soon as it is done, and so has the folder: whatever ends the run, what is there is whole,
    and a next run goes on from it. A case that fails is told, and does not stop the others. `on_case` is told when a
    case starts and when it ends.
    Raises OutputError when the folder or table cannot be written or an output would replace an input, EngineError and
    MissingDependencyError when the model cannot run here, and CancelledError once `cancel` says True, and for an
    interrupt from the keyboard.
    """
    planned = plan_batch(segmenter, cases, outputs)
    table = _open_table(segmenter, cases, outputs)
    for one in planned:
        if one.kept is not None:
            table.put(one.kept)
    table.write()
    if any(one.kept is None and one.problem is None for one in planned):
        segmenter.load()
    tell: Callable[[CaseOutcome], None] = on_case or (lambda outcome: None)
    outcomes: list[CaseOutcome] = []
    to_do = max(1, sum(one.kept is None for one in planned))
    tried = 0
    try:
        for one in planned:
            if cancel is not None and cancel():
                raise CancelledError
            if one.kept is None:
                tell(CaseOutcome(index=one.index, name=one.case.name, status=RUNNING, output=one.output))
            within = partial(_advance, progress, tried / to_do, 1 / to_do, f"{tried + 1} of {to_do}, {one.case.name}")
            outcome = _do(segmenter, one, table, progress=within, cancel=cancel)
            tried += one.kept is None
            outcomes.append(outcome)
            tell(outcome)
    except (CancelledError, KeyboardInterrupt):
        done = sum(outcome.status == DONE for outcome in outcomes)
        raise CancelledError(
            f"Cancelled after {done} of {to_do} cases; what is done is kept, and the same run again goes on from there."
        ) from None
    table.write()
    if progress is not None:
        progress(1.0, "Done")
    return BatchResult(outcomes=tuple(outcomes), table=outputs.table)


def _open_table(segmenter: Segmenter, cases: Sequence[Case], outputs: BatchOutputs) -> VolumesTable:
    try:
        outputs.folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{outputs.folder} cannot be made ({error.strerror}): choose another folder.") from None
    remove_leftovers(outputs.table)
    # Of the whole cohort, so that the tables of its shares have the same columns.
    with_agreement = any(case.reference is not None for case in cases)
    columns = ["case", "status", *measure_columns(segmenter.bundle, with_agreement=with_agreement), "seconds", "error"]
    columns += ["notes", *(f"{channel.name.lower()}_file" for channel in segmenter.inputs), "reference_file", "output"]
    columns += ["model", "engine", "lightseg_version", "finished", "settings_id"]
    return VolumesTable(outputs.table, columns=columns, order=[case.name for case in cases])


def _do(
    segmenter: Segmenter, one: PlannedCase, table: VolumesTable, *, progress: Progress, cancel: Cancel | None
) -> CaseOutcome:
    """Segment a case, write its files and its row, and return its outcome."""
    told: dict[str, Any] = {"index": one.index, "name": one.case.name}
    if one.kept is not None:
        volumes = volumes_of(one.kept, segmenter.bundle)
        return CaseOutcome(**told, status=SKIPPED, message="It was done before.", volumes_ml=volumes, output=one.output)
    started = time.perf_counter()
    try:
        if one.problem is not None:
            raise LightSegError(one.problem)
        result = _segment(segmenter, one, table, progress=progress, cancel=cancel)
    except CancelledError:
        raise
    except Exception as error:  # whatever it is, the other cases shall not suffer from it
        message = str(error) if isinstance(error, LightSegError) else f"unexpected {type(error).__name__}: {error}"
        message = " ".join(message.split())
        seconds = time.perf_counter() - started
        # A result that is in the way keeps its row, with what was measured of it.
        if not (one.is_blocked and table.has(one.case.name)):
            table.put({**_row(segmenter, one), "status": FAILED, "seconds": round(seconds, 2), "error": message})
            _write(table)
        return CaseOutcome(**told, status=FAILED, message=message, seconds=seconds)
    seconds = time.perf_counter() - started
    notes, engine = result.provenance["notes"], result.provenance["engine"]
    table.put(
        {
            **_row(segmenter, one),
            "status": DONE,
            **measured(result),
            "seconds": round(seconds, 2),
            "notes": " ".join(notes),
            "output": one.output.name,
            "engine": f"{engine['name']} on {engine['device']}",
        }
    )
    _write(table)
    message = " ".join(notes)
    return CaseOutcome(
        **told, status=DONE, message=message, seconds=seconds, volumes_ml=result.volumes_ml, output=one.output
    )


def _segment(
    segmenter: Segmenter, one: PlannedCase, table: VolumesTable, *, progress: Progress, cancel: Cancel | None
) -> Result:
    case = one.case
    read = [*case.inputs.values(), *([] if case.reference is None else [case.reference])]
    outputs = [one.output, *([one.report] if one.report else [])]
    for path in outputs:
        remove_leftovers(path)
    with OutputSet(outputs, inputs=read) as files:
        result = segmenter.segment(case.inputs, reference=case.reference, progress=progress, cancel=cancel)
        files.write(one.output, partial(write_labelmap, result.labelmap, segments=result.segments))
        if one.report is not None:
            files.write(one.report, partial(write_report, result))
        # Were the run killed between the files and their row, the next one would not know that they are ours.
        table.put({**_row(segmenter, one), "status": FAILED, "error": "The run was ended while this was written."})
        _write(table)
        files.commit()
    return result


def _row(segmenter: Segmenter, one: PlannedCase) -> dict[str, Any]:
    """Return what a case's row has however it ended."""
    return {
        "case": one.case.name,
        **{f"{channel.lower()}_file": path for channel, path in one.case.inputs.items()},
        "reference_file": one.case.reference,
        "model": " + ".join(f"{bundle.name} {bundle.version}" for bundle in segmenter.bundles),
        "lightseg_version": LightSegLib.__version__,
        "finished": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "settings_id": one.settings_id,
    }


def _write(table: VolumesTable) -> None:
    # While a spreadsheet program has it open, Windows does not let it be replaced: the next case tries again, and the
    # end of the run tells.
    with suppress(OutputError):
        table.write()


def _advance(progress: Progress | None, start: float, share: float, name: str, fraction: float, message: str) -> None:
    if progress is not None:
        progress(start + share * fraction, f"{name}: {message}")
