"""Where a labelmap has its largest connected part."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.measures.location import largest_finding_mm

SPACING = (0.5, 1.0, 3.0)
ORIGIN = (-20.0, 7.0, 100.0)


def labelmap(array: np.ndarray) -> sitk.Image:
    image = sitk.GetImageFromArray(array.astype(np.uint8))
    image.SetSpacing(SPACING)
    image.SetOrigin(ORIGIN)
    return image


def test_nothing_is_found_in_an_empty_labelmap() -> None:
    assert largest_finding_mm(labelmap(np.zeros((4, 5, 6)))) is None


def test_the_point_is_the_middle_of_the_largest_part_in_its_largest_slice() -> None:
    array = np.zeros((10, 20, 30))
    array[1, 1:3, 1:3] = 1
    array[5, 10:15, 20:25] = 1
    array[6, 12, 22] = 2  # another label of the same part
    expected = tuple(o + i * s for o, i, s in zip(ORIGIN, (22, 12, 5), SPACING, strict=True))
    assert largest_finding_mm(labelmap(array)) == pytest.approx(expected)


def test_the_point_is_within_a_part_that_bends_around_its_center() -> None:
    array = np.zeros((3, 21, 21))
    y, x = np.mgrid[:21, :21] - 10
    array[1] = (np.hypot(x, y) < 9) & (np.hypot(x, y) > 6)
    image = labelmap(array)
    point = largest_finding_mm(image)
    assert point is not None and image[image.TransformPhysicalPointToIndex(point)] == 1


def test_parts_that_share_a_corner_are_one() -> None:
    array = np.zeros((6, 6, 6))
    array[0, :2, :2] = 1  # 4 voxels
    array[2, 2, 2] = array[3, 3, 3] = array[4, 4, 4] = array[5, 5, 5] = array[5, 5, 4] = 1
    point = largest_finding_mm(labelmap(array))
    assert point is not None and point[2] > ORIGIN[2]
