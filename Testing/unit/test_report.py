"""The report: its choice of slices, its pictures, its page."""

import base64
import io
import re
from html.parser import HTMLParser

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from LightSegLib.report import render_report
from LightSegLib.report_pictures import REFERENCE_COLOR, SEGMENTATION_COLOR, Picture, draw_pictures
from LightSegLib.report_slices import choose_slices
from LightSegLib.segmenter import Segmenter

from .ct_toys import make_ct
from .pipeline_toys import all_orientations, install_toys, make_head, make_lesions


def open_picture(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2])))


def contour_center(picture: Picture) -> tuple[float, float]:
    """The contours' center as fractions of width and height."""
    alpha = np.asarray(open_picture(picture.contour_uri).getchannel("A")) > 128
    rows, columns = np.nonzero(alpha)
    return float(columns.mean() / picture.width), float(rows.mean() / picture.height)


def stack(areas: list[int]) -> np.ndarray:
    masks = np.zeros((len(areas), 10, 10), bool)
    for mask, area in zip(masks, areas, strict=True):
        mask.ravel()[:area] = True
    return masks


def test_slices_with_the_largest_areas_are_chosen_and_spread() -> None:
    areas = [0, 1, 5, 1, 0, 0, 1, 9, 1, 0, 0, 3, 8, 3, 0]
    assert choose_slices(stack(areas), None, tissue=stack([100] * 15), count=3) == [2, 7, 12]


def test_the_largest_disagreement_is_shown() -> None:
    segmented, expected = stack([0, 50, 50, 0, 3, 0]), stack([0, 50, 50, 0, 0, 0])
    assert 4 in choose_slices(segmented | expected, segmented ^ expected, tissue=stack([100] * 6), count=2)


def test_chosen_slices_keep_their_distance() -> None:
    chosen = choose_slices(stack([9, 10, 11, 10, 9, 8, 7, 6]), None, tissue=stack([100] * 8), count=4, gap=3)
    assert min(np.diff(chosen)) >= 3


def test_without_lesions_the_slices_spread_over_the_tissue() -> None:
    tissue = stack([0] * 10 + [100] * 20 + [0] * 10)
    chosen = choose_slices(stack([0] * 40), None, tissue=tissue, count=4)
    assert len(chosen) == 4
    assert chosen[0] >= 10 and chosen[-1] < 30


@pytest.mark.parametrize(("thick", "plane"), [(0, "Sagittal"), (1, "Coronal"), (2, "Axial")])
def test_the_acquired_plane_is_shown_with_square_pixels(thick: int, plane: str) -> None:
    spacing = [1.5, 1.5, 1.5]
    size = [64, 80, 64]
    spacing[thick], size[thick] = 6.0, size[thick] // 4
    shape: dict[str, tuple] = {"size": tuple(size), "spacing": tuple(spacing)}
    picture = draw_pictures(make_head(**shape), make_lesions(**shape))[0]
    assert picture.title.startswith(plane)
    gray = np.asarray(open_picture(picture.image_uri).convert("L")) > 60
    rows, columns = np.flatnonzero(gray.any(axis=1)), np.flatnonzero(gray.any(axis=0))
    # Not the whole brain is in every slice, but its outline stays an ellipse of the toy's proportions.
    radii = {"Sagittal": (32, 40), "Coronal": (32, 30), "Axial": (40, 30)}[plane]
    assert picture.width > 300 and abs(len(rows) / len(columns) - radii[0] / radii[1]) < 0.15


def test_the_view_is_radiological_in_every_orientation() -> None:
    head, lesions = (
        make_head(size=(52, 60, 24), spacing=(1.5, 1.5, 3.0)),
        make_lesions(size=(52, 60, 24), spacing=(1.5, 1.5, 3.0)),
    )
    for flair, mask in list(zip(all_orientations(head), all_orientations(lesions), strict=True))[::11]:
        highest = draw_pictures(flair, mask)[-1]
        # The upper lesion is at the patient's left (x = +13 mm) and anterior (y = -12 mm).
        x, y = contour_center(highest)
        assert x > 0.55 and y < 0.45


def test_segmentation_and_reference_have_their_colors() -> None:
    reference = sitk.Flip(make_lesions(), (True, False, False))
    reference.CopyInformation(make_lesions())
    colors = set()
    for picture in draw_pictures(make_head(), make_lesions(), reference):
        pixels = np.asarray(open_picture(picture.contour_uri)).reshape(-1, 4)
        colors |= {tuple(int(part) for part in pixel[:3]) for pixel in pixels[pixels[:, 3] == 255]}
    assert {SEGMENTATION_COLOR, REFERENCE_COLOR} <= colors


class PageCheck(HTMLParser):
    """Collects what a page refers to, and checks that its tags are balanced."""

    VOID = frozenset({"meta", "img", "br", "link"})

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.references += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_the_page_is_complete_and_refers_to_no_other_file(monkeypatch: pytest.MonkeyPatch) -> None:
    install_toys(monkeypatch)
    page = render_report(Segmenter("toy").segment({"FLAIR": make_head()}, reference=make_lesions()))
    check = PageCheck()
    check.feed(page)
    assert check.open == []
    assert check.references and all(reference.startswith("data:image/png;base64,") for reference in check.references)
    assert not re.search(r"url\(|@import|http", page)
    for wanted in ("WMH", " ml", "Dice", "HD95 (mm)", "toy-brain 0.0.1", "Not a medical device", "sha256", "total"):
        assert wanted in check.text
    assert len(page) < 3_000_000


def test_names_are_escaped(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    install_toys(monkeypatch)
    path = tmp_path / "<script>&.mha"
    sitk.WriteImage(make_head(), str(path))
    page = render_report(Segmenter("toy").segment({"FLAIR": path}))
    assert "<script>" not in page and "&lt;script&gt;&amp;.mha" in page


def test_a_window_is_what_is_shown_black_and_white() -> None:
    image, mask = make_ct()
    (picture, *_) = draw_pictures(image, mask, window=(-160.0, 240.0))
    shown = np.asarray(open_picture(picture.image_uri).convert("L"))
    # the toy's liver of 110 HU, its fat of -60 HU and air around it
    levels, counts = np.unique(np.round(shown / 16), return_counts=True)
    common = set(levels[counts > 0.03 * shown.size])
    assert {0, round(255 * 0.25 / 16), round(255 * 0.675 / 16)} <= common
