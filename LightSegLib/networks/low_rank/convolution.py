"""LRCONV, a convolution whose kernel is a sum of R rank-1 tensors (low-rank paper, section 3.3)."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from LightSegLib.networks.layers import convolution

__all__ = ["LowRankConvolution"]


class LowRankConvolution(nn.Module):
    """Convolution by a kernel in canonical polyadic form: (n, in_channels, *spatial) -> (n, out_channels, *spatial).

    Equation (3) in three dimensions: v[c, c', h, w, d] = sum over r of U1[c, r] U2[c', r] U3[h, r] U4[w, r] U5[d, r];
    in two dimensions U5 is absent. The rank R is max(1, round(alpha * in_channels)). The kernel is never formed:
    the factors act one after the other, as a 1x1 convolution to R channels (U2), a depthwise convolution along each
    axis (U3, U4, U5) and a 1x1 convolution with the bias (U1). No factor but the last has a bias, so zeros that pad
    the input pad every step, and the chain equals the dense convolution up to rounding. It has
    R (in_channels + out_channels + kernel * dimensions) weights.

    `stride` is one number for all axes or one an axis; each spatial size is divided by it, rounding up.

    Initialization: the R terms of a weight are independent products of zero-mean factors, so two weights of the kernel
    are uncorrelated and Var(v) = R Var(U1) Var(U2) Var(U3) Var(U4) Var(U5), while the output variance is that of any
    convolution, in_channels * kernel ** dimensions * Var(v) * mean(x ** 2). Variances of 1 / fan-in for U2
    (in_channels) and for each axis (kernel) and of 1 / (3 R) for U1 make Var(v) equal to
    1 / (3 in_channels kernel ** dimensions), which is that of the Kaiming-uniform weights of nn.Conv2d and nn.Conv3d.

    Errors: ValueError if `alpha` is not positive or `kernel` is not a positive odd number.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        *,
        alpha: float,
        kernel: int = 3,
        stride: int | Sequence[int] = 1,
        bias: bool = True,
        dimensions: int = 3,
    ) -> None:
        super().__init__()
        if alpha <= 0:
            raise ValueError(f"alpha, the rank over the input channels, must be positive, got {alpha}")
        if kernel < 1 or kernel % 2 == 0:
            raise ValueError(f"kernel must be a positive odd number, got {kernel}")
        self.in_channels, self.out_channels, self.dimensions = in_channels, out_channels, dimensions
        self.kernel, self.stride, self.rank = kernel, stride, max(1, round(alpha * in_channels))
        self.input_factor = convolution(dimensions, in_channels, self.rank, 1, bias=False)
        self.axis_factors = nn.Sequential(*(self._axis_factor(axis) for axis in range(dimensions)))
        self.output_factor = convolution(dimensions, self.rank, out_channels, 1, bias=bias)
        self.reset_parameters()

    def _axis_factor(self, axis: int) -> nn.Module:
        along = [1] * self.dimensions
        step = list(along)
        along[axis] = self.kernel
        step[axis] = self.stride if isinstance(self.stride, int) else self.stride[axis]
        return convolution(self.dimensions, self.rank, self.rank, along, stride=step, groups=self.rank, bias=False)

    def reset_parameters(self) -> None:
        """Draw all factors anew, as the class's docstring derives; the bias is drawn as nn.Conv3d's."""
        for factor in (self.input_factor, *self.axis_factors):
            nn.init.kaiming_uniform_(factor.get_parameter("weight"), nonlinearity="linear")  # variance 1 / fan-in
        for name, parameter in self.output_factor.named_parameters():
            if name == "weight":
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5))  # variance 1 / (3 fan-in)
            else:
                bound = 1 / math.sqrt(self.in_channels * self.kernel**self.dimensions)
                nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """(n, in_channels, *spatial) -> (n, out_channels, *spatial / stride)."""
        return self.output_factor(self.axis_factors(self.input_factor(x)))

    @torch.no_grad()
    def merged(self) -> nn.Module:
        """Return the ordinary convolution (nn.Conv2d or nn.Conv3d) of this layer's kernel, equation (3), and bias.

        Its outputs differ by rounding only. It is for inspection and for engines without depthwise convolutions: with
        it the network has the size and the multiply-adds of the full-rank one again.
        """
        u1, u2 = (
            factor.get_parameter("weight").flatten(1).double() for factor in (self.output_factor, self.input_factor)
        )
        spatial = torch.ones(1, dtype=torch.float64, device=u1.device)  # double, so that the kernel is rounded once
        for factor in self.axis_factors:
            spatial = spatial * factor.get_parameter("weight")  # (R, 1, h, 1, 1), (R, 1, 1, w, 1), (R, 1, 1, 1, d)
        kernel = torch.einsum("cr,rk,r...->ck...", u1, u2, spatial.squeeze(1))
        weights = self.output_factor.state_dict() | {"weight": kernel}
        dense = convolution(
            self.dimensions,
            self.in_channels,
            self.out_channels,
            self.kernel,
            stride=self.stride,
            bias="bias" in weights,
        )
        dense.to(self.output_factor.get_parameter("weight")).load_state_dict(weights)
        return dense
