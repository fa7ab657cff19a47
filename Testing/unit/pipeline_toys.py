"""A small head with lesions, and bundles and engines that need no trained network; preprocessing is the real one."""

from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib import segmenter
from LightSegLib.bundles import Bundle, InputChannel
from LightSegLib.errors import BundleError
from LightSegLib.segments import Code, Segment, Terminology

Size = tuple[int, int, int]
Spacing = tuple[float, float, float]
SIZE: Size = (60, 72, 50)
SPACING: Spacing = (1.5, 1.5, 1.5)
BRAIN_RADII_MM = np.array([32.0, 40.0, 30.0])  # z, y, x
LESIONS = ((4.0, -12.0, 13.0, 5.0), (-8.0, 10.0, -12.0, 4.0))  # z, y, x, radius, in mm from the center
LESION_Z = 3.0
"""Where the toy network's sigmoid is one half, in units of the normalized FLAIR."""

TISSUE = Terminology(
    category=Code("SCT", "49755003", "Morphologically Abnormal Structure"),
    type=Code("SCT", "6103006", "White matter hyperintensity"),
)


def make_head(*, size: Size = SIZE, spacing: Spacing = SPACING, skull: bool = False) -> sitk.Image:
    """A float32 FLAIR of size (x, y, z): tissue near 100, lesions near 220, background zero or, with skull, noise."""
    return _image(_paint_head(size, spacing, skull=skull), spacing)


def make_lesions(*, size: Size = SIZE, spacing: Spacing = SPACING) -> sitk.Image:
    """The uint8 reference of `make_head`."""
    z, y, x = _coordinates(size, spacing)
    mask = np.zeros(z.shape, np.uint8)
    for cz, cy, cx, radius in LESIONS:
        mask[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = 1
    return _image(mask, spacing)


def all_orientations(image: sitk.Image) -> list[sitk.Image]:
    """The 48 ways to store one volume: every order and direction of the axes, each voxel at its place."""
    return [
        sitk.Flip(sitk.PermuteAxes(image, order), flips)
        for order in permutations(range(3))
        for flips in product((False, True), repeat=3)
    ]


def _coordinates(size: Size, spacing: Spacing) -> list[np.ndarray]:
    axes = [(np.arange(n) - (n - 1) / 2) * mm for n, mm in zip(size[::-1], spacing[::-1], strict=True)]
    return list(np.meshgrid(*axes, indexing="ij"))


def _paint_head(size: Size, spacing: Spacing, *, skull: bool) -> np.ndarray:
    rng = np.random.default_rng(7)
    z, y, x = _coordinates(size, spacing)
    distance = np.sqrt(sum((c / r) ** 2 for c, r in zip((z, y, x), BRAIN_RADII_MM, strict=True)))
    values = np.zeros(z.shape)
    if skull:
        values += np.abs(rng.normal(0, 2, z.shape)) + 0.5
        values[(distance > 1.12) & (distance < 1.3)] = 160
    inside = distance <= 1
    values[inside] = 100 + rng.normal(0, 6, inside.sum()) + 8 * (x[inside] > 0)
    for cz, cy, cx, radius in LESIONS:
        values[(z - cz) ** 2 + (y - cy) ** 2 + (x - cx) ** 2 <= radius**2] = 220
    return values.astype(np.float32)


def _image(array: np.ndarray, spacing: Spacing) -> sitk.Image:
    image = sitk.GetImageFromArray(array)
    image.SetSpacing(spacing)
    image.SetOrigin([-mm * (n - 1) / 2 for mm, n in zip(spacing, image.GetSize(), strict=True)])
    return image


@dataclass
class LesionEngine:
    """Calls bright what is bright: the logit rises with the middle slice's normalized intensity."""

    name: str = "toy"
    device: str = "cpu"
    reason: str = "the only one in this test"
    calls: int = 0

    def predict(self, batch: np.ndarray) -> np.ndarray:
        self.calls += 1
        return (2 * (batch[:, 1:2] - LESION_Z)).astype(np.float32)


@dataclass
class BrainEngine:
    """Knows that the toy head's brain is an ellipsoid in the middle of the volume (2 mm voxels)."""

    name: str = "toy"
    device: str = "cpu"
    reason: str = "the only one in this test"

    def predict(self, batch: np.ndarray) -> np.ndarray:
        z, y, x = _coordinates(batch.shape[:1:-1], (2.0, 2.0, 2.0))  # type: ignore[arg-type]
        distance = np.sqrt(sum((c / r) ** 2 for c, r in zip((z, y, x), BRAIN_RADII_MM, strict=True)))
        return np.broadcast_to(30 * (1.02 - distance), (len(batch), 1, *z.shape)).astype(np.float32)


def make_bundle(name: str, **changes: object) -> Bundle:
    settings: dict[str, object] = {
        "folder": Path(name),
        "name": name,
        "version": "0.0.1",
        "description": "Toy.",
        "metadata": {},
        "network_name": "toy",
        "network_arguments": {},
        "inputs": (
            InputChannel(name="FLAIR", required=True, modality="MR", patterns=("*flair*",)),
            InputChannel(name="T1", required=False, modality="MR", patterns=("*t1*",)),
        ),
        "preprocessing": {
            "kind": "brain_slices",
            "spacing_mm": 1.5,
            "canvas": [96, 80],
            "neighbor_mm": 3.0,
            "normalization": {"FLAIR": "interquartile", "T1": "interquartile"},
            "brain": "toy-brain",
        },
        "tiling": {},
        "postprocessing": {"kind": "lesions", "threshold": 0.5, "min_lesion_ml": 0.01},
        "segments": (Segment(value=1, name="WMH", color=(230, 90, 60), terminology=TISSUE),),
        "divisors": (16, 16),
        "hashes": {"model.xml": "0" * 64},
    }
    return Bundle(**{**settings, **changes})  # type: ignore[arg-type]


def make_brain_bundle() -> Bundle:
    return make_bundle(
        "toy-brain",
        inputs=(InputChannel(name="MR", required=True, modality="MR", patterns=("*",)),),
        preprocessing={"kind": "head_volume", "spacing_mm": 2.0},
        postprocessing={"kind": "brain", "threshold": 0.5},
    )


def install_toys(monkeypatch: pytest.MonkeyPatch) -> LesionEngine:
    """Let `Segmenter` find the bundles "toy" and "toy-brain" with their engines; returns the lesion engine."""
    bundles = {"toy": make_bundle("toy"), "toy-brain": make_brain_bundle()}
    lesion_engine = LesionEngine()

    def load(name: str) -> Bundle:
        if name not in bundles:
            raise BundleError(f"Unknown model '{name}'; known models: {', '.join(bundles)}")
        return bundles[name]

    def create(bundle: Bundle, **options: object) -> LesionEngine | BrainEngine:
        return BrainEngine() if bundle.name == "toy-brain" else lesion_engine

    monkeypatch.setattr(segmenter, "load_bundle", load)
    monkeypatch.setattr(segmenter, "create_engine", create)
    return lesion_engine
