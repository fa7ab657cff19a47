"""A small head with lesions, and bundles and engines that need no trained network; preprocessing is the real one."""

from dataclasses import dataclass
from itertools import permutations, product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib import segmenter
from LightSegLib.bundles import Bundle, InputChannel
from LightSegLib.cli import compare
from LightSegLib.errors import BundleError
from LightSegLib.pipeline import ensemble, finding
from LightSegLib.segments import Code, Region, Segment, Terminology

Size = tuple[int, int, int]
Spacing = tuple[float, float, float]
SIZE: Size = (60, 72, 50)
SPACING: Spacing = (1.5, 1.5, 1.5)
BRAIN_RADII_MM = np.array([32.0, 40.0, 30.0])  # z, y, x
LESIONS = ((4.0, -12.0, 13.0, 5.0), (-8.0, 10.0, -12.0, 4.0))  # z, y, x, radius, in mm from the center
LESION_Z = 3.0
"""Where the toy network's sigmoid is one half, in units of the normalized FLAIR."""

TUMOR_CONTRASTS = {"T1": (-60, 0, -40), "T1ce": (-60, 0, 150), "T2": (150, 120, 100), "FLAIR": (90, 120, 110)}
"""How much brighter than the brain the toy tumor's core, edema and rim are on each contrast."""

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
        "regions": (),
        "reference_values": (),
        "shown_input": "FLAIR",
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


def make_tumor(*, spacing: Spacing = SPACING, size: Size = SIZE) -> tuple[dict[str, sitk.Image], sitk.Image]:
    """Four skull-stripped contrasts of a head with a tumor, and its labels: core 1 within a rim 3, edema 2 around."""
    z, y, x = _coordinates(size, spacing)
    distance = np.sqrt((z - 4) ** 2 + (y + 6) ** 2 + (x - 9) ** 2)
    labels = np.select([distance <= 6, distance <= 9, distance <= 14], [1, 3, 2], 0).astype(np.uint8)
    brain = _paint_head(size, spacing, skull=False) > 0
    noise = np.random.default_rng(11)
    images = {}
    for name, (core, edema, rim) in TUMOR_CONTRASTS.items():
        values = 100 + noise.normal(0, 3, labels.shape)
        values += np.select([labels == 1, labels == 2, labels == 3], [core, edema, rim], 0)
        images[name] = _image(np.where(brain, values, 0).astype(np.float32), spacing)
    return images, _image(labels, spacing)


@dataclass
class TumorEngine:
    """Knows where the toy tumor is bright and dark, on any of its contrasts that is given."""

    name: str = "toy"
    device: str = "cpu"
    reason: str = "the only one in this test"

    def predict(self, batch: np.ndarray) -> np.ndarray:
        t1, t1ce, t2, flair = np.moveaxis(batch, 1, 0)
        whole, core = np.maximum(t2, flair) - 1.5, np.maximum(-t1 - 2.5, np.abs(t1ce) - 2)
        return (4 * np.stack([whole, core, t1ce - 2], axis=1)).astype(np.float32)


def make_tumor_bundle(name: str = "toy-tumor", **changes: object) -> Bundle:
    values = {"Core": (1, (220, 50, 47)), "Edema": (2, (60, 180, 75)), "Enhancing tumor": (3, (255, 225, 25))}
    settings: dict[str, object] = {
        "inputs": tuple(
            InputChannel(name=channel, required=False, modality="MR", patterns=(f"*{channel.lower()}*",))
            for channel in TUMOR_CONTRASTS
        ),
        "preprocessing": {"kind": "brain_box", "spacing_mm": 1.5, "multiple": [8, 8, 8], "brain": "toy-brain"},
        "postprocessing": {
            "kind": "nested_tumor",
            "thresholds": {"WT": 0.5, "TC": 0.5, "ET": 0.5},
            "min_whole_tumor_ml": 0.1,
            "min_share_of_largest": 0.0,
            "core_reach_mm": 200.0,
            "min_enhancing_ml": 0.1,
        },
        "segments": tuple(
            Segment(value=value, name=segment, color=color, terminology=TISSUE)
            for segment, (value, color) in values.items()
        ),
        "regions": (Region("WT", (1, 2, 3)), Region("TC", (1, 3)), Region("ET", (3,))),
        "reference_values": ((1, 2, 3), (1, 2, 4)),
        "divisors": (8, 8, 8),
    }
    return make_bundle(name, **{**settings, **changes})


def install_toys(monkeypatch: pytest.MonkeyPatch, *more: Bundle) -> LesionEngine:
    """Let `Segmenter` and `lightseg compare` find the bundles "toy", "toy-tumor" and "toy-brain", and `more`.

    `more` are tumor bundles. Returns the engine of "toy".
    """
    own = make_bundle("toy"), make_tumor_bundle(), make_brain_bundle()
    bundles = {bundle.name: bundle for bundle in (*own, *more)}
    lesion_engine = LesionEngine()

    def load(name: str) -> Bundle:
        if name not in bundles:
            raise BundleError(f"Unknown model '{name}'; known models: {', '.join(bundles)}")
        return bundles[name]

    def create(bundle: Bundle, **options: object) -> LesionEngine | BrainEngine | TumorEngine:
        if bundle.name == "toy-brain":
            return BrainEngine()
        return lesion_engine if bundle.name == "toy" else TumorEngine()

    for module in (finding, ensemble, compare):
        monkeypatch.setattr(module, "load_bundle", load)
    monkeypatch.setattr(segmenter, "create_engine", create)
    return lesion_engine
