"""Two bundles that need no training: what is bright is a lesion, what is not air is the brain."""

import hashlib
import json
from pathlib import Path
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


def make_bundles(folder: Path) -> Path:
    """Write both bundles under `folder` and return that of the lesions, a stand-in for wmh-acu."""
    brain, lesions = folder / "toy-brain", folder / "toy-wmh"
    _write(
        brain,
        _linear_model([1, 1, ANY, ANY, ANY], channel=0, threshold=BRAIN_VALUE, slope=20),
        inputs=[_input("MR", required=True, patterns=["*"])],
        preprocessing={"kind": "head_volume", "spacing_mm": 2.0},
        postprocessing={"kind": "brain", "threshold": 0.5},
        label=BRAIN,
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
        label=WMH,
    )
    return lesions


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
    label: dict[str, Any],
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
            "labels": [label],
            "files": files,
        },
    }
    (folder / "metadata.json").write_text(json.dumps(metadata))
