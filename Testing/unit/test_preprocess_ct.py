"""CT slices: window, canvas, neighbors, and the way back to the grid of the input."""

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import BundleError
from LightSegLib.preprocess import build_preprocessor
from LightSegLib.preprocess.ct import CTSlices, scale_ct, stack_ct_neighbors

from .ct_toys import BETWEEN, make_ct

SLICES = CTSlices(channel="CT", spacing_mm=2.0, canvas=(96, 112), neighbor_mm=4.0)


def test_the_window_becomes_minus_2_to_2() -> None:
    values = scale_ct(np.array([-3000.0, -160.0, 40.0, 240.0, 3000.0]))
    assert values.dtype == np.float32 and values.tolist() == [-2, -2, 0, 2, 2]


def test_neighbors_lie_a_step_below_and_above_and_the_last_slice_repeats() -> None:
    volume = np.arange(6, dtype=np.float32)[:, None, None] * np.ones((1, 2, 3), np.float32)
    assert stack_ct_neighbors(volume, 3, 2)[:, 0, 0].tolist() == [1, 3, 5]
    assert stack_ct_neighbors(volume, 0, 2)[:, 0, 0].tolist() == [0, 0, 2]
    assert stack_ct_neighbors(volume, 5, 2)[:, 0, 0].tolist() == [3, 5, 5]


def test_slices_cover_the_scan_isotropically() -> None:
    image, _ = make_ct()
    prepared = SLICES.prepare({"CT": image})
    assert prepared.array.shape == (160, 3, 96, 112) and prepared.array.dtype == np.float32
    assert prepared.grid.GetSpacing() == (2.0, 2.0, 2.0)
    step = SLICES.neighbor_step
    assert np.array_equal(prepared.array[10, 0], prepared.array[10 - step, 1])
    assert np.array_equal(prepared.array[10, 2], prepared.array[10 + step, 1])


def test_the_ends_repeat_the_last_slices_instead_of_showing_air() -> None:
    image = sitk.Image((40, 30, 6), sitk.sitkFloat32) + 50
    image.SetSpacing((3.0, 3.0, 5.0))
    volume, _ = SLICES.volume(image)
    assert len(volume) == 15
    assert np.allclose(volume[:, 48, 56], 0.1, atol=1e-5)


def test_beyond_the_sides_there_is_air() -> None:
    image = sitk.Image((20, 20, 10), sitk.sitkFloat32) + 50
    volume, _ = SLICES.volume(image)
    assert volume[2, 0, 0] == -2 and volume[2, 48, 56] == pytest.approx(0.1)


def test_a_scan_larger_than_the_canvas_is_sampled_more_coarsely_not_cut() -> None:
    image = sitk.Image((200, 100, 10), sitk.sitkInt16)
    image.SetSpacing((2.0, 2.0, 2.0))
    _, grid = SLICES.volume(image)
    assert grid.GetSpacing()[0] == pytest.approx(400 / 112) and grid.GetSpacing()[2] == 2.0
    assert grid.GetSpacing()[0] * 112 >= 400


def test_maps_come_back_where_they_were() -> None:
    image, mask = make_ct()
    turn = sitk.VersorTransform((0.1, 0.2, 1.0), 0.1)
    for one in (image, mask):
        one.SetDirection(turn.GetMatrix())
    prepared = SLICES.prepare({"CT": image})
    (restored,) = prepared.restore((prepared.array[:, 1:2] > BETWEEN).astype(np.float32))
    assert restored.GetSize() == image.GetSize() and restored.GetOrigin() == image.GetOrigin()
    found, truth = (sitk.GetArrayViewFromImage(one) > 0.5 for one in (restored, mask))
    assert 2 * (found & truth).sum() / (found.sum() + truth.sum()) > 0.97
    (coarse,) = prepared.maps(np.ones((160, 1, 96, 112)))
    assert coarse.GetSpacing() == (2.0, 2.0, 2.0) and coarse.GetDirection() == pytest.approx(image.GetDirection())


def test_a_section_that_lacks_something_is_refused() -> None:
    with pytest.raises(BundleError, match="incomplete or malformed"):
        build_preprocessor({"kind": "ct_slices", "spacing_mm": 2.0, "canvas": [96, 112]}, ["CT"])
    with pytest.raises(BundleError, match="incomplete or malformed"):
        build_preprocessor({"kind": "ct_slices", "spacing_mm": 2.0, "canvas": [9, 9], "neighbor_mm": 4}, ["CT", "MR"])
