"""Finds the cases of a cohort: in a folder, in a CSV file, or among files."""

from collections.abc import Sequence
from pathlib import Path

from LightSegLib.batch.case import Cohort
from LightSegLib.batch.case_folders import find_folder_cases
from LightSegLib.batch.case_table import read_case_table
from LightSegLib.batch.file_names import IMAGE_ENDINGS, is_image
from LightSegLib.batch.flat_files import group_files
from LightSegLib.bundles import InputChannel
from LightSegLib.errors import InputError

__all__ = ["find_cases"]

TABLE_ENDINGS = (".csv", ".tsv")
LIST_ENDING = ".txt"


def find_cases(
    source: str | Path | Sequence[str | Path], inputs: Sequence[InputChannel], *, output: str | Path | None = None
) -> Cohort:
    """Return the cases in a folder, of a CSV file, or among image files, for a model with these inputs.

    Image files may also be given as a text file (.txt) with a path, relative to its folder, on each line. No image is
    read, so this takes no time. `output` is the folder for the results, which is not
    searched.
    Raises InputError when there is no such thing or no case in it, or when the results would lie among the images.
    """
    paths = [Path(one).expanduser() for one in ([source] if isinstance(source, (str, Path)) else source)]
    missing = [path for path in paths if not path.exists()]
    if missing or not paths:
        raise InputError(f"{missing[0]} does not exist; check the path." if missing else "No case is given.")
    if len(paths) == 1 and paths[0].is_dir():
        folder, place = paths[0], None if output is None else Path(output).expanduser()
        if place is not None and place.resolve() == folder.resolve():
            raise InputError(
                f"The results would lie among the images in {folder}, and be taken for some next time: choose another "
                f"folder, for example {folder / 'lightseg'}."
            )
        return find_folder_cases(folder, inputs, output=place)
    if len(paths) == 1 and paths[0].suffix.lower() in TABLE_ENDINGS:
        return read_case_table(paths[0], inputs)
    if len(paths) == 1 and paths[0].suffix.lower() == LIST_ENDING:
        paths = _read_list(paths[0])
    wrong = next((path for path in paths if not (path.is_file() and is_image(path))), None)
    if wrong is not None:
        raise InputError(
            f"{wrong} is no image file ({', '.join(IMAGE_ENDINGS)}), or does not exist: give one folder, one CSV file, "
            "or image files."
        )
    return group_files(paths, inputs)


def _read_list(path: Path) -> list[Path]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path} cannot be read as a list of files in UTF-8: {error}.") from None
    found = [path.parent / Path(line.strip()).expanduser() for line in lines if line.strip()]
    if not found:
        raise InputError(f"{path} is empty: write the path of one image file on each line.")
    return found
