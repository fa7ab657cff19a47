"""Pocket classifier: the encoder of the U-Net with one fully connected layer (Celaya et al., 2021)."""

from __future__ import annotations

from functools import partial

from torch import Tensor, nn

from LightSegLib.networks.layers import max_pool
from LightSegLib.networks.pocket.blocks import UNetBlock
from LightSegLib.networks.pocket.encoder_decoder import Encoder
from LightSegLib.networks.pocket.levels import Levels, level_widths, require_positive

__all__ = ["PocketClassifier"]


class PocketClassifier(Encoder):
    """2D or 3D classifier of whole images: (n, in_channels, *spatial) -> logits (n, out_channels), one a class.

    `depth` is the number of downsamplings (max-pooling) and `width` the number of feature maps at the finest level;
    `pocket` keeps it at all levels, without it the width doubles up to `largest_width` (`level_widths`).
    `normalization` is "batch", "instance" or "group". `divisor` is 2 ** depth.

    ValueError for counts below 1, dimensions other than 2 and 3, and widths that contradict each other.

    Source: PocketNet paper, section II-B2 b: the encoder of the U-Net with four downsamplings, global max-pooling, a
    fully connected layer. Section II-B3 gives every network 32 feature maps, but the 1.2 M and 0.02 M parameters of
    Table II are those of 16.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 2,
        *,
        width: int = 16,
        depth: int = 4,
        dimensions: int = 2,
        pocket: bool = True,
        largest_width: int | None = None,
        normalization: str = "batch",
    ) -> None:
        require_positive(out_channels=out_channels)
        widths = level_widths(width, depth, pocket=pocket, largest_width=largest_width)
        super().__init__(
            in_channels,
            Levels.of(widths, dimensions),
            block=partial(UNetBlock, dimensions, norm=normalization),
            down=lambda _, stride: max_pool(dimensions, stride),
        )
        self.head = nn.Linear(widths[-1], out_channels)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> logits (n, out_channels)."""
        _, x = self.encode(x)
        return self.head(x.flatten(2).amax(2))
