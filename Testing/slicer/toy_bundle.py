"""Bundles that need no training: what is bright is a lesion or a tumor, what is not air is the brain."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import openvino
from openvino import opset13 as ops

ANY = -1
LESION_Z = 3.0
"""Where a lesion's probability is one half, in units of the normalized FLAIR."""
BRAIN_VALUE = 0.4
"""Where the brain's is, in units of the head's mean tissue."""
WMH = {
    "value": 1,
    "name": "White matter hyperintensity",
    "color": [230, 90, 60],
    "category": {"scheme": "SCT", "value": "49755003", "meaning": "Morphologically Altered Structure"},
    "type": {"scheme": "SCT", "value": "6103006", "meaning": "White matter lesion"},
    "anatomic_region": {"scheme": "SCT", "value": "12738006", "meaning": "Brain"},
}
BRAIN = {
    "value": 1,
    "name": "Brain",
    "color": [250, 250, 225],
    "category": {"scheme": "SCT", "value": "123037004", "meaning": "Anatomical Structure"},
    "type": {"scheme": "SCT", "value": "12738006", "meaning": "Brain"},
}
TUMOR_VALUES = {"Core": 1, "Edema": 2, "Enhancing tumor": 3}


def make_bundles(folder: Path) -> Path:
    """Write both bundles under `folder` and return that of the lesions, a stand-in for wmh-acu."""
    brain, lesions = folder / "toy-brain", folder / "toy-wmh"
    _write(
        brain,
        _linear_model([1, 1, ANY, ANY, ANY], channel=0, threshold=BRAIN_VALUE, slope=20),
        inputs=[_input("MR", required=True, patterns=["*"])],
        preprocessing={"kind": "head_volume", "spacing_mm": 2.0},
        postprocessing={"kind": "brain", "threshold": 0.5},
        labels=[BRAIN],
    )
    _write(
        lesions,
        # Four channels: the slices below, at and above on FLAIR, and T1.
        _linear_model([ANY, 4, ANY, ANY], channel=1, threshold=LESION_Z, slope=4),
        inputs=[_input("FLAIR", required=True, patterns=["*flair*"]), _input("T1", required=False, patterns=["*t1*"])],
        preprocessing={
            "kind": "brain_slices",
            "spacing_mm": 1.5,
            "canvas": [80, 80],
            "neighbor_mm": 3.0,
            "normalization": {"FLAIR": "interquartile", "T1": "interquartile"},
            "brain": str(brain),
        },
        postprocessing={"kind": "lesions", "threshold": 0.5, "min_lesion_ml": 0.01},
        labels=[WMH],
    )
    return lesions


def make_tumor_bundle(folder: Path) -> Path:
    """Write a bundle for tumors beside those of `make_bundles`, and return it."""
    tumor = folder / "toy-tumor"
    _write(
        tumor,
        _tumor_model(),
        inputs=[_input(name, required=False, patterns=[f"*{name}*"]) for name in ("T1", "T1ce", "T2", "FLAIR")],
        preprocessing={
            "kind": "brain_box",
            "spacing_mm": 1.5,
            "multiple": [4, 4, 4],
            "brain": str(folder / "toy-brain"),
        },
        postprocessing={
            "kind": "nested_tumor",
            "thresholds": {"WT": 0.5, "TC": 0.5, "ET": 0.5},
            "min_whole_tumor_ml": 0.1,
            "min_share_of_largest": 0.0,
            "core_reach_mm": 200.0,
            "min_enhancing_ml": 0.1,
        },
        labels=[
            {**WMH, "value": value, "name": name, "color": [80 * value, 0, 0]} for name, value in TUMOR_VALUES.items()
        ],
        more={"regions": {"WT": [1, 2, 3], "TC": [1, 3]}, "reference_values": [[1, 2, 3], [1, 2, 4]]},
    )
    return tumor


def _tumor_model() -> openvino.Model:
    """Return a network that knows where the toy tumor is bright and dark: WT, TC and ET."""
    values = ops.parameter([1, 4, ANY, ANY, ANY], np.float32)
    t1, t1ce, t2, flair = (ops.gather(values, np.array([channel]), np.array(1)) for channel in range(4))
    whole = ops.subtract(ops.maximum(t2, flair), np.float32(1.5))
    dark = ops.subtract(ops.negative(t1), np.float32(2.5))
    core = ops.maximum(dark, ops.subtract(ops.abs(t1ce), np.float32(2)))
    enhancing = ops.subtract(t1ce, np.float32(2))
    logits = ops.multiply(ops.concat([whole, core, enhancing], 1), np.float32(6))
    return openvino.Model([logits], [values])


def _linear_model(shape: list[int], *, channel: int, threshold: float, slope: float) -> openvino.Model:
    """Return a network whose logit is slope * (value of one channel - threshold)."""
    values = ops.parameter(shape, np.float32)
    one = ops.gather(values, np.array([channel]), np.array(1))
    return openvino.Model([ops.multiply(ops.subtract(one, np.float32(threshold)), np.float32(slope))], [values])


def _input(name: str, *, required: bool, patterns: list[str]) -> dict[str, Any]:
    return {"name": name, "required": required, "modality": "MR", "patterns": patterns}


def _write(
    folder: Path,
    model: openvino.Model,
    *,
    inputs: list[dict[str, Any]],
    preprocessing: dict[str, Any],
    postprocessing: dict[str, Any],
    labels: list[dict[str, Any]],
    more: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    folder.mkdir(parents=True)
    openvino.save_model(model, folder / "model.xml")
    (folder / "model.safetensors").write_bytes(b"")
    (folder / "README.md").write_text("A toy.\n")
    files = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}
    any_size = ["1 * n"] * (len(model.input(0).get_partial_shape()) - 2)
    metadata = {
        "name": folder.name,
        "version": "0.0.1",
        "description": "A toy for tests.",
        "network_data_format": {"inputs": {"image": {"spatial_shape": any_size}}},
        "lightseg": {
            "format": 1,
            "network": {"name": "linear", "arguments": {}},
            "inputs": inputs,
            "preprocessing": preprocessing,
            "tiling": {},
            "postprocessing": postprocessing,
            "labels": labels,
            "files": files,
            **more,
        },
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))
