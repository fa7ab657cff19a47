"""Pictures of the most telling slices: the image, and its contours on a transparent layer above it."""

import base64
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from LightSegLib.geometry import to_lps
from LightSegLib.report_slices import PICTURE_COUNT, choose_slices

__all__ = ["REFERENCE_COLOR", "SEGMENTATION_COLOR", "Picture", "draw_pictures"]

Color = tuple[int, int, int]
"""Red, green and blue in 0..255."""
SEGMENTATION_COLOR = (255, 92, 60)
REFERENCE_COLOR = (64, 208, 255)
"""Orange-red and cyan stay apart on gray for every common color blindness."""

MIN_GAP_MM = 4.0
"""Closer slices would show the same lesions twice."""
PICTURE_WIDTH = 560
"""Pixels; twice what the page shows, so that it is sharp on dense screens and on paper."""
LONGEST_RATIO = 1.5
MARGIN_MM = 8.0
THICK_SLICE_RATIO = 1.5
"""From this ratio of spacings on, the plane across the thickest axis is the one that was acquired."""
SMOOTHING = 3
"""Contours are drawn at so many times the picture's resolution, then averaged: smooth edges."""

# Per slicing axis (x, y, z in LPS): plane, marks at the left, right, top and bottom edge. The patient's right is on
# the viewer's left; rows are flipped where the row axis is superior, so that up is up.
PLANES = {
    0: ("Sagittal", "APSI", True),
    1: ("Coronal", "RLSI", True),
    2: ("Axial", "RLAP", False),
}


@dataclass(frozen=True)
class Picture:
    """One slice as two data URIs of PNG images of equal size (pixels), the image and its contours."""

    image_uri: str
    contour_uri: str
    width: int
    height: int
    title: str
    caption: str


def draw_pictures(
    image: sitk.Image,
    labelmap: sitk.Image,
    reference: sitk.Image | None = None,
    *,
    colors: Mapping[int, Color] | None = None,
    window: tuple[float, float] | None = None,
    count: int = PICTURE_COUNT,
) -> list[Picture]:
    """Draw up to `count` slices, ordered by position; all 3D images share one grid, of any orientation.

    `colors` of the labels; by default all labels are one, in SEGMENTATION_COLOR. The reference is drawn in
    REFERENCE_COLOR, around each of these labels, below the segmentation. `window` is what is shown black and white, by
    default what suits the image.
    Slices are cut in the plane that was acquired (axial if voxels are about isotropic), shown with square pixels,
    cropped to head or body, and marked with the patient's sides.
    """
    oriented = to_lps(image)
    spacing = oriented.GetSpacing()
    axis = _slicing_axis(spacing)
    volume = _slices_first(oriented, axis)
    segmented = _slices_first(to_lps(labelmap), axis)
    expected = None if reference is None else _slices_first(to_lps(reference), axis)
    differing = None if expected is None else (segmented != expected)
    in_plane = [spacing[other] for other in (2, 1, 0) if other != axis]
    rows, columns = _crop(volume > (_otsu(volume) if window is None else window[0]), in_plane)
    low, high = _window(volume[:, rows, columns]) if window is None else window
    gap = math.ceil(MIN_GAP_MM / spacing[axis])
    pictures = []
    labeled = segmented > 0 if expected is None else (segmented > 0) | (expected > 0)
    for index in choose_slices(labeled, differing, tissue=volume > low, count=count, gap=gap):
        labels = [one[index, rows, columns] for one in (segmented, expected) if one is not None]
        masks = [(mask, REFERENCE_COLOR) for one in labels[1:] for mask, _ in _masks(one, colors)]
        masks += _masks(labels[0], colors)
        center = [(size - 1) / 2 for size in oriented.GetSize()]
        center[axis] = float(index)
        position_mm = oriented.TransformContinuousIndexToPhysicalPoint(center)[axis]
        scaled = np.clip((volume[index, rows, columns] - low) / (high - low), 0, 1)
        pictures.append(
            _draw(
                scaled,
                masks,
                in_plane_mm=in_plane,
                axis=axis,
                title=f"{PLANES[axis][0]} {index + 1} of {len(volume)}",
                caption=_caption(labels, position_mm, "LPS"[axis], in_plane),
            )
        )
    return pictures


def _masks(labels: np.ndarray, colors: Mapping[int, Color] | None) -> list[tuple[np.ndarray, Color]]:
    if colors is None:
        return [(labels > 0, SEGMENTATION_COLOR)]
    return [(labels == value, color) for value, color in colors.items()]


def _slicing_axis(spacing: Sequence[float]) -> int:
    thickest = int(np.argmax(spacing))
    others = [value for axis, value in enumerate(spacing) if axis != thickest]
    return thickest if spacing[thickest] >= THICK_SLICE_RATIO * max(others) else 2


def _slices_first(image: sitk.Image, axis: int) -> np.ndarray:
    # Not a view, which would outlive an image that nobody else holds.
    array = np.moveaxis(sitk.GetArrayFromImage(image), 2 - axis, 0)
    return array[:, ::-1] if PLANES[axis][2] else array


def _crop(head: np.ndarray, in_plane_mm: Sequence[float]) -> tuple[slice, slice]:
    """Return the rows and columns of the head or body, a bool array (slice, row, column), with a margin."""
    crop = []
    for axis, spacing in zip((1, 2), in_plane_mm, strict=True):
        share = head.sum(axis=tuple({0, 1, 2} - {axis}))
        # Single bright voxels (ghosts, noise in the air) must not widen the crop.
        filled = np.flatnonzero(share > 0.01 * share.max())
        margin = round(MARGIN_MM / spacing)
        first, last = (filled[0], filled[-1]) if len(filled) else (0, head.shape[axis] - 1)
        crop.append(slice(max(0, int(first) - margin), min(head.shape[axis], int(last) + margin + 1)))
    return crop[0], crop[1]


def _otsu(volume: np.ndarray) -> float:
    # A quarter of the voxels per axis is plenty for a histogram.
    sample = sitk.GetImageFromArray(np.ascontiguousarray(volume[:, ::2, ::2]).astype(np.float32))
    otsu = sitk.OtsuThresholdImageFilter()
    otsu.Execute(sample)
    # Half of it: a bright scalp or lesion pulls the threshold above gray matter.
    return 0.5 * (float(otsu.GetThreshold()) + float(volume.min()))


def _window(volume: np.ndarray) -> tuple[float, float]:
    """Return the intensities shown black and white."""
    # The scalp is brighter than any brain and lies at the rim: only the middle three fifths decide.
    middle = volume[tuple(slice(n // 5, n - n // 5) for n in volume.shape)]
    tissue = middle[middle > _otsu(volume)]
    if tissue.size == 0:
        return float(volume.min()), float(volume.max()) + 1.0
    background = float(np.percentile(volume[:, ::2, ::2], 1))
    high = float(np.percentile(tissue, 99.8))
    return background, max(high, background + 1e-6)


def _draw(
    scaled: np.ndarray,
    masks: Sequence[tuple[np.ndarray, Color]],
    *,
    in_plane_mm: Sequence[float],
    axis: int,
    title: str,
    caption: str,
) -> Picture:
    height_mm, width_mm = (n * mm for n, mm in zip(scaled.shape, in_plane_mm, strict=True))
    scale = min(PICTURE_WIDTH / width_mm, LONGEST_RATIO * PICTURE_WIDTH / height_mm)
    size = (max(1, round(width_mm * scale)), max(1, round(height_mm * scale)))
    gray = Image.fromarray((scaled * 255).astype(np.uint8)).resize(size, Image.Resampling.BICUBIC)
    layer = Image.new("RGBA", size)
    for mask, color in masks:
        layer.alpha_composite(_contour(mask, color, size))
    _mark_sides(gray, PLANES[axis][1])
    _draw_scale_bar(gray, pixels_per_mm=scale)
    return Picture(
        image_uri=_data_uri(gray),
        contour_uri=_data_uri(layer),
        width=size[0],
        height=size[1],
        title=title,
        caption=caption,
    )


def _contour(mask: np.ndarray, color: Color, size: tuple[int, int]) -> Image.Image:
    """Draw the outline of a mask where its linear interpolation crosses one half."""
    large = (size[0] * SMOOTHING, size[1] * SMOOTHING)
    filled = np.asarray(Image.fromarray(mask.astype(np.float32)).resize(large, Image.Resampling.BILINEAR)) > 0.5
    width = max(2, round(SMOOTHING * PICTURE_WIDTH / 200))
    outline = np.zeros_like(filled)
    for box in ndimage.find_objects(filled.astype(np.uint8)):
        outline[box] = filled[box] & (ndimage.distance_transform_edt(np.pad(filled[box], 1))[1:-1, 1:-1] <= width)
    alpha = Image.fromarray((outline * 255).astype(np.uint8)).resize(size, Image.Resampling.BOX)
    layer = Image.new("RGBA", size, (*color, 0))
    layer.putalpha(alpha)
    return layer


def _font(pixels: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size=pixels)


def _mark_sides(picture: Image.Image, marks: str) -> None:
    width, height = picture.size
    inset = 20
    places = [(inset, height / 2), (width - inset, height / 2), (width / 2, inset), (width / 2, height - inset)]
    for mark, place in zip(marks, places, strict=True):
        ImageDraw.Draw(picture).text(place, mark, fill=255, font=_font(24), anchor="mm", stroke_width=2, stroke_fill=0)


def _draw_scale_bar(picture: Image.Image, *, pixels_per_mm: float) -> None:
    """Draw a bar of 2 cm in the lower right corner."""
    width, height = picture.size
    length = 20 * pixels_per_mm
    draw = ImageDraw.Draw(picture)
    right, y = width - 18, height - 18
    draw.rectangle((right - length - 1, y - 1, right + 1, y + 4), fill=0)
    draw.rectangle((right - length, y, right, y + 3), fill=255)
    draw.text((right - length / 2, y - 5), "2 cm", fill=255, font=_font(18), anchor="mb", stroke_width=2, stroke_fill=0)


def _caption(
    labels: Sequence[np.ndarray],
    position_mm: float,
    letter: str,
    in_plane_mm: Sequence[float],
) -> str:
    # Clinicians read positions in RAS; the sign flips for left and posterior.
    shown = -position_mm if letter in "LP" else position_mm
    positive = {"L": "R", "P": "A", "S": "S"}[letter]
    voxel_cm2 = math.prod(in_plane_mm) / 100
    areas = [f"{np.count_nonzero(mask) * voxel_cm2:.2f} cm²" for mask in labels]
    return f"{positive} {shown:+.1f} mm · {areas[0]}" + (f" · reference {areas[1]}" if len(areas) > 1 else "")


def _data_uri(picture: Image.Image) -> str:
    stream = io.BytesIO()
    picture.save(stream, format="PNG")
    return "data:image/png;base64," + base64.b64encode(stream.getvalue()).decode("ascii")
