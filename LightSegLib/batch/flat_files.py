"""Cases among image files that lie in one folder, told apart by their names."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from LightSegLib.batch.case import Case, Cohort, check_case, check_names
from LightSegLib.batch.file_names import case_name, file_stem, is_mask, is_reference
from LightSegLib.bundles import InputChannel
from LightSegLib.errors import InputError
from LightSegLib.pipeline.channels import likely_channel

__all__ = ["group_files"]


def group_files(files: Sequence[Path], inputs: Sequence[InputChannel]) -> Cohort:
    """Return the cases among image files; those that are named by nothing but their channel are called as their folder.

    For a model with one channel each image is a case, for others the files are grouped by the part of their names that
    they share. A reference belongs to the case of the same part. Raises InputError when there is no image.
    """
    images = [path for path in files if not is_mask(file_stem(path))]
    references = [path for path in files if is_reference(file_stem(path))]
    if not images:
        raise InputError(
            f"None of the {len(files)} files is an image, going by their names: list the cases in a CSV file."
        )
    cases: list[Case] = []
    for key, group in _groups(images, inputs).items():
        if len(inputs) == 1:
            cases += [Case(name=file_stem(path), inputs={inputs[0].name: path}) for path in group]
        else:
            cases.append(_case_of(key, group, inputs))
    cases = _refuse_halves([check_case(case, inputs) for case in cases])
    keys = [{case.name, *(_key(path, inputs) for path in case.inputs.values())} for case in cases]
    spare = []
    for path in references:
        owners = [place for place, names in enumerate(keys) if _key(path, inputs) in names]
        if not owners:
            spare.append(path.name)
        for place in owners:
            cases[place] = _with_reference(cases[place], path, is_only=len(owners) == 1)
    notes = (f"References that belong to no image, going by their names: {', '.join(spare)}.",) if spare else ()
    return Cohort(cases=check_names(cases), notes=notes)


def _groups(images: Sequence[Path], inputs: Sequence[InputChannel]) -> dict[str, list[Path]]:
    groups: dict[str, list[Path]] = {}
    for path in images:
        groups.setdefault(_key(path, inputs), []).append(path)
    return groups


def _key(path: Path, inputs: Sequence[InputChannel]) -> str:
    return case_name(file_stem(path), inputs) or path.resolve().parent.name


def _case_of(name: str, group: Sequence[Path], inputs: Sequence[InputChannel]) -> Case:
    found: dict[str, Path] = {}
    unused: list[Path] = []
    problem = None
    for path in group:
        channel = likely_channel(inputs, file_stem(path))
        if channel is None:
            unused.append(path)
        elif channel in found:
            problem = (
                f"Two files could be {channel}: {found[channel].name}, {path.name}. Leave one, or list the cases in a "
                "CSV file."
            )
        else:
            found[channel] = path
    if not found:
        names = ", ".join(path.name for path in unused)
        problem = f"The name of {names} fits no input; rename it, or list the cases in a CSV file."
    return Case(name=name, inputs=found, unused=tuple(unused), problem=problem)


def _refuse_halves(cases: Sequence[Case]) -> list[Case]:
    """Give a problem to cases that look like parts of one: a name begins with the other's, and no input is in both."""
    checked = sorted(cases, key=lambda case: case.name)
    for place, one in enumerate(checked):
        for further, other in enumerate(checked[place + 1 :], place + 1):
            if not other.name.startswith(one.name):
                break
            is_part = not other.name[len(one.name) :][:1].isalnum()
            if is_part and one.inputs and other.inputs and not set(one.inputs) & set(other.inputs):
                problem = f"{one.name} and {other.name} may be parts of one case: rename the files, or use a CSV file."
                checked[place] = replace(one, problem=problem)
                checked[further] = replace(other, problem=problem)
    return checked


def _with_reference(case: Case, path: Path, *, is_only: bool) -> Case:
    if case.reference is None and is_only:
        return replace(case, reference=path)
    names = ", ".join(one.name for one in (case.reference, path) if one is not None)
    return replace(
        case,
        problem=case.problem
        or f"It is not clear which reference belongs to which image ({names}); list the cases in a CSV file.",
    )
