"""Pocket HRNet and the full HRNet that it comes from (Celaya et al., 2021)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, reduce

import torch
from torch import Tensor, nn

from LightSegLib.networks.layers import convolution, max_pool
from LightSegLib.networks.pocket.blocks import ResNetBlock
from LightSegLib.networks.pocket.levels import level_widths, require_positive

__all__ = ["PocketHRNet"]


class PocketHRNet(nn.Module):
    """2D or 3D HRNet, which keeps every resolution: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    Column 1 is one block at full resolution; each further column has a block for every resolution of the column before
    it and for one half as fine as the coarsest of them. A block takes the sum of all feature maps of the column before
    it, each brought to its resolution and width; only in column 2 there is nothing to add up, so that its coarse block
    takes pooled feature maps as they are. In the end all are brought to full resolution and `width`, concatenated, and
    pass one more block.

    `depth` is the number of columns after the first, so that there are depth + 1 resolutions; `width` is the number of
    feature maps at the finest one; `pocket` keeps it at all of them, without it the width doubles up to
    `largest_width` (`level_widths`). `normalization` is "batch", "instance" or "group". `divisor` is 2 ** depth.

    ValueError for counts below 1, dimensions other than 2 and 3, and widths that contradict each other.

    Source: PocketNet paper, section II-B2 a, and HRNet [13]. The paper prints no design of it; four columns of residual
    blocks with max-pooling, nearest resize and 1-wide convolutions between them have the 6.5 M and 0.7 M parameters
    of Table I.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        width: int = 32,
        depth: int = 3,
        dimensions: int = 3,
        pocket: bool = True,
        largest_width: int | None = None,
        normalization: str = "batch",
    ) -> None:
        super().__init__()
        require_positive(in_channels=in_channels, out_channels=out_channels)
        widths = level_widths(width, depth, pocket=pocket, largest_width=largest_width)
        block = partial(ResNetBlock, dimensions, norm=normalization)
        self.divisor = 2**depth
        self.column1 = block(in_channels, width)
        self.column2 = nn.ModuleList(
            [block(width, width), nn.Sequential(max_pool(dimensions), block(width, widths[1]))]
        )
        self.columns = nn.ModuleList(_Column(dimensions, widths[: last + 1], block) for last in range(2, depth + 1))
        self.gather = nn.ModuleList(_bring(dimensions, widths, source, 0) for source in range(depth + 1))
        self.fuse = block((depth + 1) * width, width)
        self.head = convolution(dimensions, width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> logits (n, out_channels, *spatial)."""
        x = self.column1(x)
        features = [row(x) for row in self.column2]
        for column in self.columns:
            features = column(features)
        gathered = [path(y) for path, y in zip(self.gather, features, strict=True)]
        return self.head(self.fuse(torch.cat(gathered, dim=1)))


class _Column(nn.Module):
    """A block for each of `widths`, finest first; the column before it has no block for the last of them."""

    def __init__(self, dimensions: int, widths: tuple[int, ...], block: Callable[[int, int], nn.Module]) -> None:
        super().__init__()
        sources = range(len(widths) - 1)
        self.exchanges = nn.ModuleList(
            _Exchange([_bring(dimensions, widths, source, target) for source in sources])
            for target in range(len(widths))
        )
        self.blocks = nn.ModuleList(block(width, width) for width in widths)

    def forward(self, features: list[Tensor]) -> list[Tensor]:
        """One (n, width, *spatial) for each resolution, finest first -> the same and one more, half as fine."""
        return [block(exchange(features)) for block, exchange in zip(self.blocks, self.exchanges, strict=True)]


class _Exchange(nn.Module):
    """The sum of all feature maps of a column, each brought to one resolution and width."""

    def __init__(self, paths: list[nn.Module]) -> None:
        super().__init__()
        self.paths = nn.ModuleList(paths)

    def forward(self, features: list[Tensor]) -> Tensor:
        """One (n, width, *spatial) for each resolution, finest first -> (n, width, *spatial)."""
        return reduce(torch.add, [path(x) for path, x in zip(self.paths, features, strict=True)])


def _bring(dimensions: int, widths: tuple[int, ...], source: int, target: int) -> nn.Module:
    """Return what brings feature maps from one resolution (0 is the finest) to the size and width of another."""
    if source == target:
        return nn.Identity()
    factor = 2 ** abs(source - target)
    change_width = convolution(dimensions, widths[source], widths[target], 1)
    if source < target:
        return nn.Sequential(max_pool(dimensions, factor), change_width)
    # Nearest resize and a 1-wide convolution can change places; this way there are fewer voxels to convolve.
    return nn.Sequential(change_width, nn.Upsample(scale_factor=factor))
