"""An ensemble of networks has the mean of their probabilities."""

import pytest

torch = pytest.importorskip("torch", reason="networks need PyTorch: pip install lightseg[pytorch]")

from torch import nn  # noqa: E402

from LightSegLib.networks.ensemble import ProbabilityEnsemble  # noqa: E402
from LightSegLib.networks.low_rank import LowRankResUNet  # noqa: E402


class Constant(nn.Module):
    """A "network" whose logits are the same everywhere."""

    def __init__(self, *logits: float, divisor: int = 1) -> None:
        super().__init__()
        self.divisor = divisor
        self.register_buffer("logits", torch.tensor(logits).view(1, -1, 1, 1))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.logits.expand(x.shape[0], -1, *x.shape[2:])


def probabilities(activation: str, logits: torch.Tensor) -> torch.Tensor:
    return torch.softmax(logits, 1) if activation == "softmax" else torch.sigmoid(logits)


class Convolution(nn.Conv2d):
    """The smallest network with weights."""

    divisor = 1

    def __init__(self) -> None:
        super().__init__(1, 2, 1)


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_probability_is_the_mean_of_the_networks_probabilities(activation):
    torch.manual_seed(0)
    networks = [LowRankResUNet(2, 3, width=width, depth=1, alpha=a) for width in (3, 4) for a in (None, 0.5)]
    ensemble = ProbabilityEnsemble(networks, activation=activation).eval()
    x = 3 * torch.randn(2, 2, 4, 6, 8)
    with torch.no_grad():
        mean = torch.stack([probabilities(activation, network(x)) for network in networks]).mean(0)
        # float32 rounds a probability by 6e-8 and its logarithm by as much of a number of a few units
        assert torch.allclose(probabilities(activation, ensemble(x)), mean, atol=1e-6)


def test_the_logits_of_a_softmax_are_the_logarithms_of_the_mean():
    ensemble = ProbabilityEnsemble([Constant(0.0, 0.0), Constant(0.0, torch.tensor(3.0).log().item())])
    mean = torch.tensor([(1 / 2 + 1 / 4) / 2, (1 / 2 + 3 / 4) / 2])
    assert torch.allclose(ensemble(torch.zeros(1, 1, 2, 2))[0, :, 0, 0], mean.log())


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_certain_networks_leave_the_output_finite(activation):
    ensemble = ProbabilityEnsemble([Constant(-300.0, 300.0), Constant(-200.0, 250.0)], activation=activation)
    y = ensemble(torch.zeros(1, 1, 2, 2))
    assert torch.isfinite(y).all()
    assert torch.allclose(probabilities(activation, y)[0, :, 0, 0], torch.tensor([0.0, 1.0]))


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_networks_that_contradict_each_other_end_in_the_middle(activation):
    y = ProbabilityEnsemble([Constant(-80.0, 80.0), Constant(80.0, -80.0)], activation=activation)(
        torch.zeros(1, 1, 2, 2)
    )
    assert torch.allclose(probabilities(activation, y), torch.tensor(0.5))


def test_an_ensemble_of_one_is_that_network():
    torch.manual_seed(0)
    network = Convolution()
    x = torch.randn(1, 1, 8, 8)
    assert torch.allclose(ProbabilityEnsemble([network], activation="sigmoid")(x), network(x), atol=1e-5)


def test_sizes_fit_every_network():
    assert ProbabilityEnsemble([Constant(0.0, divisor=4), Constant(0.0, divisor=6)]).divisor == 12


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_the_gradient_reaches_every_network(activation):
    torch.manual_seed(0)
    networks = [Convolution(), Convolution()]
    ProbabilityEnsemble(networks, activation=activation)(torch.randn(1, 1, 8, 8)).square().sum().backward()
    assert all(parameter.grad.any() for network in networks for parameter in network.parameters())


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_openvino_converts_an_ensemble_with_free_sizes(activation):
    openvino = pytest.importorskip("openvino")
    torch.manual_seed(0)
    ensemble = ProbabilityEnsemble([Convolution(), Convolution()], activation=activation).eval()
    model = openvino.convert_model(ensemble, example_input=torch.rand(1, 1, 8, 8), input=[-1, 1, -1, -1])
    compiled = openvino.compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    x = torch.randn(2, 1, 6, 10)
    with torch.no_grad():
        expected = ensemble(x)
    # both round a few float32 operations on numbers near 1
    assert torch.allclose(torch.from_numpy(compiled(x.numpy())[0]), expected, atol=1e-5)


def test_an_ensemble_of_nothing_is_refused():
    with pytest.raises(ValueError, match="an ensemble needs at least one network, got none"):
        ProbabilityEnsemble([])


def test_unknown_activations_list_the_known():
    with pytest.raises(ValueError, match="activation must be one of softmax, sigmoid, got 'relu'"):
        ProbabilityEnsemble([Constant(0.0)], activation="relu")
