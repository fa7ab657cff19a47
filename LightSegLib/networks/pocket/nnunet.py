"""Pocket nnU-Net and the full nnU-Net that it comes from (Celaya et al., 2021)."""

from __future__ import annotations

from functools import partial

from torch import nn

from LightSegLib.networks.pocket.blocks import UNetBlock
from LightSegLib.networks.pocket.encoder_decoder import EncoderDecoder
from LightSegLib.networks.pocket.levels import Levels, level_widths

__all__ = ["PocketNNUNet"]

LARGEST_WIDTH = {2: 512, 3: 320}  # where nnU-Net stops doubling, by dimensions (Isensee et al. 2021)
LEAK = 0.01  # slope of nnU-Net's activation below zero


class PocketNNUNet(EncoderDecoder):
    """2D or 3D U-Net as nnU-Net builds it: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    It differs from `PocketUNet` in affine instance normalization, leaky ReLU, and convolutions of stride 2 in place of
    pooling: the first one of each level. `depth` is the number of downsamplings, five in nnU-Net's six stages, and
    `width` the number of feature maps at the finest level; `pocket` keeps it at all levels, without it the width
    doubles up to `largest_width`, where None is nnU-Net's own limit, 320 in 3D and 512 in 2D. `divisor` is
    2 ** depth; instance normalization needs at least one spatial size above it, so that it has more than one voxel to
    normalize over at the coarsest level.

    ValueError for counts below 1, dimensions other than 2 and 3, and widths that contradict each other.

    Source: PocketNet paper, section II-B2 a, and the configuration of nnU-Net [14] for isotropic voxels. Its deep
    supervision is a matter of training and left out.
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
    ) -> None:
        if largest_width is None and not pocket:
            largest_width = LARGEST_WIDTH.get(dimensions)
        widths = level_widths(width, depth, pocket=pocket, largest_width=largest_width)
        activation = partial(nn.LeakyReLU, LEAK, inplace=True)
        super().__init__(
            in_channels,
            out_channels,
            Levels.of(widths, dimensions),
            block=partial(UNetBlock, dimensions, norm="instance", activation=activation),
            down=None,
        )
