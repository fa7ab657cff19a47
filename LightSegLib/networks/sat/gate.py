"""The select-attend-transfer gate of a skip connection (Asgari Taghanaki et al., 2018, section 2)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from LightSegLib.networks.layers import convolution, normalization

__all__ = ["VARIANTS", "SkipGate", "switched_off", "trelu"]

VARIANTS = ("org", "at", "st", "sat")
# W starts in the middle of trelu's slope, as far from both of its flat sides as a weight can be.
INITIAL_WEIGHT = 0.5


def trelu(z: Tensor) -> Tensor:
    """Truncated ReLU, equation 2: z inside [0, 1], 0 below, 1 above.

    Its derivative is 1 from 0 to 1, both ends included (`hardtanh` and `relu6` have 0 there), so that a weight of
    exactly 0 or 1 still learns. Beyond the ends it is 0: a weight that a step takes below 0 stays off for good.
    """
    return z.clamp(0.0, 1.0)


class SkipGate(nn.Module):
    """The gate of one skip connection: (n, channels, *spatial) -> (n, out_channels, *spatial).

    `variant` is "sat" (select, attend and transfer one channel), "at" (attend only, one channel), "st" (select only,
    all channels) or "org" (the original skip connection, unchanged). "sat" has 2 channels + 3 parameters: W, K with a
    bias, and the scale and shift of the batch normalization that follows every convolution in the paper.

    The paper starts its networks as Glorot uniform, which makes half of W negative: these channels would be off before
    training begins and get no gradient. Ours start at 0.5, all partially on, and training switches channels off.

    ValueError: an unknown variant, no channels.
    Source: section 2, equations 1 to 4 and "Special examples"; the parameters fit Table 3 (docs/networks/sat.md).
    """

    def __init__(self, channels: int, *, variant: str = "sat", dimensions: int = 3) -> None:
        super().__init__()
        if variant not in VARIANTS:
            raise ValueError(f"unknown skip {variant!r}; known: {', '.join(VARIANTS)}")
        if channels < 1:
            raise ValueError(f"a gate needs at least one channel, got {channels}")
        self.variant = variant
        self.out_channels = 1 if variant in ("at", "sat") else channels
        self.weight: nn.Parameter | None = None
        self.filter: nn.Module | None = None
        if variant in ("st", "sat"):
            self.weight = nn.Parameter(torch.full((channels,), INITIAL_WEIGHT))
        if variant in ("at", "sat"):
            # while training the normalization cancels the bias, but only with it the count is Table 3's
            self.filter = nn.Sequential(convolution(dimensions, channels, 1, 1), normalization("batch", dimensions, 1))

    def select(self, features: Tensor) -> Tensor:
        """Return f_s = f trelu(W), equation 1, of the features' shape; without selection the features."""
        if self.weight is None:
            return features
        return features * trelu(self.weight).reshape(-1, *[1] * (features.ndim - 2))

    def attention(self, features: Tensor) -> Tensor:
        """Return the map f_a = sigmoid(K * f_s), equations 3 and 4: (n, channels, *spatial) -> (n, 1, *spatial).

        ValueError: a variant that does not attend.
        """
        if self.filter is None:
            raise ValueError(f"only 'at' and 'sat' have an attention map, got {self.variant!r}")
        return self.filter(self.select(features)).sigmoid()

    def switched_off(self) -> float:
        """Return the fraction of channels that selection turns off, 0 to 1; without selection 0 (section 3.2)."""
        return 0.0 if self.weight is None else float((trelu(self.weight) == 0).float().mean())

    def forward(self, features: Tensor) -> Tensor:
        """(n, channels, *spatial) -> (n, out_channels, *spatial)."""
        return self.select(features) if self.filter is None else self.attention(features)


def switched_off(network: nn.Module) -> dict[str, float]:
    """Return the fraction of channels switched off, 0 to 1, by the name of each gate of a network."""
    return {name: module.switched_off() for name, module in network.named_modules() if isinstance(module, SkipGate)}
