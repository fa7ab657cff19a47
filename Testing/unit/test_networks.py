"""What holds for every network of the registry: shapes, gradients, batches, costs, and export to both engines."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch: pip install lightseg[pytorch]")
pytest.importorskip("safetensors", reason="export needs safetensors: pip install lightseg[pytorch]")

from torch import nn  # noqa: E402

from LightSegLib.engines.openvino import OpenVinoEngine  # noqa: E402
from LightSegLib.engines.pytorch import PyTorchEngine  # noqa: E402
from LightSegLib.engines.self_test import make_input  # noqa: E402
from LightSegLib.networks import NETWORKS, build_network, summary  # noqa: E402
from LightSegLib.networks.catalog import CATALOG  # noqa: E402
from LightSegLib.training.bundle_card import read_card  # noqa: E402
from LightSegLib.training.export import export_bundle  # noqa: E402

from .network_counts import parameters  # noqa: E402

# Small versions of every network, and an input (c, *spatial) of each number of dimensions that it has.
SHAPES = {2: (2, 32, 48), 3: (2, 16, 16, 32)}
POCKET = {"width": 4, "depth": 2}
SMALL: dict[str, dict[str, object]] = {
    "acu": {},
    "low_rank_res_unet": POCKET,
    "pocket_classifier": POCKET,
    "pocket_densenet": POCKET,
    "pocket_hrnet": POCKET,
    "pocket_nnunet": POCKET,
    "pocket_resnet": POCKET,
    "pocket_unet": POCKET,
    "res_unet": POCKET,
    "sat_tiramisu": {"width": 8, "depth": 2, "growth": 4, "layers": 2},
    "sat_unet": POCKET,
    "sat_vnet": POCKET,
    "sd_unet": {"width": 4},
    "unet": {"width": 4},
}
SLICES_ONLY = {"acu"}
BOTH = [(name, d) for name in sorted(SMALL) for d in SHAPES if d == 2 or name not in SLICES_ONLY]
# Instance and group normalization divide by what they measure, in another order of sums: the engines differ by more.
NORMALIZED_BY_INPUT = (nn.InstanceNorm2d, nn.InstanceNorm3d, nn.GroupNorm)
# Each engine that is compared, relative to the largest logit.
TOLERANCE_BATCH_NORM, TOLERANCE_INPUT_NORM = 1e-4, 2e-4


def small_arguments(name: str, dimensions: int) -> dict[str, object]:
    return SMALL[name] if name in SLICES_ONLY else {**SMALL[name], "dimensions": dimensions}


def small_network(name: str, dimensions: int, *, channels: int = 2, outputs: int = 2) -> nn.Module:
    torch.manual_seed(0)
    arguments = small_arguments(name, dimensions)
    return build_network(name, in_channels=channels, out_channels=outputs, **arguments).eval()


def test_every_network_is_tested():
    assert set(SMALL) == set(NETWORKS)


@pytest.mark.parametrize(("name", "dimensions"), BOTH)
@pytest.mark.parametrize(("channels", "outputs"), [(1, 4), (5, 1)])
def test_networks_take_any_number_of_channels(name, dimensions, channels, outputs):
    network = small_network(name, dimensions, channels=channels, outputs=outputs)
    spatial = SHAPES[dimensions][1:]
    with torch.no_grad():
        shape = network(torch.zeros(2, channels, *spatial)).shape
    assert shape == ((2, outputs) if name == "pocket_classifier" else (2, outputs, *spatial))


@pytest.mark.parametrize(("name", "dimensions"), BOTH)
def test_the_gradient_reaches_every_parameter(name, dimensions):
    # in evaluation mode: in training, batch normalization cancels the bias of the convolution before it
    network = small_network(name, dimensions)
    network(torch.rand(2, *SHAPES[dimensions])).pow(2).sum().backward()
    unreached = [
        key for key, parameter in network.named_parameters() if parameter.grad is None or not parameter.grad.any()
    ]
    assert unreached == []


@pytest.mark.parametrize(("name", "dimensions"), BOTH)
def test_an_item_does_not_depend_on_the_rest_of_its_batch(name, dimensions):
    network = small_network(name, dimensions)
    x = torch.rand(3, *SHAPES[dimensions])
    with torch.no_grad():
        together, alone = network(x)[1:2], network(x[1:2])
    assert (together - alone).abs().max() < 1e-5 * together.abs().max()


@pytest.mark.parametrize(("name", "dimensions"), BOTH)
def test_networks_take_multiples_of_their_divisor(name, dimensions):
    network = small_network(name, dimensions)
    channels, *spatial = SHAPES[dimensions]
    odd = [3 * network.divisor, *[network.divisor] * (len(spatial) - 1)]
    assert summary(network, (1, channels, *odd)).parameters == parameters(network)


@pytest.mark.parametrize(("name", "dimensions"), BOTH)
def test_both_engines_agree_with_the_network_at_odd_sizes_too(name, dimensions, tmp_path: Path):
    network = small_network(name, dimensions)
    shape = SHAPES[dimensions]
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):  # as after training
                module.running_mean.uniform_(-0.5, 0.5)
                module.running_var.uniform_(0.5, 2)
    arguments = {"in_channels": 2, "out_channels": 2, **small_arguments(name, dimensions)}
    card = {2: "wmh-acu", 3: "brain-pocket"}[dimensions]
    metadata = read_card(card, network={"name": name, "arguments": arguments})
    bundle = export_bundle(network, metadata, tmp_path / card, example_shape=(1, *shape), model_card="")
    batch = make_input((2, shape[0], *(size + 5 for size in shape[1:])), seed=3)
    padded = np.pad(batch, [(0, 0), (0, 0), *((0, -size % 16) for size in batch.shape[2:])], mode="edge")
    with torch.inference_mode():
        exact = network(torch.from_numpy(padded)).numpy()
    exact = exact[tuple(slice(size) for size in (2, 2, *batch.shape[2:])[: exact.ndim])]
    openvino, pytorch = (engine(bundle).predict(batch) for engine in (OpenVinoEngine, PyTorchEngine))
    assert openvino.shape == pytorch.shape == exact.shape
    by_input = any(isinstance(module, NORMALIZED_BY_INPUT) for module in network.modules())
    largest = np.abs(pytorch).max()
    assert np.abs(openvino - pytorch).max() / largest < (TOLERANCE_INPUT_NORM if by_input else TOLERANCE_BATCH_NORM)
    assert np.abs(pytorch - exact).max() / largest < 2e-2  # the bundle's weights are rounded to float16


def test_unknown_networks_list_the_known():
    with pytest.raises(ValueError, match="unknown network 'resnet'; known: acu, low_rank_res_unet, pocket_classifier"):
        build_network("resnet")


@pytest.mark.parametrize("entry", CATALOG, ids=lambda entry: entry.label)
def test_the_catalog_builds_without_memory(entry):
    network = entry.build()
    assert {parameter.device.type for parameter in network.parameters()} == {"meta"}
    assert all(size % network.divisor == 0 for size in entry.shape[2:])
