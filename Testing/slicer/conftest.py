"""A scene, a small head with lesions as nodes, and a bundle that segments it."""

import sys
from pathlib import Path

import numpy as np
import pytest

slicer = pytest.importorskip("slicer", reason="MRML is tested in an environment of its own: make test-slicer")

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "application")]
from stand_in import boot  # noqa: E402
from stand_in.modules import import_file  # noqa: E402
from toy_bundle import make_bundles  # noqa: E402

boot()
LIGHTSEG = import_file(HERE.parents[1] / "LightSeg" / "LightSeg.py")

SIZE = (64, 72, 48)  # i, j, k
SPACING = (1.5, 1.5, 2.0)
LESIONS = (
    (12.0, -8.0, 6.0, 6.0),
    (-14.0, 10.0, -8.0, 5.0),
    (10.0, 18.0, 0.0, 4.0),
)  # right, anterior, superior, radius


def head_matrix() -> np.ndarray:
    """The matrix from voxels to RAS: left to right, posterior to anterior, inferior to superior, centered."""
    matrix = np.diag([*SPACING, 1.0])
    matrix[:3, 3] = [-(n - 1) / 2 * mm for n, mm in zip(SIZE, SPACING, strict=True)]
    return matrix


def head_arrays() -> tuple[np.ndarray, np.ndarray]:
    """A skull-stripped FLAIR and its lesions, arrays (k, j, i)."""
    k, j, i = np.meshgrid(*(np.arange(n) for n in SIZE[::-1]), indexing="ij")
    right, anterior, superior = (
        index * mm + offset for index, mm, offset in zip((i, j, k), SPACING, head_matrix()[:3, 3], strict=True)
    )
    brain = (right / 40) ** 2 + (anterior / 46) ** 2 + (superior / 38) ** 2 <= 1
    # A gradient wide enough that half way to a lesion is the toy network's threshold.
    tissue = 100 + 0.8 * right + np.random.default_rng(3).normal(0, 2, brain.shape)
    flair = np.where(brain, tissue, 0)
    lesions = np.zeros(brain.shape, bool)
    for r, a, s, radius in LESIONS:
        lesions |= (right - r) ** 2 + (anterior - a) ** 2 + (superior - s) ** 2 <= radius**2
    flair[lesions] = 250
    return flair.astype(np.int16), lesions.astype(np.uint8)


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a bundle that finds the lesions of `flair`."""
    return make_bundles(tmp_path_factory.mktemp("models"))


@pytest.fixture
def scene() -> "slicer.vtkMRMLScene":
    """The scene, empty."""
    slicer.mrmlScene.Clear(1)
    return slicer.mrmlScene


@pytest.fixture
def flair(scene: "slicer.vtkMRMLScene") -> "slicer.vtkMRMLScalarVolumeNode":
    """A head with lesions."""
    return slicer.util.addVolumeFromArray(head_arrays()[0], ijkToRAS=head_matrix(), name="Case 7 FLAIR")


@pytest.fixture
def truth(scene: "slicer.vtkMRMLScene") -> "slicer.vtkMRMLLabelMapVolumeNode":
    """The lesions of `flair` on its grid."""
    return slicer.util.addVolumeFromArray(
        head_arrays()[1], ijkToRAS=head_matrix(), name="Expert", nodeClassName="vtkMRMLLabelMapVolumeNode"
    )


@pytest.fixture
def logic() -> object:
    """The module's logic."""
    return LIGHTSEG.LightSegLogic()
