"""SD-UNet and U-Net: the paper's figures, its blocks, weight standardization and its removal for export."""

import copy

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch: pip install lightseg[pytorch]")

from torch import nn  # noqa: E402

from LightSegLib.networks.sd import (  # noqa: E402
    DepthwiseSeparable,
    SDUNet,
    UNet,
    resolve_weight_standardization,
    weight_standardization,
)
from LightSegLib.networks.summary import summary  # noqa: E402

from .network_counts import parameters  # noqa: E402

# Rows of Table 1: how to build them, exact parameters, printed parameters, "FLOPs" and size, bytes a parameter of that.
DEPTHWISE_BN = (UNet, {"convolution": "separable", "normalization": "batch"})
DEPTHWISE_GN = (UNet, {"convolution": "separable", "normalization": "group"})
TABLE_1 = [
    pytest.param(UNet, {}, 31_031_685, 31e6, 62.04e6, 372.5e6, 12, id="U-Net"),
    pytest.param(*DEPTHWISE_BN, 3_917_591, 3.9e6, 7.8e6, 47.0e6, 12, id="depthwise + BN"),
    pytest.param(*DEPTHWISE_GN, 3_917_591, 3.9e6, 7.7e6, 47.1e6, 12, id="depthwise + GN"),
    pytest.param(SDUNet, {"normalization": "batch"}, 3_917_591, 3.9e6, 7.8e6, 15.8e6, 4, id="SD-UNet + BN"),
    pytest.param(SDUNet, {}, 3_917_591, 3.9e6, 7.8e6, 15.8e6, 4, id="SD-UNet"),
]
EVERY = [
    pytest.param(UNet, {}, id="U-Net"),
    pytest.param(UNet, {"normalization": "group"}, id="U-Net + GN"),
    pytest.param(*DEPTHWISE_BN, id="depthwise + BN"),
    pytest.param(*DEPTHWISE_GN, id="depthwise + GN"),
    pytest.param(SDUNet, {"normalization": "batch"}, id="SD-UNet + BN"),
    pytest.param(SDUNet, {}, id="SD-UNet"),
]
SPATIAL = {2: (32, 48), 3: (16, 16, 32)}


def on_meta(kind: type[nn.Module], **arguments: object) -> nn.Module:
    """Build a network without values, at no cost."""
    with torch.device("meta"):
        return kind(**arguments)


def small(kind: type[nn.Module] = SDUNet, **arguments: object) -> nn.Module:
    torch.manual_seed(0)
    return kind(**{"width": 4, **arguments})


def separable_layers(network: nn.Module) -> list[DepthwiseSeparable]:
    return [module for module in network.modules() if isinstance(module, DepthwiseSeparable)]


# --- the paper's figures ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "arguments", "exact", "printed", "flops", "size", "bytes_each"), TABLE_1)
def test_table_1_comes_out_within_2_percent(kind, arguments, exact, printed, flops, size, bytes_each):
    count = parameters(on_meta(kind, **arguments))
    assert count == exact
    assert count == pytest.approx(printed, rel=0.02)
    assert 2 * count == pytest.approx(flops, rel=0.02)  # "FLOPs" are twice the parameters
    assert bytes_each * count == pytest.approx(size, rel=0.02)  # 12 bytes: with both moments of Adam


def test_group_normalization_adds_thousands_of_parameters_and_does_not_take_millions_away():
    # Printed: 26 M, which no normalization layer explains. Two for each channel of the nine blocks' ends:
    channels = 64 + 128 + 256 + 512 + 1024 + 512 + 256 + 128 + 64
    assert parameters(on_meta(UNet, normalization="group")) == 31_031_685 + 2 * channels == 31_037_573


def test_the_bottleneck_of_the_text_with_one_convolution_would_miss_the_printed_parameters():
    network = on_meta(SDUNet)
    second = network.encoders[4][2]
    assert second.pointwise.out_channels == second.inputs == 1024
    assert parameters(network) - parameters(second) == 2_858_775  # 2.86 M, printed: 3.9 M


@pytest.mark.parametrize(
    ("kind", "multiply_adds"),
    [pytest.param(UNet, 54_605_774_848, id="U-Net"), pytest.param(SDUNet, 7_777_681_408, id="SD-UNet")],
)
def test_multiply_adds_at_the_papers_input_size(kind, multiply_adds):
    # 256 x 256 x 1, section 4.2. The paper has no such figure; its "8x" is the ratio of parameters, this one is 7.0.
    assert summary(on_meta(kind), (1, 1, 256, 256)).multiply_adds == multiply_adds


def test_a_separable_layer_costs_what_equations_1_and_2_say():
    layer, dense = DepthwiseSeparable(2, 16, 32), nn.Conv2d(16, 32, 3, padding=1)
    size = 8 * 8
    assert summary(layer, (1, 16, 8, 8)).multiply_adds == 3 * 3 * 16 * size + 16 * 32 * size
    assert summary(dense, (1, 16, 8, 8)).multiply_adds == 3 * 3 * 16 * 32 * size


# --- the architecture of section 3.2 ----------------------------------------------------------------------------


@pytest.mark.parametrize("convolution", ["separable", "standardized"])
def test_every_layer_but_the_first_is_depthwise_separable(convolution):
    network = small(UNet, convolution=convolution)
    inside = {id(conv) for layer in separable_layers(network) for conv in (layer.depthwise, layer.pointwise)}
    plain = [name for name, m in network.named_modules() if isinstance(m, nn.Conv2d) and id(m) not in inside]
    assert plain == ["encoders.0.0"]
    assert len(separable_layers(network)) == 9 + 4 + 8 + 2  # encoding path, after resizing, decoding path, the end
    assert {layer.standardized for layer in separable_layers(network)} == {convolution == "standardized"}


@pytest.mark.parametrize(("kind", "arguments"), EVERY)
def test_a_block_has_two_convolutions_two_activations_and_one_normalization(kind, arguments):
    network = small(kind, **arguments)
    for block in (*network.encoders, *network.decoders):
        assert [isinstance(layer, nn.ReLU) for layer in block][:4] == [False, True, False, True]
        norms = [layer for layer in block[4:] if isinstance(layer, (nn.BatchNorm2d, nn.GroupNorm))]
        assert len(norms) == len(block) - 4 == bool(arguments.get("normalization", kind is SDUNet))
    others = [*network.ups.modules(), *network.head.modules()]
    assert not any(isinstance(layer, (nn.ReLU, nn.BatchNorm2d, nn.GroupNorm)) for layer in others)


def test_channels_double_at_every_level_and_are_normalized_in_32_groups():
    network = on_meta(SDUNet)
    widths = [64, 128, 256, 512, 1024]
    norms = [block[4] for block in (*network.encoders, *network.decoders)]
    assert [norm.num_channels for norm in norms] == [*widths, *widths[-2::-1]]
    assert {norm.num_groups for norm in norms} == {32}


def test_the_end_is_a_layer_of_two_filters_an_output_and_the_prediction_layer():
    assert [layer.out_channels for layer in on_meta(UNet).head] == [2, 1]
    assert [layer.kernel_size for layer in on_meta(UNet).head] == [(3, 3), (1, 1)]
    assert [layer.pointwise.out_channels for layer in on_meta(SDUNet, out_channels=3).head] == [6, 3]
    assert {layer.depthwise.kernel_size for layer in separable_layers(on_meta(SDUNet))} == {(3, 3)}


def test_dropout_follows_the_two_coarsest_blocks_and_the_skip_takes_what_it_leaves():
    network, seen = small(dropout=0.5).train(), []
    network.dropout.register_forward_hook(lambda module, x, y: seen.append((x[0].shape[1], y)))
    network.decoders[0][0].register_forward_hook(lambda module, x, y: seen.append((0, x[0])))
    network(torch.rand(1, 1, 32, 48))
    (channels4, dropped4), (channels5, _), (_, concatenated) = seen
    assert (channels4, channels5) == (32, 64)  # "Block4" and "Block5" at a width of 4
    assert torch.equal(concatenated[:, :32], dropped4)
    assert (dropped4 == 0).float().mean() > 0.3


def test_dropout_acts_in_training_only():
    x = torch.rand(1, 1, 32, 48)
    network = small(dropout=0.5)
    assert not torch.equal(network(x), network(x))
    assert torch.equal(network.eval()(x), network(x))
    silent = small(dropout=0.0)
    assert torch.equal(silent(x), silent(x))


def test_the_2_wide_kernel_after_resizing_sees_the_pixel_and_the_next():
    up = small(UNet, width=1).ups[3]
    with torch.no_grad():
        up[-1].weight.fill_(1)
        up[-1].bias.zero_()
        y = up(torch.tensor([[[[1.0, 10.0]], [[0.0, 0.0]]]]))
    assert y.tolist() == [[[[4, 22, 40, 20], [2, 11, 20, 10]]]]


# --- what every network promises --------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "arguments"), EVERY)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_logits_have_the_shape_of_the_image(kind, arguments, dimensions):
    network = small(kind, in_channels=3, out_channels=2, dimensions=dimensions, **arguments)
    with torch.no_grad():
        assert network(torch.rand(2, 3, *SPATIAL[dimensions])).shape == (2, 2, *SPATIAL[dimensions])


@pytest.mark.parametrize(("kind", "arguments"), EVERY)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_gradient_reaches_every_parameter(kind, arguments, dimensions):
    network = small(kind, dimensions=dimensions, **arguments)
    network(torch.rand(2, 1, *SPATIAL[dimensions])).pow(2).sum().backward()
    unreached = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.any()]
    assert unreached == []


@pytest.mark.parametrize("kind", [UNet, SDUNet])
def test_every_multiple_of_the_divisor_is_accepted_and_nothing_else(kind):
    network = small(kind).eval()
    assert network.divisor == 16
    assert network(torch.rand(1, 1, 16, 48)).shape == (1, 1, 16, 48)
    with pytest.raises(RuntimeError, match="Sizes of tensors must match"):
        network(torch.rand(1, 1, 24, 48))


@pytest.mark.parametrize("kind", [UNet, SDUNet])
@pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning")  # PyTorch's own, in group normalization
def test_a_traced_network_takes_other_sizes_and_batches(kind):
    network = small(kind, width=2).eval()
    traced = torch.jit.trace(network, torch.rand(1, 1, 32, 32), check_trace=False)
    x = torch.rand(3, 1, 48, 16)
    with torch.no_grad():
        assert torch.allclose(traced(x), network(x), atol=1e-5)  # the same operations, perhaps in another order


@pytest.mark.parametrize("kind", [UNet, SDUNet])
def test_logits_are_neither_squashed_nor_huge_before_training(kind):
    with torch.no_grad():
        y = small(kind, width=16).eval()(torch.randn(2, 1, 64, 64))
    assert y.abs().max() > 1
    # Without dividing by what a depthwise kernel of standard deviation 1 amplifies, SD-UNet's reach 82.
    assert y.abs().max() < 50


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"in_channels": 0}, "at least one channel in and out, got 0 and 1"),
        ({"out_channels": 0}, "at least one channel in and out, got 1 and 0"),
        ({"width": 0}, "width must be at least 1, got 0"),
        ({"dimensions": 4}, "dimensions must be 2 or 3, got 4"),
        ({"convolution": "sparse"}, "unknown convolution 'sparse'; known: standard, separable, standardized"),
        ({"normalization": "layer"}, "unknown normalization 'layer'; known: batch, instance, group"),
    ],
)
def test_impossible_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(UNet, **arguments)


# --- weight standardization -------------------------------------------------------------------------------------


def test_weight_standardization_follows_equation_5():
    weight = torch.tensor([[[[1.0, 2.0, 3.0]]], [[[4.0, 5.0, 9.0]]]])
    # Mean 4; squared deviations 9, 4, 1, 0, 1, 25 have the mean 40 / 6.
    expected = (weight - 4) / ((40 / 6) ** 0.5 + 1e-5)
    assert torch.allclose(weight_standardization(weight), expected, rtol=1e-6)


def test_scaling_and_shifting_a_standardized_kernel_changes_nothing():
    layer = DepthwiseSeparable(2, 8, 4, standardized=True)
    x = torch.rand(1, 8, 16, 16)
    with torch.no_grad():
        before = layer(x)
        layer.depthwise.weight.mul_(3).add_(2)
        # Rounding, and 1e-5 beside a standard deviation of about 0.2.
        assert torch.allclose(layer(x), before, atol=1e-4 * float(before.abs().max()))


def test_every_depthwise_kernel_is_standardized():
    for layer in separable_layers(small(width=8)):
        kernel = layer.kernel.detach()
        assert float(kernel.mean()) == pytest.approx(0, abs=1e-6)
        assert float(kernel.std(correction=0)) == pytest.approx(1, abs=1e-3)  # 1e-5 beside a deviation of about 0.2


def test_only_the_depthwise_kernels_of_a_layer_are_standardized():
    layer = DepthwiseSeparable(2, 8, 4, standardized=True)
    x = torch.rand(1, 8, 16, 16)
    with torch.no_grad():
        expected = layer.pointwise(nn.functional.conv2d(x, layer.kernel, padding=1, groups=8))
        assert torch.equal(layer(x), expected)


def test_standardized_layers_can_put_out_one_value_over_a_region():
    # They could not if the kernel of each channel had a mean of 0: then a constant image would give 0.
    torch.manual_seed(0)
    layer = DepthwiseSeparable(2, 4, 1, standardized=True)
    with torch.no_grad():
        layer.pointwise.bias.zero_()
        inner = layer(torch.ones(1, 4, 8, 8))[..., 1:-1, 1:-1]
    assert inner.abs().min() > 0.1
    assert torch.allclose(inner, inner.mean())


def test_resolving_weight_standardization_keeps_the_output():
    network = small(width=8).eval()
    resolved = copy.deepcopy(network)
    resolve_weight_standardization(resolved)
    x = torch.randn(2, 1, 48, 32)
    with torch.no_grad():
        expected, got = network(x), resolved(x)
    assert (got - expected).abs().max() / expected.abs().max() < 1e-6
    assert all(torch.equal(layer.kernel, layer.depthwise.weight) for layer in separable_layers(resolved))


def test_a_resolved_layer_computes_nothing_from_its_weights():
    layer, x = DepthwiseSeparable(2, 4, 2, standardized=True), torch.rand(1, 4, 8, 8)
    arithmetic = {"aten::mean", "aten::std", "aten::sub", "aten::div"}

    def operations() -> set[str]:
        return {node.kind() for node in torch.jit.trace(layer, x).inlined_graph.nodes()}

    assert arithmetic <= operations()
    resolve_weight_standardization(layer)
    assert not arithmetic & operations()


def test_resolved_weights_are_those_of_the_separable_u_net():
    network, x = small().eval(), torch.rand(1, 1, 32, 32)
    resolve_weight_standardization(network)
    plain = UNet(width=4, convolution="separable", normalization="group").eval()
    plain.load_state_dict(network.state_dict())
    with torch.no_grad():
        assert torch.equal(plain(x), network(x))


def test_resolving_a_network_without_weight_standardization_changes_nothing():
    network = small(UNet, convolution="separable")
    before = copy.deepcopy(network.state_dict())
    resolve_weight_standardization(network)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
