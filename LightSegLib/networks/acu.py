"""ACU-Net, an asymmetric compact U-Net of inverted residual blocks (Ding, Krafty and Tudorascu, 2021).

The layers follow Table 1 of the paper row by row. Where the paper is silent or its table lost a tick, the choice is
the one that gives its printed 0.367 M parameters and 0.386 G multiply-adds at 256 x 256 x 3 (docs/decisions.md).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from LightSegLib.networks.blocks import InvertedResidual

__all__ = ["ACUNet"]


class UpConv(nn.Module):
    """ "Upconv2d" of Table 1: nearest resize by 2, then a 2 x 2 convolution, as in the original U-Net.

    A transposed convolution has the same number of parameters but 0.275 G multiply-adds in the whole network
    instead of the printed 0.386 G.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolution = nn.Conv2d(in_channels, out_channels, 2)

    def forward(self, x: Tensor) -> Tensor:
        """(n, c, y, x) -> (n, k, 2 y, 2 x)."""
        x = F.interpolate(x, scale_factor=2.0, mode="nearest")
        return self.convolution(F.pad(x, (0, 1, 0, 1)))


class ACUNet(nn.Module):
    """ACU-Net: (n, in_channels, y, x) -> logits (n, out_channels, y, x); spatial sizes are multiples of 16.

    The paper's final sigmoid belongs to the loss and the engine, so the network ends in logits.
    Its squeeze-and-excitation averages over the whole canvas: train and run on one canvas size.

    Source: Table 1 and section 2.2 of the paper; dropout of 0.5 before the last layer from section 3.1 is an
    argument because two thousand steps on few cases regularize better by augmentation.
    """

    divisor = 16  # four halvings: the stem and rows 3, 5 and 8 of Table 1

    def __init__(self, in_channels: int = 3, out_channels: int = 1, *, dropout: float = 0.0) -> None:
        super().__init__()
        if in_channels < 1 or out_channels < 1:
            raise ValueError(f"ACU-Net needs at least one channel in and out, got {in_channels} and {out_channels}")
        self.stem = nn.Sequential(
            nn.Conv2d(in_channels, 16, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(16), nn.Hardswish()
        )
        self.encoder1 = InvertedResidual(16, 16, 16, kernel=3, activation="RE")
        self.encoder2 = nn.Sequential(
            InvertedResidual(16, 64, 24, kernel=3, stride=2, activation="RE"),
            InvertedResidual(24, 72, 24, kernel=3, activation="RE"),
        )
        self.encoder3 = nn.Sequential(
            InvertedResidual(24, 96, 40, kernel=5, stride=2, squeeze=True, activation="HS"),
            InvertedResidual(40, 240, 40, kernel=5, squeeze=True, activation="HS"),
            InvertedResidual(40, 240, 40, kernel=5, squeeze=True, activation="HS"),
        )
        self.bottleneck = InvertedResidual(40, 240, 240, kernel=5, stride=2, squeeze=True, activation="HS")
        self.up3 = UpConv(240, 40)
        self.decoder3 = InvertedResidual(80, 240, 40, kernel=5, squeeze=True, activation="HS")
        self.up2 = UpConv(40, 24)
        self.decoder2 = InvertedResidual(48, 72, 24, kernel=5, squeeze=True, activation="HS")
        self.up1 = UpConv(24, 16)
        self.decoder1 = InvertedResidual(32, 16, 16, kernel=3, squeeze=True, activation="HS")
        self.up0 = UpConv(16, 16)
        self.dropout = nn.Dropout2d(dropout)
        self.head = nn.Conv2d(16, out_channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, y, x) -> logits (n, out_channels, y, x)."""
        level1 = self.encoder1(self.stem(x))
        level2 = self.encoder2(level1)
        level3 = self.encoder3(level2)
        y = self.up3(self.bottleneck(level3))
        y = self.up2(self.decoder3(torch.cat([level3, y], dim=1)))
        y = self.up1(self.decoder2(torch.cat([level2, y], dim=1)))
        y = self.up0(self.decoder1(torch.cat([level1, y], dim=1)))
        return self.head(self.dropout(y))
