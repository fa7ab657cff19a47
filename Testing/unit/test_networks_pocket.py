"""The PocketNet family: the paper's figures, its equations, one skeleton for four networks, thick slices."""

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch: pip install lightseg[pytorch]")

from torch import nn  # noqa: E402

from LightSegLib.networks.layers import convolution, max_pool, transposed_convolution  # noqa: E402
from LightSegLib.networks.pocket import (  # noqa: E402
    PocketClassifier,
    PocketDenseNet,
    PocketHRNet,
    PocketNNUNet,
    PocketResNet,
    PocketUNet,
)
from LightSegLib.networks.pocket.levels import level_widths  # noqa: E402

from .network_counts import parameters  # noqa: E402

SEGMENTATION = (PocketUNet, PocketResNet, PocketDenseNet, PocketHRNet, PocketNNUNet)
FAMILY = (*SEGMENTATION, PocketClassifier)
CONVOLUTIONS = (nn.Conv2d, nn.Conv3d, nn.ConvTranspose2d, nn.ConvTranspose3d)
HALF_A_DIGIT = 0.05  # of the millions that the paper prints with one decimal
RELATIVE = 0.02  # what the paper's own rounding needs: it prints 2.60 where its network has 2.64 M


def count(network: type[nn.Module], **arguments: object) -> int:
    """The number of parameters of a network of any size: on "meta" it has shapes and no memory."""
    with torch.device("meta"):
        return parameters(network(**arguments))


def small(network: type[nn.Module], dimensions: int = 2, **arguments: object) -> nn.Module:
    torch.manual_seed(0)
    return network(2, 3, **{"width": 4, "depth": 2, "dimensions": dimensions, **arguments})


def small_input(dimensions: int, batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 2, *(16, 24, 8)[:dimensions], generator=torch.Generator().manual_seed(1))


# --- Tables I, II and IV ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("network", "pocket", "ours", "printed"),
    [
        (PocketUNet, False, 90_480_225, 90.5),
        (PocketUNet, True, 762_273, 0.8),
        (PocketResNet, False, 91_883_009, 91.9),
        (PocketResNet, True, 778_369, 0.8),
        (PocketDenseNet, False, 135_884_097, 135.9),
        (PocketDenseNet, True, 1_257_601, 1.3),
        (PocketHRNet, False, 6_488_673, 6.5),
        (PocketHRNet, True, 696_801, 0.7),
        (PocketNNUNet, False, 31_190_177, 31.2),
        (PocketNNUNet, True, 762_273, 0.8),
        (PocketClassifier, False, 1_179_986, 1.2),
        (PocketClassifier, True, 21_234, 0.02),
    ],
)
def test_networks_have_the_parameters_of_tables_1_and_2(network, pocket, ours, printed):
    assert count(network, pocket=pocket) == ours
    assert ours / 1e6 == pytest.approx(printed, rel=RELATIVE, abs=HALF_A_DIGIT if printed > 0.1 else 0.005)


@pytest.mark.parametrize(
    ("largest_width", "ours", "printed"),
    [
        (1024, 90_480_225, 90.5),
        (512, 60_069_473, 60.0),
        (256, 24_349_025, 24.3),
        (128, 8_388_193, 8.40),
        (64, 2_639_521, 2.60),
        (32, 762_273, 0.80),
    ],
)
def test_the_width_where_doubling_stops_gives_table_4(largest_width, ours, printed):
    assert count(PocketUNet, pocket=False, largest_width=largest_width) == ours
    assert ours / 1e6 == pytest.approx(printed, rel=RELATIVE, abs=HALF_A_DIGIT)


@pytest.mark.parametrize(("depth", "millions"), [(4, 22.6), (6, 362.1)])
def test_other_than_five_downsamplings_would_miss_the_figure(depth, millions):
    assert count(PocketUNet, pocket=False, depth=depth) / 1e6 == pytest.approx(millions, abs=HALF_A_DIGIT)


def test_skips_that_add_would_miss_the_figure():
    with torch.device("meta"):
        network = PocketUNet(pocket=False)
    halves = sum(block[0].weight.numel() // 2 for block in network.decoders)
    assert (parameters(network) - halves) / 1e6 == pytest.approx(81.1, abs=0.05)


def test_residual_blocks_that_concatenate_would_miss_the_figure():
    with torch.device("meta"):
        network = PocketResNet(pocket=False)
    blocks = [*network.encoders, network.bottleneck, *network.decoders]
    wider = sum(block.projection[0].out_channels ** 2 for block in blocks)  # the 1-wide layer sees both branches
    assert (parameters(network) + wider) / 1e6 == pytest.approx(93.6, abs=0.05)


@pytest.mark.parametrize(("pocket", "millions"), [(False, 133.1), (True, 1.22)])
def test_a_dense_network_with_max_pooling_would_miss_the_figures(pocket, millions):
    with torch.device("meta"):
        network = PocketDenseNet(pocket=pocket)
    assert (parameters(network) - parameters(network.downs)) / 1e6 == pytest.approx(millions, abs=0.05)


def test_a_classifier_of_32_feature_maps_would_miss_the_figures():
    assert count(PocketClassifier, pocket=False, width=32) == pytest.approx(4.71e6, rel=1e-3)  # printed: 1.2
    assert count(PocketClassifier, width=32) == pytest.approx(0.084e6, rel=1e-2)  # printed: 0.02


def test_separable_convolutions_leave_ten_times_the_parameters_that_section_4_prints():
    with torch.device("meta"):
        network = PocketResNet()
    wide = [m for m in network.modules() if isinstance(m, nn.Conv3d) and m.kernel_size == (3, 3, 3)]
    saved = sum(m.weight.numel() - m.in_channels * (27 + m.out_channels) for m in wide)
    assert (parameters(network) - saved) / 1e3 == pytest.approx(108, abs=1)  # printed: "roughly 10,000"


# --- equations (1) to (3) ---------------------------------------------------------------------------------------


def n_full(*, C: int, k: int, n: int, c_in: int, c_out: int, D: int) -> float:
    """Equation (1): C kernels of k^n weights a level, whose inputs and outputs double with every downsampling."""
    return C * k**n * c_in * c_out * (4 ** (D + 1) - 1) / 3


def n_pocket(*, C: int, k: int, n: int, c_in: int, c_out: int, D: int) -> int:
    """Equation (2): the same with constant numbers of inputs and outputs."""
    return (D + 1) * C * k**n * c_in * c_out


def savings(D: int) -> float:
    """Equation (3): the ratio of both."""
    return (4 ** (D + 1) - 1) / (3 * (D + 1))


@pytest.mark.parametrize("case", [{"n": 2, "k": 3, "C": 1, "D": 2}, {"n": 3, "k": 3, "C": 2, "D": 3}])
@pytest.mark.parametrize(("c_in", "c_out"), [(4, 4), (2, 3)])
def test_equations_1_and_2_count_the_kernels_of_equal_convolutions_at_every_level(case, c_in, c_out):
    n, k, C, D = case["n"], case["k"], case["C"], case["D"]

    def toy(growth: int) -> nn.Module:
        return nn.ModuleList(
            convolution(n, c_in * growth**d, c_out * growth**d, k, bias=False) for d in range(D + 1) for _ in range(C)
        )

    assert parameters(toy(growth=2)) == n_full(**case, c_in=c_in, c_out=c_out)
    assert parameters(toy(growth=1)) == n_pocket(**case, c_in=c_in, c_out=c_out)


def test_equation_3_is_the_ratio_of_the_other_two():
    case = {"C": 2, "k": 3, "n": 3, "c_in": 32, "c_out": 32, "D": 5}
    assert savings(5) == pytest.approx(n_full(**case) / n_pocket(**case))


def test_equation_3_promises_about_twice_what_a_u_net_saves():
    assert int(savings(5)) == 227
    assert round(count(PocketUNet, pocket=False) / count(PocketUNet)) == 119


def test_a_u_net_saves_less_because_its_coarsest_level_has_the_fewest_convolutions():
    with torch.device("meta"):
        network = PocketUNet(pocket=False)
    case = {"C": 4, "k": 3, "n": 3, "c_in": 32, "c_out": 32}
    finer_levels = n_full(**case, D=4)
    assert 1 - finer_levels / n_full(**case, D=5) == pytest.approx(0.75, abs=0.001)
    assert parameters(network.bottleneck) / parameters(network) == pytest.approx(0.469, abs=0.001)


def test_hrnet_alone_shrinks_by_less_than_an_order_of_magnitude():
    ratios = {network: count(network, pocket=False) / count(network) for network in FAMILY}
    assert [network for network, ratio in ratios.items() if ratio < 10] == [PocketHRNet]  # 9.3


# --- widths -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("network", FAMILY)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_every_convolution_of_a_pocket_network_has_the_same_range(network, dimensions):
    convolutions = {k: m for k, m in small(network, dimensions).named_modules() if isinstance(m, CONVOLUTIONS)}
    assert {m.out_channels for key, m in convolutions.items() if key != "head"} == {4}  # Definition 2.1


@pytest.mark.parametrize(
    ("arguments", "widths"),
    [
        ({"pocket": True, "largest_width": None}, (8, 8, 8, 8, 8)),
        ({"pocket": True, "largest_width": 8}, (8, 8, 8, 8, 8)),
        ({"pocket": False, "largest_width": 8}, (8, 8, 8, 8, 8)),
        ({"pocket": False, "largest_width": 32}, (8, 16, 32, 32, 32)),
        ({"pocket": False, "largest_width": 40}, (8, 16, 32, 40, 40)),
        ({"pocket": False, "largest_width": None}, (8, 16, 32, 64, 128)),
    ],
)
def test_widths_double_until_the_largest(arguments, widths):
    assert level_widths(8, 4, **arguments) == widths


@pytest.mark.parametrize("network", FAMILY)
def test_pocket_is_short_for_a_largest_width_of_the_first(network):
    shapes = [
        {key: value.shape for key, value in small(network, **arguments).state_dict().items()}
        for arguments in ({"pocket": True}, {"pocket": False, "largest_width": 4})
    ]
    assert shapes[0] == shapes[1]


@pytest.mark.parametrize(("dimensions", "largest"), [(2, 512), (3, 320)])
def test_nnunet_stops_doubling_at_its_own_limit_unless_told_otherwise(dimensions, largest):
    with torch.device("meta"):
        network = PocketNNUNet(pocket=False, dimensions=dimensions, depth=6)
        wider = PocketNNUNet(pocket=False, dimensions=dimensions, depth=6, largest_width=1000)
    assert network.bottleneck[0].out_channels == largest
    assert wider.bottleneck[0].out_channels == 1000


@pytest.mark.parametrize("network", FAMILY)
def test_widths_that_contradict_each_other_are_refused(network):
    with pytest.raises(ValueError, match="pocket=True keeps 4 feature maps at every level, got largest_width=8"):
        small(network, pocket=True, largest_width=8)
    with pytest.raises(ValueError, match="at least the width of the first level, 4, got 2"):
        small(network, pocket=False, largest_width=2)


# --- every network of the family --------------------------------------------------------------------------------


@pytest.mark.parametrize("network", FAMILY)
@pytest.mark.parametrize("dimensions", [2, 3])
@pytest.mark.parametrize("pocket", [True, False])
def test_networks_give_logits_of_the_right_shape(network, dimensions, pocket):
    x = small_input(dimensions)
    with torch.no_grad():
        y = small(network, dimensions, pocket=pocket).eval()(x)
    assert y.shape == ((2, 3) if network is PocketClassifier else (2, 3, *x.shape[2:]))


@pytest.mark.parametrize("network", FAMILY)
def test_networks_end_in_logits(network):
    built = small(network).eval()
    with torch.no_grad():
        built.head.bias.fill_(50.0)
        assert built(small_input(2)).min() > 1


@pytest.mark.parametrize("network", FAMILY)
@pytest.mark.parametrize("dimensions", [2, 3])
def test_the_gradient_reaches_every_parameter(network, dimensions):
    built = small(network, dimensions)
    built(small_input(dimensions)).pow(2).sum().backward()
    assert [k for k, p in built.named_parameters() if p.grad is None or not p.grad.any()] == []


@pytest.mark.filterwarnings("ignore:Converting a tensor to a Python boolean")  # PyTorch's own instance normalization
@pytest.mark.parametrize("network", FAMILY)
def test_a_trace_holds_for_other_batches_and_sizes(network):
    built = small(network).eval()
    traced = torch.jit.trace(built, small_input(2, batch=1), check_trace=False)
    x = torch.rand(3, 2, 8, 20)
    with torch.no_grad():
        assert torch.allclose(traced(x), built(x), atol=1e-6)  # float32 sums of values near 1


@pytest.mark.parametrize("network", FAMILY)
@pytest.mark.parametrize("depth", [1, 3])
def test_the_divisor_is_what_the_downsamplings_halve(network, depth):
    assert small(network, depth=depth).divisor == 2**depth


@pytest.mark.parametrize("network", FAMILY)
@pytest.mark.parametrize("name", ["in_channels", "out_channels", "width", "depth"])
def test_counts_below_one_are_refused(network, name):
    with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
        network(**{name: 0})


@pytest.mark.parametrize("network", FAMILY)
def test_four_dimensions_are_refused(network):
    with pytest.raises(ValueError, match="dimensions must be 2 or 3, got 4"):
        network(dimensions=4)


@pytest.mark.parametrize("network", [n for n in FAMILY if n is not PocketNNUNet])
def test_normalization_is_of_the_batch_unless_asked_for(network):
    def norms(**arguments: object) -> set[type[nn.Module]]:
        known = (nn.BatchNorm2d, nn.InstanceNorm2d, nn.GroupNorm)
        return {type(m) for m in small(network, **arguments).modules() if isinstance(m, known)}

    assert norms() == {nn.BatchNorm2d}
    assert norms(normalization="group") == {nn.GroupNorm}
    with pytest.raises(ValueError, match="unknown normalization 'layer'; known: batch, instance, group"):
        small(network, normalization="layer")


# --- what is particular to one network --------------------------------------------------------------------------


def test_the_u_net_keeps_the_keys_that_trained_weights_have():
    keys = PocketUNet(width=4, depth=2).state_dict()
    norm = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    block = ["0.weight", *(f"1.{n}" for n in norm), "3.weight", *(f"4.{n}" for n in norm)]
    expected = [f"{part}.{key}" for part in ("encoders.0", "encoders.1", "bottleneck") for key in block]
    expected += [f"ups.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")]
    expected += [f"decoders.{i}.{key}" for i in (0, 1) for key in block]
    assert list(keys) == [*expected, "head.weight", "head.bias"]


def test_the_classifier_is_the_encoder_of_the_u_net():
    x = small_input(2)
    classifier, network = small(PocketClassifier).eval(), small(PocketUNet).eval()
    encoder = {k: v for k, v in network.state_dict().items() if k.startswith(("encoders.", "bottleneck."))}
    missing, unexpected = classifier.load_state_dict(encoder, strict=False)
    assert (missing, unexpected) == (["head.weight", "head.bias"], [])
    with torch.no_grad():
        largest = network.encode(x)[1].amax((2, 3))  # global max-pooling
        assert torch.equal(classifier(x), classifier.head(largest))


def test_a_residual_block_adds_its_projection():
    block = small(PocketResNet).eval().encoders[1]
    x = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for parameter in block.residual[-1].parameters():  # the last normalization: the branch becomes zero
            parameter.zero_()
        assert torch.equal(block(x), block.projection(x).relu())


def test_a_dense_block_sees_all_feature_maps_before():
    block = small(PocketDenseNet, pocket=False).encoders[1]
    assert [layer[0].in_channels for layer in (block.first, block.second, block.join)] == [4, 12, 20]
    assert {layer[0].out_channels for layer in (block.first, block.second, block.join)} == {8}


def test_hrnet_keeps_every_resolution_to_its_last_column():
    network, shapes = small(PocketHRNet, depth=3, pocket=False).eval(), {}
    for column, module in enumerate(network.columns, start=3):
        module.register_forward_hook(lambda _, __, y, column=column: shapes.update({column: [t.shape for t in y]}))
    with torch.no_grad():
        network(torch.zeros(1, 2, 16, 24))
    rows = [(1, 4, 16, 24), (1, 8, 8, 12), (1, 16, 4, 6), (1, 32, 2, 3)]
    assert shapes == {3: rows[:3], 4: rows}


@pytest.mark.parametrize("dimensions", [2, 3])
def test_nnunet_goes_down_by_strides_with_affine_instance_norm_and_leaky_relu(dimensions):
    modules = list(small(PocketNNUNet, dimensions).modules())
    pools = (nn.MaxPool2d, nn.MaxPool3d, nn.BatchNorm2d, nn.BatchNorm3d, nn.ReLU)
    assert not any(isinstance(m, pools) for m in modules)
    assert all(m.affine for m in modules if isinstance(m, (nn.InstanceNorm2d, nn.InstanceNorm3d)))
    assert {m.negative_slope for m in modules if isinstance(m, nn.LeakyReLU)} == {0.01}
    strides = [m.stride[0] for m in modules if isinstance(m, CONVOLUTIONS[:2])]
    assert strides.count(2) == 2  # one a downsampling


def test_nnunet_needs_more_than_one_voxel_at_its_coarsest_level():
    network = small(PocketNNUNet).eval()
    assert network(torch.zeros(1, 2, 4, 8)).shape == (1, 3, 4, 8)
    with pytest.raises(ValueError, match="more than 1 spatial element"):
        network(torch.zeros(1, 2, 4, 4))


# --- thick slices -----------------------------------------------------------------------------------------------


def test_strides_and_kernels_leave_thick_slices_alone():
    network = small(PocketUNet, 3, strides=[(1, 2, 2), [2, 2, 2]], kernels=[(1, 3, 3), (1, 3, 3), [3, 3, 3]]).eval()
    assert network.divisor == 4
    shapes = [tuple(m.weight.shape[2:]) for m in (network.encoders[1][0], network.bottleneck[0], *network.ups)]
    assert shapes == [(1, 3, 3), (3, 3, 3), (2, 2, 2), (1, 2, 2)]
    assert [block[0].kernel_size for block in network.decoders] == [(1, 3, 3), (1, 3, 3)]
    x = torch.rand(1, 2, 6, 16, 8)  # 6 slices: a multiple of 2 is all that this axis needs
    with torch.no_grad():
        features, coarsest = network.encode(x)
        assert [tuple(f.shape[2:]) for f in (*features, coarsest)] == [(6, 16, 8), (6, 8, 4), (3, 4, 2)]
        assert network(x).shape == (1, 3, 6, 16, 8)


def test_a_network_whose_strides_and_kernels_keep_an_axis_treats_its_slices_alike():
    network = small(PocketUNet, 3, strides=[(1, 2, 2)] * 2, kernels=[(1, 3, 3)] * 3).eval()
    x = torch.rand(1, 2, 5, 8, 8)
    with torch.no_grad():
        slices = [network(x[:, :, i : i + 1]) for i in range(5)]
        assert torch.allclose(network(x), torch.cat(slices, dim=2), atol=1e-6)  # float32 sums of values near 1


def test_the_usual_strides_and_kernels_are_the_default():
    network = small(PocketUNet, 3, strides=[(2, 2, 2)] * 2, kernels=[(3, 3, 3)] * 3).eval()
    with torch.no_grad():
        assert torch.equal(network(small_input(3)), small(PocketUNet, 3).eval()(small_input(3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"strides": [(1, 2, 2)]}, r"strides must have one entry for each of the 2 downsamplings, got \[\(1, 2, 2\)\]"),
        ({"strides": [(1, 2, 2), (2, 2)]}, r"a stride must have 3 entries of 1 or 2, not all 1, got \(2, 2\)"),
        ({"strides": [(1, 2, 3), (2, 2, 2)]}, r"a stride must .* got \(1, 2, 3\)"),
        ({"strides": [(1, 1, 1), (2, 2, 2)]}, r"a stride must .* got \(1, 1, 1\)"),
        ({"kernels": [(1, 3, 3)] * 2}, "kernels must have one entry for each of the 3 levels"),
        ({"kernels": [(2, 3, 3)] * 3}, r"a kernel must have 3 odd entries, got \(2, 3, 3\)"),
        ({"kernels": [(3, 3)] * 3}, r"a kernel must have 3 odd entries, got \(3, 3\)"),
    ],
)
def test_strides_and_kernels_that_do_not_fit_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        small(PocketUNet, 3, **arguments)


def test_layers_change_only_the_axes_that_their_tuples_name():
    x = torch.zeros(1, 2, 6, 8, 4)
    assert max_pool(3, (1, 2, 2))(x).shape == (1, 2, 6, 4, 2)
    assert convolution(3, 2, 3, (1, 2, 2), stride=(1, 2, 2))(x).shape == (1, 3, 6, 4, 2)
    assert convolution(3, 2, 3, (1, 3, 5), stride=(1, 2, 1))(x).shape == (1, 3, 6, 4, 4)
    assert transposed_convolution(3, 2, 3, stride=(1, 2, 1))(x).shape == (1, 3, 6, 16, 4)
