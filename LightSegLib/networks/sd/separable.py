"""Depthwise separable convolution, and weight standardization of its depthwise kernels (Gadosey et al., 2020)."""

from __future__ import annotations

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from LightSegLib.networks.layers import convolution

__all__ = ["DepthwiseSeparable", "resolve_weight_standardization", "weight_standardization"]

CONVOLVE = {2: F.conv2d, 3: F.conv3d}
KERNEL = 3
# The paper prints no value; this is the one of Qiao et al. (2019), whose method it takes over.
EPSILON = 1e-5


def weight_standardization(weight: Tensor) -> Tensor:
    """Return WS(W): the weights of a depthwise layer with a mean of 0 and a standard deviation of 1, in their shape.

    Both are taken over all weights of the layer, with their number as the divisor of the variance. Figure 4 takes them
    over C_in x kernel size weights for each of C_out outputs, and a depthwise kernel as Keras holds it, height x width
    x C_in x 1, has one output. Over the weights of each channel alone, every kernel would sum to 0: the prediction
    layer, which is standardized like all others, could then not put out one value over a region (docs/networks/sd.md).

    Source: SD-UNet paper, section 2.3, equation (5) and figure 4; section 3.1, equation (7).
    """
    return (weight - weight.mean()) / (weight.std(correction=0) + EPSILON)


class DepthwiseSeparable(nn.Module):
    """Depthwise 3-wide convolution, then pointwise 1-wide: (n, inputs, *spatial) -> (n, outputs, *spatial).

    `standardized`: the depthwise kernels, and only they, are weight standardized. They have no bias, because equation
    (3) assumes none; the pointwise convolution has one. Nothing comes between the two: section 3.2 counts one
    activation for each depthwise separable layer.

    Source: SD-UNet paper, section 2.1, figure 2 and equation (2); section 3.1, equations (7) and (8).
    """

    def __init__(self, dimensions: int, inputs: int, outputs: int, *, standardized: bool = False) -> None:
        super().__init__()
        self.dimensions, self.inputs, self.standardized = dimensions, inputs, standardized
        self.depthwise = convolution(dimensions, inputs, inputs, KERNEL, groups=inputs, bias=False)
        self.pointwise = convolution(dimensions, inputs, outputs, 1)

    @property
    def kernel(self) -> Tensor:
        """The depthwise kernel that is applied, (inputs, 1, *kernel)."""
        weight = cast("Tensor", self.depthwise.weight)
        return weight_standardization(weight) if self.standardized else weight

    def forward(self, x: Tensor) -> Tensor:
        """(n, inputs, *spatial) -> (n, outputs, *spatial)."""
        convolve = CONVOLVE[self.dimensions]
        return self.pointwise(convolve(x, self.kernel, padding=KERNEL // 2, groups=self.inputs))


@torch.no_grad()
def resolve_weight_standardization(network: nn.Module) -> None:
    """Replace every standardized kernel by its plain values, in place; the output stays the same.

    What is exported then computes nothing from its weights. They keep their names, which are those of the same network
    without weight standardization. Training cannot go on from there: resolve a copy.
    """
    for module in network.modules():
        if isinstance(module, DepthwiseSeparable):
            cast("Tensor", module.depthwise.weight).copy_(module.kernel)
            module.standardized = False
