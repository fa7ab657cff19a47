"""Writing of volumes, labelmaps and reports: a file appears whole under its name, or not at all."""

import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import SimpleITK as sitk

from LightSegLib.errors import InputError, OutputError
from LightSegLib.integrity import check_complete
from LightSegLib.seg_nrrd import segmentation_metadata
from LightSegLib.segments import Segment

__all__ = ["check_writable", "output_format", "write_labelmap", "write_volume"]

OUTPUT_FORMATS = ("nii.gz", "seg.nrrd", "nrrd", "mha")
"""Longer endings first, as .seg.nrrd is .nrrd too."""
FULL_DISK_BYTES = 1 << 16
COMPRESSION_LEVEL = 2
"""In NRRD and MHA files half the time of the usual level for a tenth more bytes; NIfTI writing has no such setting."""


def output_format(path: str | Path) -> str:
    """Return the format that a file name ends in, in any case: "nii.gz", "seg.nrrd", "nrrd" or "mha".

    Raises OutputError for any other ending.
    """
    for ending in OUTPUT_FORMATS:
        if Path(path).name.lower().endswith(f".{ending}"):
            return ending
    raise OutputError(f"{path} has an unknown image format; let its name end in one of .{', .'.join(OUTPUT_FORMATS)}.")


def check_writable(path: str | Path) -> None:
    """Check, before any work is done, that a file of any kind can be created or replaced at `path`.

    Raises OutputError when its folder does not exist or cannot be written to, when the path is a folder, or when the
    file there is write-protected. Nothing stays behind.
    """
    path = Path(path)
    folder = path.parent
    if path.is_dir():
        raise OutputError(f"{path} is a folder; give the name of a file.")
    if not folder.is_dir():
        raise OutputError(f"{path} cannot be written, as the folder {folder} does not exist; create it first.")
    if path.exists() and not os.access(path, os.W_OK):
        raise OutputError(f"{path} is write-protected; choose another name or change its permissions.")
    probe = _temporary_name(path)
    try:
        probe.touch(exist_ok=False)
        probe.unlink()
    except OSError as error:
        raise OutputError(f"{path} cannot be written ({error.strerror}); choose another folder.") from None


def write_volume(image: sitk.Image, path: str | Path) -> None:
    """Write a 3D scalar image, compressed, in the format that the name ends in.

    Metadata of the image other than its geometry, such as a patient's name from DICOM, is not written.
    Raises OutputError when the format is unknown or the file cannot be written; then an older file stays as it was.
    """
    _write(image, Path(path), metadata={})


def write_labelmap(labelmap: sitk.Image, path: str | Path, *, segments: Sequence[Segment] = ()) -> None:
    """Write a 3D uint8 or uint16 labelmap, compressed, in the format that the name ends in.

    `.seg.nrrd` files also carry the segments' names, colors and terminology, which 3D Slicer shows; the other formats
    have no place for them. Raises OutputError like `write_volume`, ValueError for another pixel type and for
    segments that do not fit the labelmap.
    """
    if labelmap.GetPixelID() not in (sitk.sitkUInt8, sitk.sitkUInt16):
        raise ValueError(f"a labelmap must be uint8 or uint16, got {labelmap.GetPixelIDTypeAsString()}")
    is_segmentation = output_format(path) == "seg.nrrd"
    _write(labelmap, Path(path), metadata=segmentation_metadata(labelmap, segments) if is_segmentation else {})


@contextmanager
def _replacing(path: str | Path) -> Iterator[Path]:
    """Give a temporary name in the folder of `path` to write to; it becomes `path` only when the block succeeds.

    When the block raises, the temporary file is deleted and an older file at `path` stays as it was.
    Raises OutputError where the block raises OSError.
    """
    path = Path(path)
    check_writable(path)
    temporary = _temporary_name(path)
    try:
        yield temporary
        # Some file systems report a full disk only now.
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise _write_error(path, error.strerror or str(error)) from None
    finally:
        temporary.unlink(missing_ok=True)


def _write(image: sitk.Image, path: Path, *, metadata: Mapping[str, str]) -> None:
    output_format(path)
    image = sitk.Image(image)
    # Without this, SimpleITK erases the metadata of the caller's image too.
    image.MakeUnique()
    for key in image.GetMetaDataKeys():
        image.EraseMetaData(key)
    for key, value in metadata.items():
        image.SetMetaData(key, value)
    image_bytes = math.prod(image.GetSize()) * image.GetSizeOfPixelComponent()
    with _replacing(path) as temporary:
        try:
            sitk.WriteImage(image, str(temporary), useCompression=True, compressionLevel=COMPRESSION_LEVEL)
            check_complete(temporary, image_bytes=image_bytes)
        except (RuntimeError, InputError):
            raise _write_error(path, "the file is not complete after writing") from None


def _write_error(path: Path, reason: str) -> OutputError:
    if shutil.disk_usage(path.parent).free < FULL_DISK_BYTES:
        reason = "the disk is full"
    return OutputError(f"{path} could not be written ({reason}); free some space or choose another folder.")


def _temporary_name(path: Path) -> Path:
    """Return an unused name in the same folder with the same ending: only there is renaming a single step."""
    return path.with_name(f".lightseg-{uuid4().hex[:8]}-{path.name}")
