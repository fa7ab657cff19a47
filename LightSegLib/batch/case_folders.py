"""The cases in a folder, or among loose image files."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import SimpleITK as sitk

from LightSegLib.batch.case import Case, Cohort, check_case, check_names
from LightSegLib.batch.file_names import file_stem, is_image, is_mask, is_reference
from LightSegLib.batch.flat_files import group_files
from LightSegLib.bundles import InputChannel
from LightSegLib.errors import InputError
from LightSegLib.pipeline.channels import likely_channel

__all__ = ["find_folder_cases"]

DEPTH = 4
"""Folders below a case that are searched, as in subject/session/anat/series."""
DICOM_MAGIC = b"DICM"
DICOM_PROBES = 3
SERIES_DESCRIPTION = "0008|103e"
BIDS_MARK = "dataset_description.json"


def find_folder_cases(folder: Path, inputs: Sequence[InputChannel], *, output: Path | None = None) -> Cohort:
    """Return the cases in a folder: its subfolders, or its images if it has no subfolder with images.

    In a BIDS dataset the subjects, or their sessions, are cases. `output` is a folder in it that is not searched.
    Raises InputError when there is no image, or both images and folders of images.
    """
    entries = _entries(folder)
    loose = [path for path in entries if path.is_file() and is_image(path)]
    subfolders = [path for path in entries if path.is_dir() and (output is None or path.resolve() != output.resolve())]
    if (folder / BIDS_MARK).is_file():
        subfolders = [path for path in subfolders if path.name.startswith("sub-")]
    sources = {subfolder: list(_sources(subfolder)) for subfolder in subfolders}
    filled = [subfolder for subfolder, found in sources.items() if found]
    channels = {channel.name.casefold() for channel in inputs}
    if _is_series(folder) or (filled and {path.name.casefold() for path in filled} <= channels):
        return Cohort(cases=(_case_of(folder, folder.resolve().name, list(_sources(folder)), inputs),))
    if not filled:
        if not loose:
            raise InputError(f"{folder} holds no image: give a folder of images, or of folders with one case each.")
        return group_files(loose, inputs)
    if any(not is_mask(file_stem(path)) for path in loose):
        raise InputError(
            f"{folder} holds both images ({loose[0].name}) and folders of images ({filled[0].name}): give a folder "
            "that holds one of them, or list the cases in a CSV file."
        )
    cases = []
    for subfolder in filled:
        sessions = {
            path: [one for one in sources[subfolder] if path in one.parents] for path in subfolder.glob("ses-*")
        }
        parts = {path: found for path, found in sorted(sessions.items()) if found} or {subfolder: sources[subfolder]}
        for path, found in parts.items():
            cases.append(_case_of(path, "_".join(path.relative_to(folder).parts), found, inputs))
    notes = [f"Not used, as the cases are the folders: {', '.join(path.name for path in loose)}."] if loose else []
    empty = [path.name for path in subfolders if path not in filled]
    notes += [f"No image in {', '.join(empty)}."] if empty else []
    return Cohort(cases=check_names(cases), notes=tuple(notes))


def _case_of(folder: Path, name: str, sources: Sequence[Path], inputs: Sequence[InputChannel]) -> Case:
    """Return the case whose images are `sources`; two for one channel are its problem, as none is better."""
    found: dict[str, list[Path]] = {channel.name: [] for channel in inputs}
    references: list[Path] = []
    unused: list[Path] = []
    for source in sources:
        names = list(_names(source, folder))
        channel = next(filter(None, (likely_channel(inputs, one) for one in names)), None)
        if any(map(is_mask, names)):
            (references if any(map(is_reference, names)) else unused).append(source)
        elif channel is not None:
            found[channel].append(source)
        else:
            unused.append(source)
    doubles = [(what, paths) for what, paths in [*found.items(), ("the reference", references)] if len(paths) > 1]
    problem = None
    if doubles:
        what, paths = doubles[0]
        files = ", ".join(str(path.relative_to(folder)) for path in paths)
        problem = f"{len(paths)} files could be {what}: {files}. Leave one, or list the cases in a CSV file."
    files_by_channel = {channel: paths[0] for channel, paths in found.items() if paths}
    case = Case(
        name=name,
        inputs=files_by_channel,
        reference=references[0] if references else None,
        unused=tuple(unused),
        problem=problem,
    )
    checked = check_case(case, inputs)
    if checked.problem and not problem and unused:
        rest = ", ".join(str(path.relative_to(folder)) for path in unused)
        checked = replace(checked, problem=f"{checked.problem} The names of other files fit no input: {rest}.")
    return checked


def _names(source: Path, folder: Path) -> Iterator[str]:
    """Give what an image is called, most telling first: its own name, a series' description, folders of the case."""
    yield file_stem(source) if source.is_file() else source.name
    if source.is_dir():
        yield _series_description(source)
    if source != folder:
        yield from reversed(source.relative_to(folder).parts[:-1])


def _sources(folder: Path, depth: int = DEPTH) -> Iterator[Path]:
    """Give the image files and DICOM series' folders in a folder and below."""
    if _is_series(folder):
        yield folder
    for path in _entries(folder):
        if path.is_dir() and depth:
            yield from _sources(path, depth - 1)
        elif path.is_file() and is_image(path):
            yield path


def _is_series(folder: Path) -> bool:
    return _first_slice(folder) is not None


def _first_slice(folder: Path) -> Path | None:
    files = [path for path in _entries(folder) if path.is_file() and not is_image(path) and path.name != "DICOMDIR"]
    for path in files[:DICOM_PROBES]:
        try:
            with path.open("rb") as file:
                file.seek(128)
                if file.read(len(DICOM_MAGIC)) == DICOM_MAGIC:
                    return path
        except OSError:
            continue
    return None


def _series_description(folder: Path) -> str:
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(_first_slice(folder)))
    try:
        reader.ReadImageInformation()
        return str(reader.GetMetaData(SERIES_DESCRIPTION)).strip()
    except RuntimeError:  # none is given, or the file is damaged, which reading it will tell
        return ""


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise InputError(f"{folder} cannot be read ({error.strerror}); check its permissions.") from None
