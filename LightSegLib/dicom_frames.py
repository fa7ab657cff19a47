"""The frames of a DICOM series: their headers, and the slices of a labelmap that lie on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

from LightSegLib.errors import GeometryError, InputError, MissingDependencyError

__all__ = ["SeriesFrames", "labels_on_frames", "read_frames"]

IDENTIFIERS = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID")
SHAPE = ("Rows", "Columns")
PLACE = ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing")
MAY_BE_EMPTY = (
    *("PatientID", "PatientName", "PatientBirthDate", "PatientSex"),
    *("AccessionNumber", "StudyID", "StudyDate", "StudyTime", "ReferringPhysicianName"),
)
"""Attributes that every DICOM file has to have, though without a value where nothing is known."""
GROUPS = "PerFrameFunctionalGroupsSequence"
PLACE_GROUPS = dict(
    zip(PLACE, ("PlanePositionSequence", "PlaneOrientationSequence", "PixelMeasuresSequence"), strict=True)
)
"""Where a file with several frames keeps each frame's place."""
MOST_APART = 0.25
"""A slice of the labelmap may lie so far from its frame, in voxels: positions in files are rounded, and the voxel
nearest to each of the frame's is still its own."""


@dataclass(frozen=True)
class Frame:
    """Where a frame lies in LPS: its first voxel (3,) in mm, the directions to the next column and to the next row as
    columns (3, 2), and how far these are, in mm (2,).
    """

    position: np.ndarray
    directions: np.ndarray
    spacing: np.ndarray

    def point(self, column: int, row: int) -> list[float]:
        """Return where a voxel lies, mm in LPS."""
        point: list[float] = (self.position + self.directions @ (self.spacing * (column, row))).tolist()
        return point


@dataclass(frozen=True)
class SeriesFrames:
    """A series: the headers of its files as pydicom's datasets, without voxels, and its frames in the same order.

    One file holds all frames, or each file holds one. `name` is for messages.
    """

    name: str
    headers: tuple[Any, ...]
    frames: tuple[Frame, ...]
    rows: int
    columns: int


def read_frames(files: Sequence[Path]) -> SeriesFrames:
    """Read the headers of one series: files of one frame each, in any order, or one file of several frames.

    Attributes that may be empty and are absent are added to the headers, empty. Raises InputError when a file is no
    DICOM image, belongs to another series, or does not say what it is and where it lies; MissingDependencyError
    without pydicom.
    """
    if not files:
        raise InputError("No DICOM files are given; give those of the segmented series.")
    headers = tuple(_read_header(file) for file in files)
    first = headers[0]
    for file, header in zip(files, headers, strict=True):
        if any(header.get(key) != first.get(key) for key in ("StudyInstanceUID", "SeriesInstanceUID", *SHAPE)):
            raise InputError(f"{file} belongs to another DICOM series than {files[0]}; give the files of one series.")
    if GROUPS not in first:
        frames = [_place(*(header.get(key) for key in PLACE)) for header in headers]
        _say_alike(headers, first, frames)
    elif len(files) == 1:
        frames = _frames_inside(first, files[0])
        _say_alike((), first.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0], frames)
    else:
        raise InputError(f"{files[0]} holds several frames; give one such file, or files of one slice each.")
    return SeriesFrames(
        name=str(files[0].parent if len(files) > 1 else files[0]),
        headers=headers,
        frames=tuple(frames),
        rows=int(first.Rows),
        columns=int(first.Columns),
    )


def labels_on_frames(labelmap: sitk.Image, series: SeriesFrames) -> np.ndarray:
    """Return the slice of a labelmap that lies on each frame of a series, in the order of the frames.

    Array (frame, row, column) of the labelmap's type; axes are permuted and flipped, no voxel is interpolated.
    Raises GeometryError unless the labelmap's voxels are those of the series.
    """
    moved = _turned(labelmap, series.frames[0])
    if moved is None or moved.GetSize() != (series.columns, series.rows, len(series.frames)):
        raise _other_grid_error(labelmap, series)
    corners = [(0, 0), (series.columns - 1, 0), (0, series.rows - 1)]
    slices = []
    for frame in series.frames:
        indices = [moved.TransformPhysicalPointToContinuousIndex(frame.point(*corner)) for corner in corners]
        number = round(indices[0][2])
        if np.abs(np.array(indices) - [(*corner, number) for corner in corners]).max() > MOST_APART:
            raise _other_grid_error(labelmap, series)
        slices.append(number)
    if sorted(slices) != list(range(len(slices))):
        raise _other_grid_error(labelmap, series)
    return sitk.GetArrayFromImage(moved)[slices]


def _read_header(file: Path) -> Any:
    try:
        from pydicom import dcmread
        from pydicom.datadict import dictionary_description
        from pydicom.errors import InvalidDicomError
    except ImportError as error:
        raise MissingDependencyError(
            f"Reading DICOM headers needs pydicom ({error}): run `pip install lightseg[dicom]`; 3D Slicer has it."
        ) from error

    try:
        header = dcmread(file, stop_before_pixels=True)
    except (InvalidDicomError, OSError) as error:
        raise InputError(
            f"{file} cannot be read as DICOM ({' '.join(str(error).split())}); give DICOM files."
        ) from error
    needed = (*IDENTIFIERS, *SHAPE, *(() if GROUPS in header else PLACE))
    if missing := [key for key in needed if header.get(key) in (None, "")]:
        raise InputError(
            f"{file} has no {', '.join(dictionary_description(key) for key in missing)}: a DICOM SEG refers to its "
            "series by these; export the series again with them, anonymized or not."
        )
    for key in MAY_BE_EMPTY:
        if key not in header:
            setattr(header, key, "")
    return header


def _frames_inside(header: Any, file: Path) -> list[Frame]:
    """Return the frames of a file that holds several, and have it say once what is the same for all."""
    from pydicom import Dataset

    if not header.get("SharedFunctionalGroupsSequence"):
        header.SharedFunctionalGroupsSequence = [Dataset()]
    shared = header.SharedFunctionalGroupsSequence[0]
    frames = []
    for groups in header.PerFrameFunctionalGroupsSequence:
        place = {}
        for key, sequence in PLACE_GROUPS.items():
            holder = groups if sequence in groups else shared
            if sequence not in holder or holder[sequence].value[0].get(key) in (None, ""):
                raise InputError(f"{file} does not say where its frames lie; export the series again.")
            place[key] = holder[sequence].value[0]
            if key != "ImagePositionPatient" and sequence not in shared:
                shared.add(groups[sequence])
        frames.append(_place(*(place[key].get(key) for key in PLACE)))
    return frames


def _place(position: Sequence[float], orientation: Sequence[float], spacing: Sequence[float]) -> Frame:
    # The spacing of rows comes first, the direction along a row (from column to column) too.
    directions = np.array(orientation, float).reshape(2, 3).T
    return Frame(np.array(position, float), directions, np.array(spacing, float)[::-1])


def _say_alike(headers: Sequence[Any], measures: Any, frames: Sequence[Frame]) -> None:
    """Have headers of one grid agree digit by digit, as highdicom wants it, and `measures` say the slices' distance.

    In files it may be absent, or be the gap between slices instead of the distance of their centers, in mm.
    """
    from pydicom.valuerep import format_number_as_ds

    for header in headers:
        header.ImageOrientationPatient = headers[0].ImageOrientationPatient
    if len(frames) > 1:
        along = np.array([frame.position for frame in frames]) @ np.cross(*frames[0].directions.T)
        apart = format_number_as_ds(float(np.ptp(along)) / (len(frames) - 1))
        measures.SpacingBetweenSlices = apart
        if measures.get("SliceThickness") in (None, ""):
            measures.SliceThickness = apart


def _turned(labelmap: sitk.Image, frame: Frame) -> sitk.Image | None:
    """Return the labelmap with its axes along a frame's columns, rows and normal; None if they lie askew."""
    axes = np.column_stack([frame.directions, np.cross(*frame.directions.T)])
    cosines = axes.T @ np.array(labelmap.GetDirection()).reshape(3, 3)
    order = np.abs(cosines).argmax(axis=1).tolist()
    if sorted(order) != [0, 1, 2]:
        return None
    flips = [bool(cosines[row, axis] < 0) for row, axis in enumerate(order)]
    return sitk.Flip(sitk.PermuteAxes(labelmap, order), flips)


def _other_grid_error(labelmap: sitk.Image, series: SeriesFrames) -> GeometryError:
    own = " x ".join(map(str, labelmap.GetSize()))
    return GeometryError(
        f"The segmentation ({own} voxels) does not lie on the slices of the DICOM series {series.name} "
        f"({series.columns} x {series.rows} x {len(series.frames)}), of which a DICOM SEG is made: segment the series "
        "itself, neither cropped nor resampled, or save the segmentation as .seg.nrrd."
    )
