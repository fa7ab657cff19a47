"""Writing a trained network as a bundle that both engines run with the same weights."""

from __future__ import annotations

import copy
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save
from torch import nn

from LightSegLib.bundle_metadata import FORMAT_VERSION
from LightSegLib.bundles import METADATA_FILE, Bundle, file_hash, load_bundle
from LightSegLib.engines.openvino import OpenVinoEngine
from LightSegLib.engines.pytorch import PyTorchEngine
from LightSegLib.engines.self_test import check_engine, make_input, self_test_settings
from LightSegLib.errors import BundleError
from LightSegLib.networks.sd import resolve_weight_standardization
from LightSegLib.training.fold import fold_batch_norm, round_to_half

if TYPE_CHECKING:
    import openvino

__all__ = ["PARITY", "export_bundle", "to_openvino"]

# Largest difference of a logit between the engines and PyTorch at export, relative to the largest logit. Both use the
# same float16-rounded weights in float32 arithmetic; what remains is the order of sums, about 1e-6.
PARITY = 1e-4

# The self-test's input has the size of a real one, because libraries choose kernels by size, but no more items.
SELF_TEST_ITEMS = 2


def export_bundle(
    network: nn.Module,
    metadata: Mapping[str, Any],
    folder: Path,
    *,
    example_shape: tuple[int, ...],
    model_card: str,
) -> Bundle:
    """Write `network` as a bundle into `folder`, replacing what is there, and return it loaded and verified.

    `metadata`: what `read_card` returns, its `lightseg` section complete but for format, self-test and hashes.
    `example_shape`: (n, c, *spatial) of a real input; batch and spatial size stay free in the OpenVINO model.
    `model_card` becomes README.md. `network` is not changed.
    Errors: BundleError or EngineError if the metadata are incomplete or do not describe this network, a weight does
    not fit float16, or an engine's logits differ from PyTorch's by more than PARITY; the old folder then stays.
    """
    import openvino

    rounded = copy.deepcopy(network).cpu().float().eval().requires_grad_(False)
    resolve_weight_standardization(rounded)
    try:
        fold_batch_norm(rounded)
        round_to_half(rounded)
    except ValueError as error:
        raise BundleError(f"Network of bundle {metadata.get('name')} cannot be exported: {error}") from error

    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        _write_weights(rounded, partial / "model.safetensors")
        model = to_openvino(rounded, example_shape=example_shape)
        openvino.save_model(model, partial / "model.xml", compress_to_fp16=True)
        (partial / "README.md").write_text(model_card, encoding="utf-8")
        _write_metadata(metadata, partial, self_test=_self_test(rounded, example_shape))
        _check_parity(load_bundle(partial), rounded, example_shape)
        if folder.exists():
            shutil.rmtree(folder)
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return load_bundle(folder)


def _write_weights(network: nn.Module, path: Path) -> None:
    weights = {name for name, _ in network.named_parameters()}
    state = {name: (tensor.half() if name in weights else tensor) for name, tensor in network.state_dict().items()}
    # Not save_file, which lets nobody else read the file.
    path.write_bytes(save({name: tensor.contiguous() for name, tensor in state.items()}))


def to_openvino(network: nn.Module, *, example_shape: tuple[int, ...]) -> openvino.Model:
    """Return a network in evaluation mode as an OpenVINO model, from "image" to "logits".

    `example_shape` is (n, c, *spatial) of a real input; batch and spatial size stay free.
    """
    import openvino

    free = openvino.PartialShape([-1, example_shape[1], *[-1] * (len(example_shape) - 2)])
    model = openvino.convert_model(network, example_input=torch.zeros(example_shape), input=[free])
    # OpenVINO numbers its nodes by a counter of the process: name them, so that the same network gives the same file.
    model.set_friendly_name("network")
    for number, node in enumerate(model.get_ordered_ops()):
        node.set_friendly_name(f"{node.get_type_name()}_{number}")
    model.input(0).set_names({"image"})
    model.output(0).set_names({"logits"})
    return model


def _self_test(network: nn.Module, example_shape: tuple[int, ...]) -> dict[str, Any]:
    shape = (min(SELF_TEST_ITEMS, example_shape[0]), *example_shape[1:])
    return self_test_settings(_logits(network, make_input(shape)), shape=shape)


def _write_metadata(metadata: Mapping[str, Any], folder: Path, *, self_test: dict[str, Any]) -> None:
    complete = copy.deepcopy(dict(metadata))
    complete["numpy_version"] = np.__version__
    complete["pytorch_version"] = torch.__version__.split("+")[0]
    complete["required_packages_version"] = {"openvino": _openvino_version()}
    section = complete.setdefault("lightseg", {})
    section["format"] = FORMAT_VERSION
    section["self_test"] = self_test
    section["files"] = {path.name: file_hash(path) for path in sorted(folder.iterdir())}
    text = json.dumps(complete, indent=2, ensure_ascii=False) + "\n"
    (folder / METADATA_FILE).write_text(text, encoding="utf-8")


def _check_parity(bundle: Bundle, network: nn.Module, example_shape: tuple[int, ...]) -> None:
    # One item more than the example: a batch size that the conversion has fixed by mistake fails here.
    batch = make_input((example_shape[0] + 1, *example_shape[1:]), seed=1)
    expected = _logits(network, batch)
    for engine in (OpenVinoEngine(bundle), PyTorchEngine(bundle)):
        difference = float(np.abs(engine.predict(batch) - expected).max() / np.abs(expected).max())
        if not difference <= PARITY:
            raise BundleError(
                f"Bundle {bundle.name}: logits of the {engine.name} engine differ from the network's by "
                f"{difference:.2g} of the largest, {PARITY:g} is allowed: check that the metadata describe this network"
            )
        check_engine(bundle, engine)


def _logits(network: nn.Module, batch: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        return network(torch.from_numpy(batch)).numpy()


def _openvino_version() -> str:
    import openvino

    return str(openvino.__version__).split("-")[0]
