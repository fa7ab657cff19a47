"""Pocket ResNet and the full ResNet that it comes from (Celaya et al., 2021)."""

from __future__ import annotations

from functools import partial

from LightSegLib.networks.layers import max_pool
from LightSegLib.networks.pocket.blocks import ResNetBlock
from LightSegLib.networks.pocket.encoder_decoder import EncoderDecoder
from LightSegLib.networks.pocket.levels import Levels, level_widths

__all__ = ["PocketResNet"]


class PocketResNet(EncoderDecoder):
    """2D or 3D U-Net of residual blocks: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    `depth` is the number of downsamplings (D in the paper), here max-pooling, and `width` the number of feature maps
    at the finest level; `pocket` keeps it at all levels, without it the width doubles up to `largest_width`
    (`level_widths`). `normalization` is "batch", "instance" or "group". `divisor` is 2 ** depth.

    ValueError for counts below 1, dimensions other than 2 and 3, and widths that contradict each other.

    Source: PocketNet paper, section II-B2 a: the backbone of the U-Net with the block of Figure 2, center. The block
    adds; one that concatenates has 93.6 M parameters instead of the 91.9 M of Table I.
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
        largest_width: int | None = None,
        normalization: str = "batch",
    ) -> None:
        widths = level_widths(width, depth, pocket=pocket, largest_width=largest_width)
        super().__init__(
            in_channels,
            out_channels,
            Levels.of(widths, dimensions),
            block=partial(ResNetBlock, dimensions, norm=normalization),
            down=lambda _, stride: max_pool(dimensions, stride),
        )
