"""Res-U-Net, a U-Net of ResNet blocks, with ordinary or low-rank convolutions (low-rank paper, section 3.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from LightSegLib.networks.layers import convolution, max_pool, normalization, transposed_convolution
from LightSegLib.networks.low_rank.convolution import LowRankConvolution

__all__ = ["LowRankResUNet", "ResNetBlock"]


class ResNetBlock(nn.Module):
    """Two 3-wide convolutions beside a 1x1 shortcut: (n, in_channels, *spatial) -> (n, out_channels, *spatial).

    The second activation follows the sum, as in the ResNet that the paper cites. The shortcut is a convolution even
    where the channels agree, and is not normalized: section 3.2 names nothing but a convolution there. The 3-wide
    convolutions have no bias, because the normalization after each would remove it.

    Source: section 3.2 and figure 2b of the paper.
    """

    def __init__(
        self, in_channels: int, out_channels: int, *, alpha: float | None, normalization_kind: str, dimensions: int
    ) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for channels in (in_channels, out_channels):
            if alpha is None:
                layers.append(convolution(dimensions, channels, out_channels, 3, bias=False))
            else:
                layers.append(
                    LowRankConvolution(channels, out_channels, alpha=alpha, bias=False, dimensions=dimensions)
                )
            layers += [normalization(normalization_kind, dimensions, out_channels), nn.LeakyReLU(inplace=True)]
        self.activation = layers.pop()
        self.residual = nn.Sequential(*layers)
        self.shortcut = convolution(dimensions, in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> (n, out_channels, *spatial)."""
        return self.activation(self.residual(x) + self.shortcut(x))


class LowRankResUNet(nn.Module):
    """Low-rank Res-U-Net, 2D or 3D: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    `width` is the paper's F, the channels of the first level; every downsampling doubles them. `depth` is the number
    of downsamplings, the paper's "4 levels" (its 92.2 M parameters need four, so five resolutions). `alpha` is the
    rank over the input channels of every 3-wide convolution, None for ordinary ones (full rank). The first level's
    encoder block is ordinary in any case: with the last decoder block ordinary too, as "all except the first level"
    may also be read, the network has 21.1 M parameters instead of the printed 20.8 M. Transposed convolutions are
    ordinary; the paper does not give their width, and `upsampling_kernel` 3 is the one that gives its 92.2 M and
    20.8 M, 2 the usual one with 80.6 M and 9.2 M. `normalization` is "instance" (the paper's), "batch" or "group".

    `strides`, for thick slices, has one tuple per downsampling with a 1 or 2 for each spatial axis, in the order of the
    tensor's: ((1, 2, 2), (2, 2, 2)) pools in plane first. None halves every axis every time. Each spatial size is a
    multiple of the product of its axis' strides; `divisor` is the largest of these, 2 ** depth without `strides`.
    Instance normalization needs more than one voxel left at the coarsest level.

    Errors: ValueError for arguments that no network can have. The final softmax of section 3.2 belongs to the loss and
    the engine. Source: sections 3.2, 3.3 and 4 of the paper, figure 2a.
    """

    def __init__(
        self,
        in_channels: int = 4,
        out_channels: int = 4,
        *,
        width: int = 60,
        depth: int = 4,
        alpha: float | None = 0.5,
        normalization: str = "instance",
        upsampling_kernel: int = 3,
        strides: Sequence[Sequence[int]] | None = None,
        dimensions: int = 3,
    ) -> None:
        super().__init__()
        smallest = {"in_channels": in_channels, "out_channels": out_channels, "width": width, "depth": depth}
        for name, value in smallest.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        if upsampling_kernel not in (2, 3):
            raise ValueError(f"upsampling_kernel must be 2 or 3, got {upsampling_kernel}")
        steps = _strides(strides, depth, dimensions)
        self.divisor = max(math.prod(along) for along in zip(*steps, strict=True))

        def block(inputs: int, outputs: int, alpha: float | None = alpha) -> ResNetBlock:
            return ResNetBlock(inputs, outputs, alpha=alpha, normalization_kind=normalization, dimensions=dimensions)

        widths = [width * 2**level for level in range(depth + 1)]
        pairs = list(zip(widths[:-1], widths[1:], steps, strict=True))
        self.encoders = nn.ModuleList([block(in_channels, width, alpha=None)])
        self.encoders.extend(block(fine, coarse) for fine, coarse, _ in pairs)
        self.pools = nn.ModuleList(max_pool(dimensions, step) for step in steps)
        self.ups = nn.ModuleList(
            transposed_convolution(dimensions, coarse, fine, upsampling_kernel, stride=step)
            for fine, coarse, step in reversed(pairs)
        )
        self.decoders = nn.ModuleList(block(2 * fine, fine) for fine, _, _ in reversed(pairs))
        self.head = convolution(dimensions, width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> logits (n, out_channels, *spatial)."""
        first, *coarser = self.encoders
        skips = []
        x = first(x)
        for pool, encoder in zip(self.pools, coarser, strict=True):
            skips.append(x)
            x = encoder(pool(x))
        for up, decoder, skip in zip(self.ups, self.decoders, reversed(skips), strict=True):
            x = decoder(torch.cat([skip, up(x)], dim=1))
        return self.head(x)


def _strides(strides: Sequence[Sequence[int]] | None, depth: int, dimensions: int) -> list[tuple[int, ...]]:
    if strides is None:
        return [(2,) * dimensions] * depth
    steps = [tuple(step) for step in strides]
    if len(steps) != depth or any(len(step) != dimensions or not set(step) <= {1, 2} for step in steps):
        raise ValueError(
            f"strides must be {depth} tuples, one per downsampling, of {dimensions} numbers that are 1 or 2, "
            f"got {strides}"
        )
    return steps
