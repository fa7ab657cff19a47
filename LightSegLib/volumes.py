"""Reading of volumes and labelmaps, with the checks that every input has to pass.

The functions on grids live in `geometry` and are offered here too.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.dicom_series import read_series
from LightSegLib.errors import GeometryError, InputError
from LightSegLib.geometry import overlap_fraction, resample_onto, same_grid, to_grid_of, to_lps
from LightSegLib.integrity import check_complete
from LightSegLib.nifti_floats import NonFiniteCounter

__all__ = [
    "check_volume",
    "normalize_labelmap",
    "overlap_fraction",
    "read_labelmap",
    "read_volume",
    "resample_onto",
    "same_grid",
    "to_grid_of",
    "to_lps",
]

ORTHONORMAL_TOLERANCE = 1e-3
"""Largest accepted deviation of the axes' dot products: a shear of 0.06 degrees, 0.25 voxels over 256."""
MAX_VOXELS = 2**30
"""About 1000 x 1000 x 1000; a header that claims more is an error or an attack on memory."""
LARGE_BYTES = 2**28
MAX_COMPRESSION = 200
"""Images of more than LARGE_BYTES that shrink further than this have no content worth reading."""


def read_volume(path: str | Path) -> sitk.Image:
    """Read a 3D scalar image from a NIfTI, NRRD or MHA file or a folder with one DICOM series.

    Keeps the file's pixel type, orientation and geometry (spacing in mm, origin and direction in LPS).
    Raises InputError when there is no such file or series, it is no image, is damaged, has colors or several time
    points, or its voxels are no usable picture (NaN, infinity, all equal); GeometryError when its grid is unusable.
    """
    path = Path(path)
    image = _read_series(path) if path.is_dir() else _read_file(path, max_compression=MAX_COMPRESSION)
    check_volume(image, name=str(path))
    return image


def read_labelmap(path: str | Path) -> sitk.Image:
    """Read a 3D labelmap: uint8, or uint16 where it has values above 255. It may be empty or a single slice.

    Raises InputError and GeometryError like `read_volume`, and InputError for values that are not whole numbers in
    0..65535 and for segmentations whose segments overlap (several layers).
    """
    path = Path(path)
    image = _read_series(path) if path.is_dir() else _read_file(path, max_compression=math.inf)
    return normalize_labelmap(image, name=str(path))


def normalize_labelmap(image: sitk.Image, *, name: str) -> sitk.Image:
    """Return a labelmap in memory as uint8, or uint16 where it has values above 255; `name` is for the message.

    Raises InputError and GeometryError like `read_labelmap`.
    """
    _check_kind(image.GetSize(), image.GetNumberOfComponentsPerPixel(), image.GetPixelID(), name=name, slices=1)
    _check_grid(image, name=name)
    array = sitk.GetArrayViewFromImage(image)
    lowest, highest = array.min(), array.max()
    if not (lowest >= 0 and highest <= 65535) or (array.dtype.kind == "f" and np.any(array != np.rint(array))):
        raise InputError(
            f"{name} is not a labelmap: its values ({lowest:g} to {highest:g}) are not all whole numbers from 0 to "
            "65535; give the mask, not the image or a probability map."
        )
    return sitk.Cast(image, sitk.sitkUInt8 if highest <= 255 else sitk.sitkUInt16)


def check_volume(image: sitk.Image, *, name: str) -> None:
    """Check that an image in memory can be segmented; `name` is what it is called in the message.

    Raises InputError when it is not a 3D scalar image with at least two voxels along each axis, or holds NaN,
    infinity or one value only; GeometryError when its axes are not perpendicular.
    """
    _check_kind(image.GetSize(), image.GetNumberOfComponentsPerPixel(), image.GetPixelID(), name=name, slices=2)
    _check_grid(image, name=name)
    array = sitk.GetArrayViewFromImage(image)
    lowest, highest = array.min(), array.max()
    if not (math.isfinite(lowest) and math.isfinite(highest)):
        bad = array.size - int(np.count_nonzero(np.isfinite(array)))
        raise _non_finite_error(name, bad, array.size)
    if lowest == highest:
        raise InputError(f"{name} is empty: all of its voxels have the value {lowest:g}; give an image with content.")


def _read_file(path: Path, *, max_compression: float) -> sitk.Image:
    if not path.exists():
        raise InputError(f"{path} does not exist; check the path.")
    if not path.is_file():
        raise InputError(f"{path} is not a regular file; give a NIfTI, NRRD or MHA file or a DICOM folder.")
    reader = sitk.ImageFileReader()
    reader.SetFileName(str(path))
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"{path} is an empty file; copy or export it again.")
        with _quiet_itk():
            reader.ReadImageInformation()
            _check_header(reader, path, max_compression)
            # Trailing axes of length 1, such as a single time point, are dropped.
            reader.SetExtractSize([size if axis < 3 else 0 for axis, size in enumerate(reader.GetSize())])
            return reader.Execute()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); check its permissions.") from None
    except RuntimeError as error:
        raise _read_error(path, error) from None


def _check_header(reader: sitk.ImageFileReader, path: Path, max_compression: float) -> None:
    """Refuse, before memory is taken for it, what is no 3D scalar image, too large, or not whole."""
    size, pixel_type = reader.GetSize(), reader.GetPixelID()
    # Images of too few slices pass here: for labelmaps they are fine, for volumes `check_volume` refuses them.
    _check_kind(size, reader.GetNumberOfComponents(), pixel_type, name=str(path), slices=1)
    voxels = math.prod(size)
    image_bytes = voxels * sitk.Image([1, 1, 1], pixel_type).GetSizeOfPixelComponent()
    if voxels > MAX_VOXELS:
        raise InputError(
            f"{path} claims to hold {voxels / 1e9:.1f} billion voxels ({' x '.join(map(str, size))}); "
            "crop or resample it to at most 1 billion."
        )
    if image_bytes > LARGE_BYTES and image_bytes > max_compression * path.stat().st_size:
        raise InputError(
            f"{path} would grow more than {max_compression:g}-fold to {image_bytes / 2**20:.0f} MiB when read, so it "
            "is empty or not what it seems; export the image again."
        )
    non_finite = NonFiniteCounter()
    check_complete(path, image_bytes=image_bytes, inspect=non_finite)
    if non_finite.count:
        raise _non_finite_error(str(path), non_finite.count, voxels)


def _read_series(folder: Path) -> sitk.Image:
    try:
        with _quiet_itk():
            return read_series(folder)
    except RuntimeError as error:
        raise _read_error(folder, error) from None


def _read_error(path: Path, error: RuntimeError) -> InputError:
    if "orthonormal" in str(error):
        return _shear_error(str(path))
    return InputError(
        f"{path} is not an image that can be read; give a complete NIfTI, NRRD or MHA file or a folder with one DICOM "
        "series."
    )


def _non_finite_error(name: str, bad: int, voxels: int) -> InputError:
    return InputError(
        f"{name} holds NaN or infinity in {bad} of {voxels} voxels; replace these by the background's value."
    )


def _shear_error(name: str) -> GeometryError:
    return GeometryError(
        f"{name} has axes that are not perpendicular (a sheared or tilted grid); resample it to a regular grid, "
        "for example in 3D Slicer with Resample Image (BRAINS), and save it as a NRRD file."
    )


def _check_kind(size: Sequence[int], components: int, pixel_type: int, *, name: str, slices: int) -> None:
    """Check that this is a 3D scalar image with at least `slices` voxels along each axis."""
    shape = " x ".join(map(str, size))
    if components != 1 or pixel_type in (sitk.sitkComplexFloat32, sitk.sitkComplexFloat64):
        raise InputError(
            f"{name} has {components} components per voxel (colors, vectors, overlapping segments or complex numbers); "
            "give an image with one value per voxel."
        )
    if any(length == 0 for length in size):
        raise InputError(f"{name} has no voxels ({shape}); export the image again.")
    if math.prod(size[3:]) > 1:
        raise InputError(
            f"{name} has {len(size)} dimensions ({shape}); extract one 3D volume from it, for example its first time "
            "point."
        )
    if len(size) < 3 or min(size[:3]) < slices:
        raise InputError(
            f"{name} is a single slice ({shape}); give a whole volume, and for DICOM the folder that holds all slices."
        )


def _check_grid(image: sitk.Image, *, name: str) -> None:
    direction = np.array(image.GetDirection()).reshape(3, 3)
    if not np.isfinite([*image.GetOrigin(), *image.GetSpacing(), *image.GetDirection()]).all():
        raise GeometryError(f"{name} has a header with NaN or infinity in its geometry; export the image again.")
    if np.abs(direction.T @ direction - np.eye(3)).max() > ORTHONORMAL_TOLERANCE:
        raise _shear_error(name)


@contextmanager
def _quiet_itk() -> Iterator[None]:
    """Keep ITK's own warnings off the terminal: what matters in them becomes an error with a remedy."""
    shown = sitk.ProcessObject.GetGlobalWarningDisplay()
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    try:
        yield
    finally:
        sitk.ProcessObject.SetGlobalWarningDisplay(shown)
