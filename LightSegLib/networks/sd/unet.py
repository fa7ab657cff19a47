"""SD-UNet and the networks of its ablation study: one U-Net, by kind of convolution and of normalization.

Rows of Table 1 of Gadosey et al. (2020), "SD-UNet: Stripping down U-Net", and how to build them:

    U-Net                           UNet()
    U-Net (GN = 32)                 UNet(normalization="group")
    U-Net (depthwise + BN)          UNet(convolution="separable", normalization="batch")
    U-Net (depthwise + GN = 32)     UNet(convolution="separable", normalization="group")
    SD-UNet (depthwise + BN + WS)   SDUNet(normalization="batch")
    SD-UNet (Proposed)              SDUNet()

docs/networks/sd.md lists where the paper is silent or contradicts itself, and what these networks do there.
"""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn

from LightSegLib.networks import layers
from LightSegLib.networks.sd.separable import DepthwiseSeparable

__all__ = ["CONVOLUTIONS", "SDUNet", "UNet"]

CONVOLUTIONS = ("standard", "separable", "standardized")
ZERO_PAD: dict[int, type[nn.Module]] = {2: nn.ZeroPad2d, 3: nn.ZeroPad3d}
LEVELS = 5  # blocks of the encoding path
DROPOUT_LEVELS = (3, 4)  # "Block4" and "Block5" of the encoding path, counted from 0


class UNet(nn.Module):
    """U-Net of a chosen convolution: (n, in_channels, *spatial) -> logits (n, out_channels, *spatial).

    Every spatial size is a multiple of 16. Five levels with `width`, 2, 4, 8 and 16 times as many channels; max-pooling
    down, nearest resize and a convolution up, concatenated skips, two convolutions in a block. Then the paper's extra
    convolution with two filters per output, and the prediction layer, whose sigmoid belongs to the loss and the engine.

    `convolution`: "standard"; "separable" for depthwise separable convolutions everywhere but in the first layer;
    "standardized" for the same with weight standardization. `normalization`: None, or "batch", "group" or "instance":
    one layer at the end of each block. `dropout`: rate at the end of the two coarsest blocks of the encoding path.
    Errors: ValueError for less than one channel or width; for an unknown kind, with the known ones.

    Source: SD-UNet paper, sections 2.5, 3.2 and 4.1; what it leaves open, such as the 2 x 2 kernels after resizing and
    the initialization, is from the U-Net paper, Ronneberger et al. (2015).
    """

    divisor = 2 ** (LEVELS - 1)

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        width: int = 64,
        dimensions: int = 2,
        convolution: str = "standard",
        normalization: str | None = None,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        if in_channels < 1 or out_channels < 1:
            raise ValueError(f"U-Net needs at least one channel in and out, got {in_channels} and {out_channels}")
        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        if convolution not in CONVOLUTIONS:
            raise ValueError(f"unknown convolution {convolution!r}; known: {', '.join(CONVOLUTIONS)}")

        def layer(inputs: int, outputs: int, kernel: int) -> nn.Module:
            if convolution == "standard":
                return layers.convolution(dimensions, inputs, outputs, kernel)
            # "Depthwise (3 x 3)", section 3.2: all have this kernel, also where U-Net has 2 x 2 or 1 x 1.
            return DepthwiseSeparable(dimensions, inputs, outputs, standardized=convolution == "standardized")

        def block(first: nn.Module, outputs: int) -> nn.Sequential:
            """Figure 5: "two [...] convolution layers, two activation layers, and one GN layer"."""
            parts = [first, nn.ReLU(inplace=True), layer(outputs, outputs, 3), nn.ReLU(inplace=True)]
            if normalization is not None:
                parts.append(layers.normalization(normalization, dimensions, outputs))
            return nn.Sequential(*parts)

        def up(outputs: int) -> nn.Sequential:
            resize = nn.Upsample(scale_factor=2.0)
            if convolution != "standard":
                return nn.Sequential(resize, layer(2 * outputs, outputs, 3))
            pad = ZERO_PAD[dimensions]((0, 1) * dimensions)  # the 2 x 2 kernel sees the pixel and the next one
            return nn.Sequential(resize, pad, layers.CONVOLUTION[dimensions](2 * outputs, outputs, 2))

        widths = [width * 2**level for level in range(LEVELS)]
        first = layers.convolution(dimensions, in_channels, width, 3)
        firsts = [first, *(layer(channels, 2 * channels, 3) for channels in widths[:-1])]
        self.encoders = nn.ModuleList(block(*each) for each in zip(firsts, widths, strict=True))
        self.dropout = nn.Dropout(dropout)
        self.pool = layers.max_pool(dimensions)
        rising = widths[-2::-1]
        self.ups = nn.ModuleList(up(channels) for channels in rising)
        self.decoders = nn.ModuleList(block(layer(2 * channels, channels, 3), channels) for channels in rising)
        self.head = nn.Sequential(layer(width, 2 * out_channels, 3), layer(2 * out_channels, out_channels, 1))
        self.apply(_initialize)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> logits (n, out_channels, *spatial)."""
        skips: list[Tensor] = []
        for level, encoder in enumerate(self.encoders):
            x = encoder(self.pool(x) if level else x)
            if level in DROPOUT_LEVELS:
                x = self.dropout(x)
            skips.append(x)
        for up, decoder, skip in zip(self.ups, self.decoders, skips[-2::-1], strict=True):
            x = decoder(torch.cat([skip, up(x)], dim=1))
        return self.head(x)


class SDUNet(UNet):
    """Stripped-Down UNet: U-Net of weight standardized, depthwise separable convolutions with group normalization.

    Shapes, arguments and errors are those of `UNet`. After `resolve_weight_standardization` its weights are those of
    `UNet(convolution="separable")` with the same normalization.

    Source: SD-UNet paper, section 3.2 and figure 6.
    """

    def __init__(
        self,
        in_channels: int = 1,
        out_channels: int = 1,
        *,
        width: int = 64,
        dimensions: int = 2,
        normalization: str = "group",
        dropout: float = 0.5,
    ) -> None:
        super().__init__(
            in_channels,
            out_channels,
            width=width,
            dimensions=dimensions,
            convolution="standardized",
            normalization=normalization,
            dropout=dropout,
        )


def _initialize(module: nn.Module) -> None:
    """Draw from N(0, 2 / fan-in); depthwise and pointwise kernels start like the one kernel that they stand for."""
    if isinstance(module, (nn.Conv2d, nn.Conv3d)) and module.groups == 1:
        nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
    if isinstance(module, DepthwiseSeparable):  # its convolutions come first
        with torch.no_grad():
            gain = module.kernel.flatten(1).square().sum(dim=1).mean().sqrt()
            cast("Tensor", module.pointwise.weight).div_(gain)
