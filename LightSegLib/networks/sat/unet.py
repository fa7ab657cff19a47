"""U-Net with gated skip connections (Asgari Taghanaki et al., 2018)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from LightSegLib.networks.layers import convolution, max_pool, normalization, transposed_convolution
from LightSegLib.networks.pocket.blocks import UNetBlock
from LightSegLib.networks.sat.gate import SkipGate

__all__ = ["SATUNet"]


class SATUNet(nn.Module):
    """2D or 3D U-Net with gated skips: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    Spatial sizes are multiples of `divisor`, 2 ** depth. `width` doubles with each of the `depth` halvings; `skip` is
    the gates' variant: "org", "at", "st" or "sat". The default's skips of 32, 64 and 128 channels give the 574,103
    parameters that Table 3's MRI U-Net saves; its totals depend on layers that the paper does not list.

    ValueError: an unknown skip, dimensions other than 2 and 3, anything below 1.
    Source: sections 2 and 3.2 and Table 3; the network around the gates is the U-Net of its reference 34.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        dimensions: int = 3,
        width: int = 32,
        depth: int = 3,
        skip: str = "sat",
    ) -> None:
        super().__init__()
        sizes = {"in_channels": in_channels, "out_channels": out_channels, "width": width, "depth": depth}
        if min(sizes.values()) < 1:
            raise ValueError(f"a gated U-Net needs at least 1 of each, got {sizes}")
        self.divisor = 2**depth
        widths = [width * 2**level for level in range(depth + 1)]
        self.encoders = nn.ModuleList(
            UNetBlock(dimensions, inputs, outputs)
            for inputs, outputs in zip([in_channels, *widths[:-2]], widths[:-1], strict=True)
        )
        self.pool = max_pool(dimensions)
        self.bottleneck = UNetBlock(dimensions, widths[-2], widths[-1])
        # by level, finest first
        gates = [SkipGate(channels, variant=skip, dimensions=dimensions) for channels in widths[:-1]]
        self.gates = nn.ModuleList(gates)
        self.ups = nn.ModuleList(
            nn.Sequential(
                transposed_convolution(dimensions, 2 * channels, channels, bias=False),
                normalization("batch", dimensions, channels),
            )
            for channels in widths[:-1]
        )
        self.decoders = nn.ModuleList(
            UNetBlock(dimensions, gate.out_channels + channels, channels)
            for gate, channels in zip(gates, widths[:-1], strict=True)
        )
        self.head = convolution(dimensions, width, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> logits (n, out_channels, *spatial)."""
        transferred = []
        for encoder, gate in zip(self.encoders, self.gates, strict=True):
            x = encoder(x)
            transferred.append(gate(x))
            x = self.pool(x)
        x = self.bottleneck(x)
        for level in reversed(range(len(self.decoders))):
            x = self.decoders[level](torch.cat([transferred[level], self.ups[level](x)], dim=1))
        return self.head(x)
