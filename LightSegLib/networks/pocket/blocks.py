"""The blocks of U-Net, ResNet and DenseNet (PocketNet paper, Figure 2).

A block takes (n, inputs, *spatial) to (n, outputs, *spatial) with two convolutions (nu = 2 in Algorithm 1). Each is
followed by a normalization, whose offset takes the place of the bias, and an activation. The paper says this much;
what else a block has was decided so that the parameters are those of Table I (docs/networks/pocket.md).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from LightSegLib.networks.layers import Size, convolution, normalization

__all__ = ["DenseNetBlock", "ResNetBlock", "UNetBlock"]


def _relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def _normalized(
    dimensions: int, inputs: int, outputs: int, kernel: Size, norm: str, *, stride: Size = 1
) -> list[nn.Module]:
    return [
        convolution(dimensions, inputs, outputs, kernel, stride=stride, bias=False),
        normalization(norm, dimensions, outputs),
    ]


class UNetBlock(nn.Sequential):
    """Two convolutions, one after the other; the first one may go down by `stride`, as nnU-Net does."""

    def __init__(
        self,
        dimensions: int,
        inputs: int,
        outputs: int,
        *,
        kernel: Size = 3,
        stride: Size = 1,
        norm: str = "batch",
        activation: Callable[[], nn.Module] = _relu,
    ) -> None:
        super().__init__(
            *_normalized(dimensions, inputs, outputs, kernel, norm, stride=stride),
            activation(),
            *_normalized(dimensions, outputs, outputs, kernel, norm),
            activation(),
        )


class ResNetBlock(nn.Module):
    """Two convolutions, to which a 1-wide projection of the block's input is added before the last activation.

    Every block has the projection, also where the widths agree, so that a pocket network differs from the full one in
    widths alone.
    """

    def __init__(self, dimensions: int, inputs: int, outputs: int, *, kernel: Size = 3, norm: str = "batch") -> None:
        super().__init__()
        self.residual = nn.Sequential(
            *_normalized(dimensions, inputs, outputs, kernel, norm),
            _relu(),
            *_normalized(dimensions, outputs, outputs, kernel, norm),
        )
        self.projection = nn.Sequential(*_normalized(dimensions, inputs, outputs, 1, norm))
        self.activation = _relu()

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, *spatial) -> (n, outputs, *spatial)."""
        return self.activation(self.residual(x) + self.projection(x))


class DenseNetBlock(nn.Module):
    """Two convolutions that add `outputs` feature maps each to all that came before, and a 1-wide one that joins them.

    The growth of `outputs` feature maps keeps to Definition 2.1: every convolution has the same range.
    """

    def __init__(self, dimensions: int, inputs: int, outputs: int, *, kernel: Size = 3, norm: str = "batch") -> None:
        super().__init__()
        self.first = nn.Sequential(*_normalized(dimensions, inputs, outputs, kernel, norm), _relu())
        self.second = nn.Sequential(*_normalized(dimensions, inputs + outputs, outputs, kernel, norm), _relu())
        self.join = nn.Sequential(*_normalized(dimensions, inputs + 2 * outputs, outputs, 1, norm), _relu())

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, *spatial) -> (n, outputs, *spatial)."""
        x = torch.cat([x, self.first(x)], dim=1)
        x = torch.cat([x, self.second(x)], dim=1)
        return self.join(x)
