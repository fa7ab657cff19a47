"""Several networks as one whose probability is the mean of theirs (low-rank paper, section 4)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["ProbabilityEnsemble"]

ACTIVATIONS = ("softmax", "sigmoid")


class _Divided(Protocol):
    divisor: int


class ProbabilityEnsemble(nn.Module):
    """Networks of equal inputs and outputs as one: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    The probability that `activation` makes of the output is the mean of the networks' probabilities: its softmax over
    the channels for labels that exclude each other, its sigmoid for channels that stand alone, such as nested regions.
    So the ensemble is a network like any other for losses and engines, which expect logits. The output is computed from
    logarithms of probabilities and stays finite where a probability rounds to 0 or 1.

    `divisor` is the least common multiple of the networks' divisors.

    Errors: ValueError without networks or for an unknown activation.
    Source: section 4, "the probability maps were first averaged and then thresholded".
    """

    def __init__(self, networks: Sequence[nn.Module], *, activation: str = "softmax") -> None:
        super().__init__()
        if not networks:
            raise ValueError("an ensemble needs at least one network, got none")
        if activation not in ACTIVATIONS:
            raise ValueError(f"activation must be one of {', '.join(ACTIVATIONS)}, got {activation!r}")
        self.networks = nn.ModuleList(networks)
        self.activation = activation
        self.divisor = math.lcm(*(cast(_Divided, network).divisor for network in networks))

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> logits (n, out_channels, *spatial)."""
        logits = torch.stack([network(x) for network in self.networks])
        # sum over networks of exp(log p) is N times the mean; a softmax and a difference of logarithms both drop N
        if self.activation == "softmax":
            return F.log_softmax(logits, dim=2).logsumexp(0) - math.log(len(self.networks))
        return F.logsigmoid(logits).logsumexp(0) - F.logsigmoid(-logits).logsumexp(0)
