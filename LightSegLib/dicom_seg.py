"""A labelmap as a DICOM Segmentation (SEG) of the series that was segmented."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import SimpleITK as sitk

import LightSegLib
from LightSegLib.dicom_frames import SeriesFrames, labels_on_frames, read_frames
from LightSegLib.errors import InputError, MissingDependencyError, OutputError
from LightSegLib.outputs import OutputSet
from LightSegLib.segments import Code, Segment

__all__ = ["check_dicom_seg_path", "write_dicom_seg"]

SEGMENTATION_TYPE = "BINARY"
"""One bit a voxel and segment. The labelmap type of DICOM 2024 would fit our segments as well, which never overlap,
but viewers and archives older than that cannot open it; they all know this one."""
MANUFACTURER = "LightSeg"
SERIAL_NUMBER = "0"
"""The standard demands one; software has none."""
SERIES_NUMBER_STEP = 100
"""Added to the number of the source series, as 3D Slicer's own export does."""
CONTENT_LABEL = "SEGMENTATION"
UTF_8 = "ISO_IR 192"
LONGEST_TEXT = 64
"""Characters in a DICOM text of the kind LO."""


def write_dicom_seg(
    labelmap: sitk.Image,
    segments: Sequence[Segment],
    source_files: Sequence[Path],
    path: Path,
    *,
    algorithm_name: str,
    algorithm_version: str,
    series_description: str | None = None,
    corrected: bool = False,
) -> tuple[Segment, ...]:
    """Write a labelmap as a DICOM SEG file (.dcm) that refers to its source series; return the segments in it.

    `labelmap`: whole numbers, on the voxels of the series up to the order and direction of its axes. `source_files`:
    the files of one series, in any order, of one frame each, or one file of several frames. Segments without a voxel
    are left out, and so are slices without a segment. `corrected` marks the result as semi-automatic: a person has
    changed what the algorithm made. The file appears whole or not at all.
    Raises InputError for a labelmap without segments or with unknown values and for source files that lack what a
    DICOM SEG has to repeat, GeometryError for a labelmap on another grid, OutputError when the file cannot be written,
    MissingDependencyError without pydicom or highdicom.
    """
    check_dicom_seg_path(path)
    with OutputSet([path], inputs=source_files) as files:
        series = read_frames(source_files)
        present = _present_segments(labelmap, segments)
        seg = _segmentation(
            _numbered(labels_on_frames(labelmap, series), present),
            series,
            present,
            algorithm=(_text(algorithm_name), _text(algorithm_version)),
            series_description=_text(series_description or f"{algorithm_name} segmentation"),
            corrected=corrected,
        )
        files.write(path, partial(seg.save_as, enforce_file_format=True))
        files.commit()
    return tuple(present)


def check_dicom_seg_path(path: Path) -> None:
    """Raise OutputError unless the file's extension is the one of DICOM files."""
    if path.suffix.lower() != ".dcm":
        raise OutputError(f"{path}: a DICOM SEG is a DICOM file; use the extension .dcm.")


def _present_segments(labelmap: sitk.Image, segments: Sequence[Segment]) -> list[Segment]:
    values = set(np.unique(sitk.GetArrayViewFromImage(labelmap)).tolist()) - {0}
    if unknown := values - {segment.value for segment in segments}:
        raise InputError(f"The segmentation has values {sorted(unknown)} that are no segments; choose the right model.")
    if not values:
        raise InputError("The segmentation is empty: there is nothing to write as DICOM SEG; leave it out.")
    return [segment for segment in segments if segment.value in values]


def _numbered(labels: np.ndarray, segments: Sequence[Segment]) -> np.ndarray:
    """Return labels (uint8 or uint16) with the segments' numbers, which are 1, 2, 3 in DICOM, for their values."""
    lookup = np.zeros(int(labels.max()) + 1, np.uint16)
    for number, segment in enumerate(segments, start=1):
        lookup[segment.value] = number
    return lookup[labels]


def _segmentation(
    labels: np.ndarray,
    series: SeriesFrames,
    segments: Sequence[Segment],
    *,
    algorithm: tuple[str, str],
    series_description: str,
    corrected: bool,
) -> Any:
    """Return a pydicom dataset of labels (frame, row, column) on the frames of a series."""
    try:
        import highdicom
        from pydicom.sr.codedict import codes
    except ImportError as error:
        raise MissingDependencyError(
            f"A DICOM SEG needs highdicom ({error}): run `pip install lightseg[dicom]`; 3D Slicer 5.12 has it."
        ) from error

    name, version = algorithm
    identification = highdicom.AlgorithmIdentificationSequence(
        name=name, family=codes.DCM.ArtificialIntelligence, version=version, source=MANUFACTURER
    )
    descriptions = [
        _description(number, segment, identification, corrected=corrected)
        for number, segment in enumerate(segments, start=1)
    ]
    try:
        dataset = highdicom.seg.Segmentation(
            source_images=series.headers,
            pixel_array=labels,
            segmentation_type=SEGMENTATION_TYPE,
            segment_descriptions=descriptions,
            series_instance_uid=highdicom.UID(),
            series_number=int(series.headers[0].get("SeriesNumber") or 0) + SERIES_NUMBER_STEP,
            series_description=series_description,
            sop_instance_uid=highdicom.UID(),
            instance_number=1,
            manufacturer=MANUFACTURER,
            manufacturer_model_name=MANUFACTURER,
            software_versions=LightSegLib.__version__,
            device_serial_number=SERIAL_NUMBER,
            content_label=CONTENT_LABEL,
            content_description=_text(f"{name} {version}, for research only"),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # what else a header may lack, or hold against the standard
        problem = " ".join(str(error).split())
        raise InputError(
            f"No DICOM SEG can be made of the DICOM series {series.name}, correct its headers: {problem}"
        ) from error
    # names of patients and segments in any script, whatever the source is written in
    dataset.SpecificCharacterSet = UTF_8
    return dataset


def _description(number: int, segment: Segment, algorithm: Any, *, corrected: bool) -> Any:
    from highdicom.color import CIELabColor
    from highdicom.seg import SegmentDescription

    terminology = segment.terminology
    region = terminology.anatomic_region
    description = SegmentDescription(
        segment_number=number,
        segment_label=_text(segment.name),
        segmented_property_category=_code(terminology.category),
        segmented_property_type=_code(terminology.type),
        algorithm_type="SEMIAUTOMATIC" if corrected else "AUTOMATIC",
        algorithm_identification=algorithm,
        anatomic_regions=None if region is None else [_code(region)],
        display_color=CIELabColor.from_rgb(*segment.color),
    )
    if terminology.modifier is not None:
        type_item = description.SegmentedPropertyTypeCodeSequence[0]
        type_item.SegmentedPropertyTypeModifierCodeSequence = [_code(terminology.modifier)]
    return description


def _code(code: Code) -> Any:
    from highdicom.sr import CodedConcept

    return CodedConcept(code.value, code.scheme, code.meaning)


def _text(text: str) -> str:
    return text[:LONGEST_TEXT]
