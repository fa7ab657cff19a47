"""Pocket U-Net and the full U-Net that it comes from (Celaya et al., 2021)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from LightSegLib.networks.layers import max_pool
from LightSegLib.networks.pocket.blocks import UNetBlock
from LightSegLib.networks.pocket.encoder_decoder import EncoderDecoder
from LightSegLib.networks.pocket.levels import Levels, level_widths

__all__ = ["PocketUNet"]


class PocketUNet(EncoderDecoder):
    """2D or 3D U-Net: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    `depth` is the number of downsamplings (D in the paper), here max-pooling, and `width` the number of feature maps
    at the finest level; `pocket` keeps it at all levels, without it the width doubles up to `largest_width`
    (`level_widths`). `normalization` is "batch", "instance" or "group". `divisor` is 2 ** depth.

    For volumes with thick slices, `strides` has a tuple for each downsampling, such as (1, 2, 2) where only the last
    two axes are halved, and `kernels` one for each of the depth + 1 levels, such as (1, 3, 3); both finest first.
    `divisor` is then what the axis that is halved most needs.

    ValueError for counts below 1, dimensions other than 2 and 3, widths that contradict each other, and strides or
    kernels that do not fit (`Levels.of`).

    Source: PocketNet paper, section II-A, Algorithm 1, Figures 1 and 2; 32 feature maps from section II-B3. The five
    downsamplings are those that give 1024 feature maps and 90.5 M parameters in Table IV.
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
        strides: Sequence[Sequence[int]] | None = None,
        kernels: Sequence[Sequence[int]] | None = None,
    ) -> None:
        widths = level_widths(width, depth, pocket=pocket, largest_width=largest_width)
        super().__init__(
            in_channels,
            out_channels,
            Levels.of(widths, dimensions, strides=strides, kernels=kernels),
            block=partial(UNetBlock, dimensions, norm=normalization),
            down=lambda _, stride: max_pool(dimensions, stride),
        )
