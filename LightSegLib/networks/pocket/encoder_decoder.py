"""The skeleton that U-Net, ResNet, DenseNet and nnU-Net share (PocketNet paper, Algorithm 1)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from LightSegLib.networks.layers import convolution, transposed_convolution
from LightSegLib.networks.pocket.levels import Levels, require_positive

__all__ = ["Encoder", "EncoderDecoder"]


class Encoder(nn.Module):
    """The way down: a block at every level, a downsampling after each but the coarsest.

    `block(inputs, outputs, kernel=...)` builds a block and `down(width, stride)` a downsampling. Where `down` is None
    the next block goes down itself: it is built with `stride=...` as well.

    `divisor`: every spatial size must be a multiple of it. ValueError for less than one channel.
    """

    def __init__(
        self,
        in_channels: int,
        levels: Levels,
        *,
        block: Callable[..., nn.Module],
        down: Callable[[int, tuple[int, ...]], nn.Module] | None,
    ) -> None:
        super().__init__()
        require_positive(in_channels=in_channels)
        self.divisor = levels.divisor
        widths, strides = levels.widths, levels.strides
        blocks = []
        for level, (inputs, outputs) in enumerate(zip((in_channels, *widths[:-1]), widths, strict=True)):
            build = partial(block, stride=strides[level - 1]) if down is None and level > 0 else block
            blocks.append(build(inputs, outputs, kernel=levels.kernels[level]))
        self.encoders = nn.ModuleList(blocks[:-1])
        self.downs = nn.ModuleList(
            nn.Identity() if down is None else down(width, stride)
            for width, stride in zip(widths[:-1], strides, strict=True)
        )
        self.bottleneck = blocks[-1]

    def encode(self, x: Tensor) -> tuple[list[Tensor], Tensor]:
        """(n, in_channels, *spatial) -> the feature maps of all levels but the coarsest, finest first; the coarsest."""
        features = []
        for encoder, down in zip(self.encoders, self.downs, strict=True):
            x = encoder(x)
            features.append(x)
            x = down(x)
        return features, self.bottleneck(x)


class EncoderDecoder(Encoder):
    """An encoder and the way back up: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    A transposed convolution as wide as its stride goes up. A skip connection concatenates: Algorithm 1 adds, but then
    the full U-Net has 81.1 M parameters instead of the 90.5 M of Table I.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        levels: Levels,
        *,
        block: Callable[..., nn.Module],
        down: Callable[[int, tuple[int, ...]], nn.Module] | None,
    ) -> None:
        require_positive(out_channels=out_channels)
        super().__init__(in_channels, levels, block=block, down=down)
        dimensions, widths = levels.dimensions, levels.widths
        upwards = list(reversed(range(len(widths) - 1)))
        self.ups = nn.ModuleList(
            transposed_convolution(dimensions, widths[i + 1], widths[i], stride=levels.strides[i]) for i in upwards
        )
        self.decoders = nn.ModuleList(block(2 * widths[i], widths[i], kernel=levels.kernels[i]) for i in upwards)
        self.head = convolution(dimensions, widths[0], out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> logits (n, out_channels, *spatial)."""
        features, x = self.encode(x)
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(features), strict=True):
            x = decoder(torch.cat([skip, up(x)], dim=1))
        return self.head(x)
