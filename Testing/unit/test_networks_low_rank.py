"""The low-rank Res-U-Net: the paper's figures, the factors of a kernel, shapes, strides of thick slices, conversion."""

import math
import statistics

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch: pip install lightseg[pytorch]")

from torch import nn  # noqa: E402

from LightSegLib.networks.low_rank import LowRankConvolution, LowRankResUNet  # noqa: E402
from LightSegLib.networks.low_rank.res_u_net import ResNetBlock  # noqa: E402

from .network_counts import parameters  # noqa: E402

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
# Tracing sees the checks of PyTorch's instance normalization (number of channels, more than one voxel).
traced_checks = pytest.mark.filterwarnings("ignore:Converting a tensor to a Python boolean")


def counted(**arguments: object) -> LowRankResUNet:
    """A network that has shapes and no storage, so that 92 M parameters cost nothing."""
    with torch.device("meta"):
        return LowRankResUNet(in_channels=4, out_channels=4, **arguments)


def small(*, dimensions: int = 3, **arguments: object) -> LowRankResUNet:
    torch.manual_seed(0)
    return LowRankResUNet(2, 3, width=4, depth=2, dimensions=dimensions, **arguments)


# --- the paper's figures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "exact", "printed"),
    [
        ({"alpha": None, "width": 60}, 92_224_864, 92.2e6),  # Table 1
        ({"alpha": None, "width": 50}, 64_048_054, 64e6),  # section 4
        ({"alpha": 0.5, "width": 60}, 20_798_164, 20.8e6),  # Table 1
    ],
)
def test_res_u_net_has_the_papers_parameters(arguments, exact, printed):
    network = counted(**arguments)
    assert parameters(network) == exact
    assert exact == pytest.approx(printed, rel=1e-3)


def test_most_parameters_of_the_low_rank_network_are_transposed_convolutions():
    assert parameters(counted().ups) == 16_524_900


def test_transposed_convolutions_two_wide_miss_the_papers_parameters():
    assert parameters(counted(alpha=None, upsampling_kernel=2)) == 80_596_864
    assert parameters(counted(upsampling_kernel=2)) == 9_170_164


def test_an_ordinary_last_decoder_block_moves_away_from_the_papers_parameters():
    network = counted()
    with torch.device("meta"):
        network.decoders[-1] = ResNetBlock(120, 60, alpha=None, normalization_kind="instance", dimensions=3)
    assert parameters(network) == 21_074_554  # printed: 20.8 M


def test_defaults_are_the_papers_low_rank_network():
    with torch.device("meta"):
        assert parameters(LowRankResUNet()) == parameters(counted(width=60, depth=4, alpha=0.5, upsampling_kernel=3))


# --- the layer --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("alpha", "channels", "rank"), [(0.5, 60, 30), (0.25, 10, 2), (0.1, 4, 1), (1.5, 4, 6)])
def test_the_rank_is_alpha_of_the_input_channels_and_at_least_one(alpha, channels, rank):
    layer = LowRankConvolution(channels, 7, alpha=alpha)
    assert layer.rank == rank
    assert parameters(layer) == rank * (channels + 3 + 3 + 3 + 7) + 7


@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_merged_kernel_is_equation_3(dimensions):
    torch.manual_seed(0)
    layer = LowRankConvolution(5, 4, alpha=0.8, dimensions=dimensions)
    u1 = layer.output_factor.weight.flatten(1)  # (out_channels, R)
    u2 = layer.input_factor.weight.flatten(1).T  # (in_channels, R)
    along = [factor.weight.flatten(1).T for factor in layer.axis_factors]  # (kernel, R) each
    expected = torch.einsum({2: "cr,kr,hr,wr->ckhw", 3: "cr,kr,hr,wr,dr->ckhwd"}[dimensions], u1, u2, *along)
    merged = layer.merged()
    assert isinstance(merged, CONVOLUTION[dimensions])
    assert torch.allclose(merged.weight, expected, rtol=1e-5, atol=1e-7)
    assert torch.equal(merged.bias, layer.output_factor.bias)


@pytest.mark.parametrize(
    ("dimensions", "stride"), [(2, 1), (2, 2), (2, (1, 2)), (3, 1), (3, 2), (3, (1, 2, 2))], ids=str
)
@pytest.mark.parametrize("bias", [True, False])
def test_the_chain_of_factors_equals_the_merged_convolution(dimensions, stride, bias):
    torch.manual_seed(0)
    layer = LowRankConvolution(20, 12, alpha=0.5, kernel=5, stride=stride, bias=bias, dimensions=dimensions)
    x = torch.randn(2, 20, *(9, 12, 7)[:dimensions])
    with torch.no_grad():
        chain, dense = layer(x), layer.merged()(x)
    steps = (stride,) * dimensions if isinstance(stride, int) else stride
    assert chain.shape == (2, 12, *(math.ceil(n / step) for n, step in zip(x.shape[2:], steps, strict=True)))
    # both sum a few thousand float32 products, which rounds by about 1e-6 of the largest output
    assert (chain - dense).abs().max() <= 1e-5 * dense.abs().max()


def test_merging_keeps_double_precision():
    layer = LowRankConvolution(6, 5, alpha=0.5).double()
    x = torch.randn(1, 6, 5, 5, 5, dtype=torch.float64)
    assert torch.allclose(layer.merged()(x), layer(x), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_new_layer_has_the_output_variance_of_an_ordinary_convolution(dimensions):
    torch.manual_seed(0)
    low_rank, ordinary, weights = [], [], []
    with torch.no_grad():
        for _ in range(100):
            x = torch.randn(2, 32, *[6] * dimensions)
            layer = LowRankConvolution(32, 32, alpha=1.0, dimensions=dimensions)
            low_rank.append(layer(x).var().item())
            ordinary.append(CONVOLUTION[dimensions](32, 32, 3, padding=1)(x).var().item())
            weights.append(layer.merged().weight.var().item())
    # one layer's variance scatters by 15 to 18 % (its R factors are few draws), the mean of 100 by less than 2 %
    assert statistics.mean(low_rank) == pytest.approx(statistics.mean(ordinary), rel=0.06)
    assert statistics.mean(weights) == pytest.approx(1 / (3 * 32 * 3**dimensions), rel=0.06)


def test_every_factor_but_the_last_keeps_the_mean_square():
    torch.manual_seed(0)
    kept = []
    with torch.no_grad():
        for _ in range(50):
            x = torch.randn(1, 32, 8, 8, 8)
            layer = LowRankConvolution(32, 8, alpha=1.0)
            y = layer.axis_factors(layer.input_factor(x))[..., 1:-1, 1:-1, 1:-1]  # where no zeros were padded
            kept.append((y.square().mean() / x.square().mean()).item())
    assert statistics.mean(kept) == pytest.approx(1, rel=0.1)  # the mean of 50 scatters by about 3 %


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"alpha": 0}, "alpha, the rank over the input channels, must be positive, got 0"),
        ({"alpha": 0.5, "kernel": 4}, "kernel must be a positive odd number, got 4"),
        ({"alpha": 0.5, "dimensions": 1}, "dimensions must be 2 or 3, got 1"),
    ],
)
def test_impossible_layers_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        LowRankConvolution(4, 4, **arguments)


# --- the network ------------------------------------------------------------------------------------------------


def test_all_blocks_but_the_first_encoder_are_low_rank():
    network = counted()
    first, *others = [*network.encoders, *network.decoders]
    assert not any(isinstance(layer, LowRankConvolution) for layer in first.modules())
    assert [sum(isinstance(layer, LowRankConvolution) for layer in block.modules()) for block in others] == [2] * 8
    assert not any(isinstance(layer, LowRankConvolution) for layer in counted(alpha=None).modules())


def test_channels_double_with_every_downsampling():
    network = counted()
    assert [block.shortcut.out_channels for block in network.encoders] == [60, 120, 240, 480, 960]
    assert [block.shortcut.out_channels for block in network.decoders] == [480, 240, 120, 60]


def test_every_block_has_a_shortcut_beside_two_normalized_convolutions():
    block = small(alpha=None).encoders[1]
    assert [type(layer) for layer in block.residual] == [
        nn.Conv3d,
        nn.InstanceNorm3d,
        nn.LeakyReLU,
        nn.Conv3d,
        nn.InstanceNorm3d,
    ]
    assert block.shortcut.kernel_size == (1, 1, 1)
    with torch.no_grad():
        for parameter in block.residual[-1].parameters():  # the residual mapping becomes zero
            parameter.zero_()
        x = torch.randn(1, 4, 4, 4, 4)
        assert torch.equal(block(x), nn.LeakyReLU()(block.shortcut(x)))


@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("alpha", [None, 0.5])
@pytest.mark.parametrize("kind", ["instance", "batch", "group"])
@pytest.mark.parametrize("upsampling_kernel", [2, 3])
def test_the_output_is_as_large_as_the_input_and_every_parameter_learns(dimensions, alpha, kind, upsampling_kernel):
    network = small(dimensions=dimensions, alpha=alpha, normalization=kind, upsampling_kernel=upsampling_kernel)
    assert network.divisor == 4
    spatial = (12, 8, 16)[:dimensions]
    y = network(torch.rand(2, 2, *spatial))
    assert y.shape == (2, 3, *spatial)
    y.square().sum().backward()
    assert [name for name, parameter in network.named_parameters() if not parameter.grad.any()] == []


def test_thick_slices_are_pooled_in_plane_first():
    network = small(strides=((1, 2, 2), (2, 2, 2)))
    assert network.divisor == 4
    sizes = []
    for encoder in network.encoders:
        encoder.register_forward_hook(lambda block, x, y: sizes.append(tuple(y.shape[2:])))
    x = torch.rand(1, 2, 6, 16, 12)  # six slices: a multiple of the product along that axis, 2
    assert network(x).shape == (1, 3, 6, 16, 12)
    assert sizes == [(6, 16, 12), (6, 8, 6), (3, 4, 3)]


@pytest.mark.parametrize("upsampling_kernel", [2, 3])
def test_axes_that_are_never_pooled_may_have_any_size(upsampling_kernel):
    network = small(strides=[[1, 2, 2], [1, 2, 2]], upsampling_kernel=upsampling_kernel)
    assert network(torch.rand(1, 2, 5, 8, 8)).shape == (1, 3, 5, 8, 8)


def test_strides_of_two_are_the_default():
    network, same = small(), small(strides=((2, 2, 2), (2, 2, 2)))
    x = torch.rand(1, 2, 8, 8, 8)
    assert torch.equal(network(x), same(x))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"depth": 0}, "depth must be at least 1, got 0"),
        ({"in_channels": 0}, "in_channels must be at least 1, got 0"),
        ({"out_channels": 0}, "out_channels must be at least 1, got 0"),
        ({"alpha": -1.0}, "alpha, the rank over the input channels, must be positive, got -1.0"),
        ({"upsampling_kernel": 4}, "upsampling_kernel must be 2 or 3, got 4"),
        ({"normalization": "layer"}, "unknown normalization 'layer'; known: batch, instance, group"),
        ({"dimensions": 4}, "dimensions must be 2 or 3, got 4"),
        (
            {"strides": ((2, 2, 2),)},
            "strides must be 4 tuples, one per downsampling, of 3 numbers that are 1 or 2, got",
        ),
        (
            {"strides": ((2, 2),) * 4},
            "strides must be 4 tuples, one per downsampling, of 3 numbers that are 1 or 2, got",
        ),
        ({"strides": ((2, 2, 3),) * 4}, "of 3 numbers that are 1 or 2, got .*3"),
    ],
)
def test_impossible_networks_are_refused(arguments, message):
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        LowRankResUNet(**arguments)


@traced_checks
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_traced_network_takes_other_batches_and_sizes(dimensions):
    network = small(dimensions=dimensions).eval()
    traced = torch.jit.trace(network, torch.rand(1, 2, *[8] * dimensions), check_trace=False)
    x = torch.rand(2, 2, *(12, 8, 16)[:dimensions])
    with torch.no_grad():
        assert torch.allclose(traced(x), network(x), atol=1e-5)


@traced_checks
def test_openvino_converts_the_network_with_free_sizes():
    openvino = pytest.importorskip("openvino")
    network = small(strides=((1, 2, 2), (2, 2, 2))).eval()
    model = openvino.convert_model(network, example_input=torch.rand(1, 2, 8, 8, 8), input=[-1, 2, -1, -1, -1])
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    x = torch.rand(2, 2, 6, 12, 8)
    with torch.no_grad():
        expected = network(x)
    # engines sum in another order; instance normalization over few voxels amplifies that
    assert torch.allclose(torch.from_numpy(compiled(x.numpy())[0]), expected, atol=1e-3)
