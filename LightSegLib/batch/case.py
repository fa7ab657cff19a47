"""What a case of a cohort is: its files, or the problem because of which it cannot be segmented."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from LightSegLib.bundles import InputChannel
from LightSegLib.errors import ChannelError
from LightSegLib.pipeline.channels import match_channels

__all__ = ["Case", "Cohort", "check_case", "check_names"]


@dataclass(frozen=True, kw_only=True)
class Case:
    """One case: the file or DICOM folder of each channel, by the model's spelling of its name, in the model's order.

    `problem` says in one line why the case cannot be segmented, None where it can. `unused` are images of the case
    that are neither an input nor the reference.
    """

    name: str
    inputs: Mapping[str, Path]
    reference: Path | None = None
    unused: tuple[Path, ...] = ()
    problem: str | None = None


@dataclass(frozen=True, kw_only=True)
class Cohort:
    """The cases that were found, usable or not, in a fixed order, and what is to be known about them as a whole."""

    cases: tuple[Case, ...]
    notes: tuple[str, ...] = field(default=())

    @property
    def usable(self) -> int:
        """The number of cases that can be segmented."""
        return sum(case.problem is None for case in self.cases)


def check_case(case: Case, inputs: Sequence[InputChannel]) -> Case:
    """Return a case with its inputs in the model's order and spelling, and with its problem if it has one.

    A problem that the case already has is kept.
    """
    try:
        spelled = match_channels(inputs, list(case.inputs))
    except ChannelError as error:
        return replace(case, problem=case.problem or str(error))
    files = {channel: case.inputs[given] for given, channel in spelled.items()}
    named = [*files.items(), *([("reference", case.reference)] if case.reference is not None else [])]
    missing = next(
        (f"{what}: {path} does not exist; check the path." for what, path in named if not _exists(path)), None
    )
    return replace(case, inputs=files, problem=case.problem or missing)


def check_names(cases: Iterable[Case]) -> tuple[Case, ...]:
    """Return the cases; those that share a name, by which tables and results are told apart, have that as problem."""
    cases = tuple(cases)
    count = Counter(case.name for case in cases)
    problem = "{} cases are called {}: give each a name of its own."
    return tuple(
        case
        if count[case.name] == 1
        else replace(case, problem=case.problem or problem.format(count[case.name], case.name))
        for case in cases
    )


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:  # a name that no file can have, or a folder that may not be looked into
        return False
