"""A toy CT scan with a liver, the bundles that find and segment it, and what their networks would say."""

from dataclasses import dataclass

import numpy as np
import SimpleITK as sitk

from LightSegLib.bundles import Bundle, InputChannel
from LightSegLib.segments import Segment

from .pipeline_toys import TISSUE, make_bundle

AIR, FAT, LIVER, SPLEEN = -1000.0, -60.0, 110.0, 0.0
BETWEEN = -0.15  # half way from fat to liver, in the units of `scale_ct`
# (x, y, z) mm from the corner of the scan: middle and radii of an ellipsoid
LIVER_AT, LIVER_RADII = (70.0, 90.0, 150.0), (40.0, 35.0, 45.0)


def make_ct(
    *, size: tuple[int, int, int] = (60, 50, 80), spacing: tuple[float, float, float] = (3.0, 3.5, 4.0)
) -> tuple[sitk.Image, sitk.Image]:
    """A trunk of fat with a bright liver on the right and a darker spleen on the left, and the liver's mask."""
    x, y, z = (
        np.arange(n).reshape([-1 if i == axis else 1 for i in (2, 1, 0)]) * mm
        for axis, (n, mm) in enumerate(zip(size, spacing, strict=True))
    )
    width, depth = size[0] * spacing[0], size[1] * spacing[1]
    body = ((x - width / 2) / (0.45 * width)) ** 2 + ((y - depth / 2) / (0.45 * depth)) ** 2 + 0 * z <= 1
    places = zip((x, y, z), LIVER_AT, LIVER_RADII, strict=True)
    liver = sum(((c - middle) / radius) ** 2 for c, middle, radius in places) <= 1
    spleen = ((x - 135) / 18) ** 2 + ((y - 110) / 18) ** 2 + ((z - 160) / 25) ** 2 <= 1
    values = np.select([liver, spleen, body], [LIVER, SPLEEN, FAT], AIR)
    values = values + np.random.default_rng(5).normal(0, 5, values.shape)
    image, mask = sitk.GetImageFromArray(values.astype(np.float32)), sitk.GetImageFromArray(liver.astype(np.uint8))
    for one in (image, mask):
        one.SetSpacing(spacing)
        one.SetOrigin((-40.0, 12.0, -700.0))
    return image, mask


@dataclass
class LiverEngine:
    """Knows the toy liver's Hounsfield units, in the units of `scale_ct`."""

    name: str = "toy"
    device: str = "cpu"
    reason: str = "the only one in this test"

    def predict(self, batch: np.ndarray) -> np.ndarray:
        return (30 * (batch[:, 1:2] - BETWEEN)).astype(np.float32)


def make_liver_bundle(name: str = "toy-liver", **changes: object) -> Bundle:
    settings: dict[str, object] = {
        "inputs": (InputChannel(name="CT", required=True, modality="CT", patterns=("*",)),),
        "preprocessing": {
            "kind": "ct_slices",
            "spacing_mm": 2.0,
            "canvas": [64, 80],
            "neighbor_mm": 4.0,
            "box": {"model": "toy-finder", "margin_mm": [10.0, 10.0, 15.0]},
        },
        "postprocessing": {
            "kind": "organ",
            "threshold": 0.5,
            "cleanup": "largest_component",
            "erode_mm": 0.0,
            "dilate_mm": 0.0,
        },
        "segments": (Segment(value=1, name="Liver", color=(221, 130, 101), terminology=TISSUE),),
        "shown_input": "CT",
    }
    return make_bundle(name, **{**settings, **changes})


def make_finder_bundle() -> Bundle:
    return make_liver_bundle(
        "toy-finder", preprocessing={"kind": "ct_slices", "spacing_mm": 4.0, "canvas": [48, 48], "neighbor_mm": 8.0}
    )
