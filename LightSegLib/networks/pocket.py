"""PocketNet's U-Net: the channel count stays constant at every level (Celaya et al., 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PocketUNet"]


def _block(in_channels: int, out_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [
            nn.Conv3d(channels, out_channels, 3, padding=1, bias=False),
            nn.BatchNorm3d(out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class PocketUNet(nn.Module):
    """3D U-Net of constant width: (n, in_channels, z, y, x) -> logits (n, out_channels, z, y, x).

    z, y and x are multiples of 2 ** depth. Two 3x3x3 convolutions a block with batch normalization, max-pooling down,
    2x2x2 transposed convolutions up, concatenated skips.

    Source: PocketNet paper, section II: keep the first level's number of feature maps at every level.
    """

    def __init__(self, in_channels: int = 1, out_channels: int = 1, *, width: int = 32, depth: int = 5) -> None:
        super().__init__()
        self.encoders = nn.ModuleList(_block(in_channels if i == 0 else width, width) for i in range(depth))
        self.pool = nn.MaxPool3d(2)
        self.bottleneck = _block(width, width)
        self.ups = nn.ModuleList(nn.ConvTranspose3d(width, width, 2, stride=2) for _ in range(depth))
        self.decoders = nn.ModuleList(_block(2 * width, width) for _ in range(depth))
        self.head = nn.Conv3d(width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, z, y, x) -> logits (n, out_channels, z, y, x)."""
        skips = []
        for encoder in self.encoders:
            x = encoder(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = decoder(torch.cat([skip, up(x)], dim=1))
        return self.head(x)
