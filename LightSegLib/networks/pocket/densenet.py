"""Pocket DenseNet and the full DenseNet that it comes from (Celaya et al., 2021)."""

from __future__ import annotations

from functools import partial

from LightSegLib.networks.layers import convolution
from LightSegLib.networks.pocket.blocks import DenseNetBlock
from LightSegLib.networks.pocket.encoder_decoder import EncoderDecoder
from LightSegLib.networks.pocket.levels import Levels, level_widths

__all__ = ["PocketDenseNet"]


class PocketDenseNet(EncoderDecoder):
    """2D or 3D U-Net of dense blocks: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    `depth` is the number of downsamplings (D in the paper), here 2-wide convolutions of stride 2, and `width` the
    number of feature maps at the finest level; `pocket` keeps it at all levels, without it the width doubles up to
    `largest_width` (`level_widths`). `normalization` is "batch", "instance" or "group". `divisor` is 2 ** depth.

    ValueError for counts below 1, dimensions other than 2 and 3, and widths that contradict each other.

    Source: PocketNet paper, section II-B2 a: the backbone of the U-Net with the block of Figure 2, right. The paper
    allows "pooling or convolution" to go down (section I): max-pooling has 133.1 M and 1.22 M parameters instead of
    the 135.9 M and 1.3 M of Table I.
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
            block=partial(DenseNetBlock, dimensions, norm=normalization),
            down=lambda maps, stride: convolution(dimensions, maps, maps, stride, stride=stride),
        )
