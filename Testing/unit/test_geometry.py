"""Orientation and its inverse, comparison of grids, resampling, overlap."""

from itertools import permutations, product

import numpy as np
import pytest
import SimpleITK as sitk
from scipy.spatial.transform import Rotation

from LightSegLib.errors import GeometryError
from LightSegLib.geometry import overlap_fraction, resample_onto, same_grid, to_grid_of, to_lps

AXIS_DIRECTIONS = [
    np.eye(3)[:, order] * signs for order in permutations(range(3)) for signs in product((1, -1), repeat=3)
]
"""The 48 ways in which the axes of a volume can lie along those of the patient."""
ROTATIONS = {
    "straight": np.eye(3),
    "oblique": Rotation.from_euler("zyx", [11, -17, 23], degrees=True).as_matrix(),
    "at-45-degrees": Rotation.from_euler("z", 45, degrees=True).as_matrix(),
    "between-all-axes": Rotation.from_rotvec(np.full(3, np.pi / 3 / np.sqrt(3))).as_matrix(),
}


@pytest.fixture(params=ROTATIONS, scope="module")
def rotation(request: pytest.FixtureRequest) -> np.ndarray:
    return ROTATIONS[request.param]


def volume(direction: np.ndarray, *, pixel_type: type = np.int16) -> sitk.Image:
    """A volume of distinct voxels, different sizes and spacings along each axis."""
    image = sitk.GetImageFromArray(np.arange(4 * 5 * 6, dtype=pixel_type).reshape(4, 5, 6))
    image.SetSpacing((0.9, 1.1 / 3, 6.4))
    image.SetOrigin((-31.7, 12.3, 1 / 7))
    image.SetDirection(direction.ravel().tolist())
    return image


def positions_by_value(image: sitk.Image) -> np.ndarray:
    """Where in the patient each value lies: row n is the position of the voxel with value n."""
    array = sitk.GetArrayFromImage(image)
    positions = np.empty((array.size, 3))
    for z, y, x in np.ndindex(array.shape):
        positions[array[z, y, x]] = image.TransformIndexToPhysicalPoint((x, y, z))
    return positions


def geometry_of(image: sitk.Image) -> tuple:
    return image.GetSize(), image.GetOrigin(), image.GetSpacing(), image.GetDirection()


@pytest.mark.parametrize("axes", AXIS_DIRECTIONS)
def test_every_orientation_comes_back_bit_for_bit(axes, rotation):
    image = volume(rotation @ axes)
    restored = to_grid_of(to_lps(image), image)
    assert geometry_of(restored) == geometry_of(image)
    assert np.array_equal(sitk.GetArrayViewFromImage(restored), sitk.GetArrayViewFromImage(image))


@pytest.mark.parametrize("axes", AXIS_DIRECTIONS)
def test_orienting_leaves_every_voxel_at_its_place(axes, rotation):
    image = volume(rotation @ axes)
    np.testing.assert_allclose(positions_by_value(to_lps(image)), positions_by_value(image), atol=1e-9)


@pytest.mark.parametrize("axes", AXIS_DIRECTIONS)
def test_oriented_axes_point_to_left_posterior_superior(axes):
    oriented = to_lps(volume(ROTATIONS["oblique"] @ axes))
    direction = np.array(oriented.GetDirection()).reshape(3, 3)
    assert direction.diagonal().min() > 0.8


@pytest.mark.parametrize("axes", AXIS_DIRECTIONS)
def test_orienting_is_what_simpleitk_does(axes):
    image = volume(ROTATIONS["oblique"] @ axes)
    theirs = sitk.DICOMOrient(image, "LPS")
    ours = to_lps(image)
    assert same_grid(ours, theirs)
    assert np.array_equal(sitk.GetArrayViewFromImage(ours), sitk.GetArrayViewFromImage(theirs))


def test_an_oriented_image_stays_as_it_is():
    oriented = to_lps(volume(np.eye(3)))
    assert geometry_of(to_lps(oriented)) == geometry_of(oriented)


def test_probabilities_keep_their_pixel_type_on_the_way_back():
    image = volume(AXIS_DIRECTIONS[29])
    probabilities = sitk.Cast(to_lps(image), sitk.sitkFloat32)
    assert to_grid_of(probabilities, image).GetPixelID() == sitk.sitkFloat32


def test_an_image_of_another_size_cannot_be_brought_back():
    image = volume(AXIS_DIRECTIONS[29])
    with pytest.raises(GeometryError, match=r"size \(6, 5, 3\) cannot be brought back.*resample"):
        to_grid_of(volume(np.eye(3))[:, :, :3], image)


def test_an_image_at_another_place_cannot_be_brought_back():
    image = volume(AXIS_DIRECTIONS[29])
    moved = to_lps(image)
    moved.SetOrigin([value + 1 for value in moved.GetOrigin()])
    with pytest.raises(GeometryError, match="lies elsewhere"):
        to_grid_of(moved, image)


def test_only_3d_images_can_be_oriented():
    with pytest.raises(GeometryError, match="2 dimensions"):
        to_lps(sitk.Image([3, 3], sitk.sitkUInt8))


def test_grids_that_differ_by_the_rounding_of_nifti_are_the_same(rotation):
    image = volume(rotation)
    rounded = sitk.Image(image)
    rounded.SetOrigin(np.float32(image.GetOrigin()).astype(float).tolist())
    rounded.SetSpacing(np.float32(image.GetSpacing()).astype(float).tolist())
    assert same_grid(image, rounded)


@pytest.mark.parametrize("change", ["origin", "spacing", "direction", "size"])
def test_grids_that_differ_by_a_tenth_of_a_voxel_are_not_the_same(change):
    image, other = volume(np.eye(3)), volume(np.eye(3))
    if change == "origin":
        other.SetOrigin((-31.7, 12.3 + 0.04, 1 / 7))
    elif change == "spacing":
        other.SetSpacing((0.92, 1.1 / 3, 6.4))
    elif change == "direction":
        other.SetDirection(Rotation.from_euler("z", 2, degrees=True).as_matrix().ravel().tolist())
    else:
        other = other[:, :, :3]
    assert not same_grid(image, other)


def test_resampling_a_linear_ramp_is_exact_between_voxels():
    image = volume(np.eye(3))
    finer = sitk.Image([8, 7, 5], sitk.sitkUInt8)
    finer.SetOrigin((-31.5, 12.4, 2.0))
    finer.SetSpacing((0.5, 0.2, 3.0))
    resampled = resample_onto(image, finer)
    assert resampled.GetPixelID() == sitk.sitkFloat32
    assert geometry_of(resampled) == geometry_of(finer)
    for index in ((0, 0, 0), (3, 2, 1), (7, 6, 4)):
        x, y, z = image.TransformPhysicalPointToContinuousIndex(finer.TransformIndexToPhysicalPoint(index))
        assert resampled[index] == pytest.approx(x + 6 * y + 30 * z, abs=1e-3)


def test_resampled_labels_keep_their_values_and_type():
    labels = volume(ROTATIONS["oblique"], pixel_type=np.uint8)
    resampled = resample_onto(labels, volume(np.eye(3)), labels=True, default=250)
    assert resampled.GetPixelID() == sitk.sitkUInt8
    assert set(np.unique(sitk.GetArrayFromImage(resampled))) <= {*range(120), 250}


def test_voxels_outside_the_image_get_the_default():
    far = volume(np.eye(3))
    far.SetOrigin((500, 500, 500))
    resampled = sitk.GetArrayFromImage(resample_onto(volume(np.eye(3)), far, default=-7))
    assert (resampled == -7).all()


def test_an_image_on_the_same_grid_is_not_interpolated_but_gets_the_exact_geometry():
    reference = volume(ROTATIONS["oblique"])
    image = sitk.Image(reference)
    image.SetOrigin(np.float32(image.GetOrigin()).astype(float).tolist())
    resampled = resample_onto(image, reference)
    assert geometry_of(resampled) == geometry_of(reference)
    assert np.array_equal(sitk.GetArrayViewFromImage(resampled), sitk.GetArrayViewFromImage(image))


def cube(*, size: int = 10, spacing: float = 1.0, origin: float = 0.0, degrees: float = 0.0) -> sitk.Image:
    """A cube whose x axis starts at `origin`, turned about its own center around the z axis."""
    image = sitk.Image([size] * 3, sitk.sitkUInt8)
    image.SetSpacing([spacing] * 3)
    rotation = Rotation.from_euler("z", degrees, degrees=True).as_matrix()
    image.SetDirection(rotation.ravel().tolist())
    middle = np.full(3, (size - 1) / 2 * spacing)
    image.SetOrigin(((middle + [origin, 0, 0]) - rotation @ middle).tolist())
    return image


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        pytest.param(cube(), cube(), 1.0, id="same"),
        pytest.param(cube(), cube(origin=4), 0.6, id="shifted"),
        pytest.param(cube(), cube(origin=10), 0.0, id="touching"),
        pytest.param(cube(), cube(origin=300), 0.0, id="apart"),
        pytest.param(cube(size=20), cube(origin=5), 1.0, id="b-inside-a"),
        pytest.param(cube(origin=0), cube(size=20), 1 / 8, id="a-inside-b"),
        pytest.param(cube(), cube(degrees=90), 1.0, id="turned-by-90"),
        # A square and the same turned by 45 degrees share a regular octagon: 2 (sqrt 2 - 1) of the area.
        pytest.param(cube(), cube(degrees=45), 2 * (np.sqrt(2) - 1), id="turned-by-45"),
        pytest.param(cube(spacing=2, size=5), cube(), 0.95**3, id="other-voxels"),
    ],
)
def test_overlap_is_the_shared_part_of_the_second_box(a, b, expected):
    assert overlap_fraction(a, b) == pytest.approx(expected, abs=1e-6)


def test_overlap_of_turned_boxes_agrees_with_counting_points():
    rng = np.random.default_rng(5)
    for _ in range(5):
        turn = Rotation.from_quat(rng.normal(size=4)).as_matrix()
        a, b = volume(ROTATIONS["oblique"]), volume(turn)
        b.SetOrigin((np.array(b.GetOrigin()) + rng.normal(scale=2, size=3)).tolist())
        inside = 0
        points = rng.uniform(-0.5, np.array(b.GetSize()) - 0.5, size=(4000, 3))
        for point in points:
            index = a.TransformPhysicalPointToContinuousIndex(b.TransformContinuousIndexToPhysicalPoint(point.tolist()))
            inside += all(-0.5 <= place <= size - 0.5 for place, size in zip(index, a.GetSize(), strict=True))
        assert overlap_fraction(a, b) == pytest.approx(inside / len(points), abs=0.03)
