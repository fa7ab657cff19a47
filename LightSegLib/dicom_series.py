"""Reading one DICOM series from a folder: slices in order, and no image where some are missing, double or tilted."""

import math
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import GeometryError, InputError

__all__ = ["read_series", "series_files"]

POSITION, ORIENTATION = "0020|0032", "0020|0037"
MOST_UNEVEN = 0.25
"""A slice may lie so far from its even place, in distances between slices: positions in files are rounded."""
MOST_SIDEWAYS = 0.5
"""The last slice may lie so far aside of the line through the first one, in voxels."""
REMEDY = "load it in 3D Slicer, which can correct it, and save it as a NRRD file"


def read_series(folder: Path) -> sitk.Image:
    """Read the one DICOM series of a folder, slices sorted by position, rescale slope and intercept applied.

    Raises InputError when the folder holds no series or several, and GeometryError when slices are missing, at the
    same place, unevenly spaced or shifted against each other (a tilted gantry), or when files do not say where they
    lie. RuntimeError, ITK's own, when a file is damaged.
    """
    names = tuple(map(str, series_files(folder)))
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(names)
    reader.MetaDataDictionaryArrayUpdateOn()
    image = reader.Execute()
    if len(names) > 1:
        positions = _positions(reader, folder, names)
        _check_slices(positions, normal=_normal(reader, folder), voxel_mm=min(image.GetSpacing()[:2]), folder=folder)
    return image


def series_files(folder: Path) -> tuple[Path, ...]:
    """Return the files of the one DICOM series of a folder, sorted by position; InputError for none or several."""
    series = sitk.ImageSeriesReader.GetGDCMSeriesIDs(str(folder))
    if len(series) != 1:
        raise _series_count_error(folder, len(series))
    return tuple(map(Path, sitk.ImageSeriesReader.GetGDCMSeriesFileNames(str(folder), series[0])))


def _positions(reader: sitk.ImageSeriesReader, folder: Path, names: tuple[str, ...]) -> np.ndarray:
    """Return where each slice's first voxel lies, mm in LPS: (slices, 3)."""
    for index, name in enumerate(names):
        if not reader.HasMetaDataKey(index, POSITION):
            raise GeometryError(f"{folder}: {Path(name).name} does not say where its slice lies; export it again.")
    return np.array(
        [[float(part) for part in reader.GetMetaData(index, POSITION).split("\\")] for index in range(len(names))]
    )


def _normal(reader: sitk.ImageSeriesReader, folder: Path) -> np.ndarray:
    if not reader.HasMetaDataKey(0, ORIENTATION):
        raise GeometryError(f"{folder}: the slices do not say how they are turned; export the series again.")
    parts = np.array([float(part) for part in reader.GetMetaData(0, ORIENTATION).split("\\")])
    return np.cross(parts[:3], parts[3:])


def _check_slices(positions: np.ndarray, *, normal: np.ndarray, voxel_mm: float, folder: Path) -> None:
    along = positions @ normal
    steps = np.abs(np.diff(along))
    usual = float(np.median(steps))
    double = int(np.count_nonzero(steps < 0.01 * max(usual, 0.1)))
    if double:
        raise GeometryError(
            f"{folder} holds {len(along)} slices, but {double} of them lie where another one lies: several phases or "
            "echoes in one series, or copies. Give a folder that holds only the wanted images."
        )
    even = np.linspace(along[0], along[-1], len(along))
    if np.abs(along - even).max() > MOST_UNEVEN * usual:
        widest = int(steps.argmax())
        raise GeometryError(
            f"{folder} has slices that are missing or not equally spaced: {steps[widest]:.1f} mm between slices "
            f"{widest + 1} and {widest + 2}, where {usual:.1f} mm are usual. Complete the DICOM series, or {REMEDY}."
        )
    travel = positions[-1] - positions[0]
    sideways = float(np.linalg.norm(travel - (travel @ normal) * normal))
    if sideways > MOST_SIDEWAYS * voxel_mm:
        angle = math.degrees(math.atan2(sideways, abs(travel @ normal)))
        raise GeometryError(
            f"{folder} was scanned with a tilted gantry: its slices are shifted against each other, by "
            f"{angle:.1f} degrees, so that its voxels are no regular grid; {REMEDY}."
        )


def _series_count_error(folder: Path, count: int) -> InputError:
    if count == 0:
        return InputError(f"{folder} is a folder without DICOM images; give an image file or the folder of one series.")
    return InputError(f"{folder} holds {count} DICOM series; give a folder that holds only the wanted one.")
