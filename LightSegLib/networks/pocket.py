"""U-Net with PocketNet's constant width or with widths that double at every level (Celaya et al., 2021)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["PocketUNet"]

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}


def _block(dimensions: int, in_channels: int, out_channels: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (in_channels, out_channels):
        layers += [
            CONVOLUTION[dimensions](channels, out_channels, 3, padding=1, bias=False),
            NORM[dimensions](out_channels),
            nn.ReLU(inplace=True),
        ]
    return nn.Sequential(*layers)


class PocketUNet(nn.Module):
    """2D or 3D U-Net: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    The spatial sizes are multiples of 2 ** depth. Two 3-wide convolutions a block with batch normalization,
    max-pooling down, 2-wide transposed convolutions up, concatenated skips. `pocket` keeps the first level's `width`
    at every level; without it the width doubles with every halving, which makes the full-width counterpart.

    Source: PocketNet paper, section II.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        width: int = 32,
        depth: int = 5,
        dimensions: int = 3,
        pocket: bool = True,
    ) -> None:
        super().__init__()
        if dimensions not in CONVOLUTION:
            raise ValueError(f"dimensions must be 2 or 3, got {dimensions}")
        widths = [width if pocket else width * 2**level for level in range(depth + 1)]
        before = [in_channels, *widths]
        self.encoders = nn.ModuleList(_block(dimensions, before[i], widths[i]) for i in range(depth))
        self.pool = POOL[dimensions](2)
        self.bottleneck = _block(dimensions, widths[depth - 1], widths[depth])
        self.ups = nn.ModuleList(
            TRANSPOSED[dimensions](widths[i + 1], widths[i], 2, stride=2) for i in reversed(range(depth))
        )
        self.decoders = nn.ModuleList(_block(dimensions, 2 * widths[i], widths[i]) for i in reversed(range(depth)))
        self.head = CONVOLUTION[dimensions](widths[0], out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> logits (n, out_channels, *spatial)."""
        skips = []
        for encoder in self.encoders:
            x = encoder(x)
            skips.append(x)
            x = self.pool(x)
        x = self.bottleneck(x)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = decoder(torch.cat([skip, up(x)], dim=1))
        return self.head(x)
