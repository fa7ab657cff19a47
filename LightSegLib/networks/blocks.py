"""Building blocks that more than one network uses."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["InvertedResidual", "SqueezeExcitation", "round_to_multiple"]


def round_to_multiple(value: float, multiple: int = 8) -> int:
    """Round a channel count to a multiple of 8, at least 8 and never below 90 % of it (MobileNetV3's rule)."""
    rounded = max(multiple, int(value + multiple / 2) // multiple * multiple)
    return rounded + multiple if rounded < 0.9 * value else rounded


class SqueezeExcitation(nn.Module):
    """Rescale channels by a gate computed from their means: (n, c, y, x) -> (n, c, y, x).

    Source: ACU-Net paper, section 2.1, "Squeeze-and-Excitation": sigmoid(W2 relu(W1 mean(x))), reduction ratio 4.
    """

    def __init__(self, channels: int, *, ratio: int = 4) -> None:
        super().__init__()
        hidden = round_to_multiple(channels / ratio)
        self.reduce = nn.Conv2d(channels, hidden, 1)
        self.expand = nn.Conv2d(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, y, x) -> (n, c, y, x)."""
        gate = x.mean((2, 3), keepdim=True)
        return x * self.expand(F.relu(self.reduce(gate))).sigmoid()


def _activation(name: str) -> nn.Module:
    if name == "RE":
        return nn.ReLU(inplace=True)
    if name == "HS":
        return nn.Hardswish()
    raise ValueError(f"activation must be 'RE' (ReLU) or 'HS' (hard-swish), got {name!r}")


class InvertedResidual(nn.Module):
    """Expand 1x1, depthwise k x k, optional squeeze-and-excitation, linear project 1x1.

    (n, in, y, x) -> (n, out, y / stride, x / stride). The residual is added where shapes agree. A block whose
    "exp size" equals its input width (row 2 of Table 1) has no expansion, as in MobileNetV3: with one the network
    has 0.390 G multiply-adds at 256 x 256 x 3, without it the printed 0.386 G.

    Source: ACU-Net paper, figures 3 and 5; batch normalization after each convolution, section 2.2.
    """

    def __init__(
        self,
        in_channels: int,
        expanded: int,
        out_channels: int,
        *,
        kernel: int,
        stride: int = 1,
        squeeze: bool = False,
        activation: str,
    ) -> None:
        super().__init__()
        self.residual = stride == 1 and in_channels == out_channels
        expansion: list[nn.Module] = []
        if expanded != in_channels:
            expansion = [
                nn.Conv2d(in_channels, expanded, 1, bias=False),
                nn.BatchNorm2d(expanded),
                _activation(activation),
            ]
        self.layers = nn.Sequential(
            *expansion,
            nn.Conv2d(expanded, expanded, kernel, stride, kernel // 2, groups=expanded, bias=False),
            nn.BatchNorm2d(expanded),
            SqueezeExcitation(expanded) if squeeze else nn.Identity(),
            _activation(activation),
            nn.Conv2d(expanded, out_channels, 1, bias=False),
            nn.BatchNorm2d(out_channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """(n, in, y, x) -> (n, out, y / stride, x / stride)."""
        y = self.layers(x)
        return x + y if self.residual else y
