"""The costs of a network: counted on shapes alone, and equal to what the network really does."""

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch: pip install lightseg[pytorch]")

from torch import nn  # noqa: E402

from LightSegLib.networks import build_network  # noqa: E402
from LightSegLib.networks.blocks import SqueezeExcitation  # noqa: E402
from LightSegLib.networks.summary import summary  # noqa: E402


def reach_along_x(network: nn.Module, shape: tuple[int, ...]) -> int:
    """The largest number of input columns that reach one output voxel, found by sending a NaN through each of them."""
    network = network.eval()
    middle = (0, 0, *(size // 2 for size in shape[2:-1]))
    reached = torch.zeros(shape[-1], shape[-1], dtype=torch.bool)  # (input column, output column)
    with torch.no_grad(), torch.backends.mkldnn.flags(enabled=False):  # oneDNN's Winograd kernels would spread a NaN
        for column in range(shape[-1]):
            image = torch.zeros(shape)
            image[..., column] = torch.nan
            reached[column] = network(image)[middle].isnan()
    return int(reached.sum(dim=0).max())


def without_means(network: nn.Module) -> nn.Module:
    """Squeeze-and-excitation spreads a NaN over everything, which is no receptive field."""
    for module in network.modules():
        for name, child in module.named_children():
            if isinstance(child, SqueezeExcitation):
                setattr(module, name, nn.Identity())
    return network


@pytest.mark.parametrize(
    ("name", "arguments", "shape"),
    [
        ("acu", {"in_channels": 1}, (1, 1, 16, 224)),
        ("pocket_unet", {"width": 2, "depth": 2, "dimensions": 2}, (1, 1, 8, 64)),
        ("pocket_unet", {"width": 2, "depth": 1, "dimensions": 3}, (1, 1, 4, 4, 32)),
    ],
)
def test_the_receptive_field_is_what_reaches_an_output_voxel(name, arguments, shape):
    network = without_means(build_network(name, **arguments))
    counted = summary(network, shape).receptive_field[-1]
    measured = reach_along_x(network, shape)
    # counted is what the widest voxels see to either side; which voxel sees how far depends on its place in the strides
    assert measured <= counted <= measured * 1.1


def test_a_mean_over_the_input_is_told_apart_from_the_receptive_field():
    acu = build_network("acu")
    assert summary(acu, (1, 3, 64, 64)).sees_everything
    assert not summary(without_means(acu), (1, 3, 64, 64)).sees_everything
    instance = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.InstanceNorm2d(4))
    group = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.GroupNorm(2, 4))
    batch = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4))
    seen = [summary(network, (1, 1, 16, 16)).sees_everything for network in (instance, group, batch)]
    assert seen == [True, True, False]
    assert summary(instance, (1, 1, 16, 16)).receptive_field == (3, 3)


def test_strides_dilation_and_transposed_convolutions_widen_the_receptive_field():
    network = nn.Sequential(
        nn.Conv2d(1, 1, 3, stride=2, padding=1),  # 3
        nn.Conv2d(1, 1, (3, 1), dilation=(2, 1), padding=(2, 0)),  # 3 + 4 * 2 along y
        nn.MaxPool2d(2),  # + 2
        nn.ConvTranspose2d(1, 1, 3, stride=2, padding=1, output_padding=1),  # + one voxel of 4
    )
    assert summary(network, (1, 1, 32, 32)).receptive_field == (17, 9)


def test_views_of_weights_see_nothing():
    convolution = nn.Conv2d(4, 4, 3, padding=1)
    network = nn.Sequential(nn.Conv2d(1, 4, 2, stride=2), nn.PReLU(4), nn.InstanceNorm2d(4, affine=True), convolution)
    assert summary(network, (1, 1, 16, 16)).receptive_field == (6, 6)


def test_padding_moves_what_is_seen():
    class Shifted(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x + nn.functional.pad(x, (3, 0))[..., :-3]  # each voxel and the third to its left

    assert summary(Shifted(), (1, 1, 8, 8)).receptive_field == (1, 4)


def test_parameters_and_multiply_adds_are_counted():
    network = nn.Conv2d(3, 8, 3, padding=1)
    costs = summary(network, (2, 3, 10, 20))
    assert costs.parameters == 3 * 8 * 9 + 8
    assert costs.multiply_adds == 2 * 3 * 8 * 9 * 10 * 20


def test_memory_is_the_parameters_and_the_largest_sum_of_tensors_alive():
    network = nn.Sequential(nn.Conv2d(1, 8, 1, bias=False), nn.ReLU(inplace=True), nn.Conv2d(8, 1, 1, bias=False))
    floats = 16 + 100 + 800 + 100  # weights, input, the wide features, the output
    assert summary(network, (1, 1, 10, 10)).memory_bytes == 4 * floats


def test_the_network_is_left_as_it_was():
    network = build_network("pocket_unet", width=2, depth=1)
    network.train()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    summary(network, (1, 1, 512, 512, 512))  # more than memory would hold
    assert network.training
    assert all(torch.equal(before[name], value) for name, value in network.state_dict().items())
