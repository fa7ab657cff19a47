"""ACU-Net: the paper's figures and Table 1 row by row."""

from dataclasses import dataclass
from functools import partial

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch: pip install lightseg[pytorch]")

from torch import nn  # noqa: E402
from torch.utils.flop_counter import FlopCounterMode  # noqa: E402

from LightSegLib.networks.acu import ACUNet  # noqa: E402
from LightSegLib.networks.blocks import InvertedResidual, SqueezeExcitation, round_to_multiple  # noqa: E402

from .network_counts import parameters  # noqa: E402


def multiply_adds(network: nn.Module, *shape: int) -> int:
    network.eval()
    counter = FlopCounterMode(display=False)
    with torch.no_grad(), counter:
        network(torch.zeros(shape))
    return counter.get_total_flops() // 2  # the counter has two operations in each multiply-add


# --- the paper's figures ----------------------------------------------------------------------------------------


def test_acu_net_has_the_papers_parameters():
    assert parameters(ACUNet(in_channels=3)) == 366_801  # printed: 0.3668 M


def test_acu_net_has_the_papers_multiply_adds():
    assert multiply_adds(ACUNet(in_channels=3), 1, 3, 256, 256) / 1e9 == pytest.approx(0.3855, abs=5e-5)


def test_expanding_a_block_whose_expansion_equals_its_input_would_exceed_the_papers_figures():
    network = ACUNet(in_channels=3)
    expansion = nn.Sequential(nn.Conv2d(16, 16, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
    network.encoder1.layers = nn.Sequential(*expansion, *network.encoder1.layers)
    assert parameters(network) == 367_089  # 0.3671 M, printed: 0.3668 M
    assert multiply_adds(network, 1, 3, 256, 256) / 1e9 == pytest.approx(0.390, abs=5e-4)


def test_a_transposed_convolution_would_miss_the_papers_multiply_adds():
    network = ACUNet(in_channels=3)
    for name in ("up3", "up2", "up1", "up0"):
        convolution = getattr(network, name).convolution
        transposed = nn.ConvTranspose2d(convolution.in_channels, convolution.out_channels, 2, stride=2)
        assert parameters(transposed) == parameters(convolution)
        setattr(network, name, transposed)
    assert multiply_adds(network, 1, 3, 256, 256) / 1e9 == pytest.approx(0.275, abs=1e-3)


# --- Table 1 of the ACU-Net paper -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A block row of Table 1: input size at 256 x 256 and channels, kernel, "exp size", output, SE, NL, stride."""

    name: str
    size: int
    channels: int
    kernel: int
    expanded: int
    out: int
    squeeze: bool
    activation: type[nn.Module]
    stride: int
    concatenated: int = 0  # channels that the skip adds (rows "Up-InvRes-B")


RE, HS = nn.ReLU, nn.Hardswish
TABLE_1 = (
    Row("encoder1", 128, 16, 3, 16, 16, False, RE, 1),
    Row("encoder2.0", 128, 16, 3, 64, 24, False, RE, 2),
    Row("encoder2.1", 64, 24, 3, 72, 24, False, RE, 1),
    Row("encoder3.0", 64, 24, 5, 96, 40, True, HS, 2),
    Row("encoder3.1", 32, 40, 5, 240, 40, True, HS, 1),
    Row("encoder3.2", 32, 40, 5, 240, 40, True, HS, 1),
    Row("bottleneck", 32, 40, 5, 240, 240, True, HS, 2),
    Row("decoder3", 32, 40, 5, 240, 40, True, HS, 1, concatenated=40),
    Row("decoder2", 64, 24, 5, 72, 24, True, HS, 1, concatenated=24),
    Row("decoder1", 128, 16, 3, 16, 16, True, HS, 1, concatenated=16),
)


@pytest.fixture(scope="module")
def traced() -> dict[str, tuple[nn.Module, tuple[int, ...], tuple[int, ...]]]:
    """Every module of an ACU-Net by name, with the shapes of its input and output at 256 x 256 x 3."""
    network, seen = ACUNet(in_channels=3).eval(), {}

    def remember(name: str, module: nn.Module, x: tuple[torch.Tensor], y: torch.Tensor) -> None:
        seen[name] = (module, tuple(x[0].shape), tuple(y.shape))

    for name, module in network.named_modules():
        module.register_forward_hook(partial(remember, name))
    with torch.no_grad():
        network(torch.zeros(1, 3, 256, 256))
    return seen


@pytest.mark.parametrize("row", TABLE_1, ids=lambda row: row.name)
def test_blocks_follow_table_1(traced, row: Row):
    block, given, got = traced[row.name]
    assert given == (1, row.channels + row.concatenated, row.size, row.size)
    assert got == (1, row.out, row.size // row.stride, row.size // row.stride)
    (depthwise,) = [m for m in block.modules() if isinstance(m, nn.Conv2d) and m.groups > 1]
    assert depthwise.kernel_size == (row.kernel, row.kernel)
    assert depthwise.stride == (row.stride, row.stride)
    assert depthwise.groups == depthwise.in_channels == row.expanded
    assert sum(isinstance(m, SqueezeExcitation) for m in block.modules()) == row.squeeze
    assert {type(m) for m in block.modules() if isinstance(m, (nn.ReLU, nn.Hardswish))} == {row.activation}


@pytest.mark.parametrize("row", TABLE_1, ids=lambda row: row.name)
def test_a_block_is_residual_exactly_where_shapes_agree(traced, row: Row):
    block, given, got = traced[row.name]
    agree = given == got
    with torch.no_grad():
        for parameter in block.layers[-1].parameters():  # the last normalization: the branch becomes zero
            parameter.zero_()
        x = torch.rand(given)
        assert torch.equal(block.eval()(x), x if agree else torch.zeros(got))


@pytest.mark.parametrize(
    ("name", "given", "got"),
    [
        ("stem", (3, 256), (16, 128)),
        ("up3", (240, 16), (40, 32)),
        ("up2", (40, 32), (24, 64)),
        ("up1", (24, 64), (16, 128)),
        ("up0", (16, 128), (16, 256)),
        ("head", (16, 256), (1, 256)),
    ],
)
def test_the_other_rows_follow_table_1(traced, name, given, got):
    _, x, y = traced[name]
    assert x == (1, given[0], given[1], given[1])
    assert y == (1, got[0], got[1], got[1])


def test_every_convolution_inside_a_block_is_normalized(traced):
    for row in TABLE_1:
        layers = list(traced[row.name][0].layers)
        for index, layer in enumerate(layers):
            if isinstance(layer, nn.Conv2d):
                assert isinstance(layers[index + 1], nn.BatchNorm2d), row.name


def test_acu_net_ends_in_logits(traced):
    network = ACUNet().eval()
    with torch.no_grad():
        network.head.bias.fill_(5.0)
        assert network(torch.zeros(1, 3, 32, 32)).max() > 1


def test_dropout_is_off_unless_asked_for():
    torch.manual_seed(0)
    x = torch.rand(1, 3, 32, 32)
    silent, dropping = ACUNet(), ACUNet(dropout=0.5)
    dropping.load_state_dict(silent.state_dict())
    for network in (silent, dropping):
        network.eval()
    assert torch.equal(silent(x), dropping(x))
    for network in (silent, dropping):
        network.dropout.train()
    assert torch.equal(silent(x), silent(x))
    assert not torch.equal(dropping(x), dropping(x))


# --- blocks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "rounded"), [(4, 8), (10, 16), (18, 24), (24, 24), (60, 64), (240 / 4, 64), (16, 16)]
)
def test_channel_counts_round_to_multiples_of_eight_and_not_far_down(value, rounded):
    assert round_to_multiple(value) == rounded
    assert round_to_multiple(value) >= 0.9 * value


def test_squeeze_and_excitation_rescales_channels_by_their_means():
    torch.manual_seed(0)
    gate = SqueezeExcitation(16)
    x = torch.rand(2, 16, 6, 8)
    ratio = gate(x) / x
    assert torch.allclose(ratio, ratio[:, :, :1, :1].expand_as(x), atol=1e-6)
    assert ((ratio > 0) & (ratio < 1)).all()
    moved = x.flatten(2)[:, :, torch.randperm(48)].reshape(x.shape)
    assert torch.allclose(gate(moved) / moved, ratio, atol=1e-6)


def test_unknown_activations_list_the_known():
    with pytest.raises(ValueError, match=r"activation must be 'RE' \(ReLU\) or 'HS' \(hard-swish\), got 'GELU'"):
        InvertedResidual(8, 16, 8, kernel=3, activation="GELU")


@pytest.mark.parametrize(("inputs", "outputs"), [(0, 1), (3, 0)])
def test_acu_net_without_channels_is_refused(inputs, outputs):
    with pytest.raises(ValueError, match=f"at least one channel in and out, got {inputs} and {outputs}"):
        ACUNet(in_channels=inputs, out_channels=outputs)
