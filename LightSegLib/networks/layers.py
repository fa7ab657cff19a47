"""Layers by the number of dimensions: what lets one network class serve slices (2D) and volumes (3D)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from torch import nn

__all__ = ["Size", "convolution", "max_pool", "normalization", "transposed_convolution"]

CONVOLUTION = {2: nn.Conv2d, 3: nn.Conv3d}
TRANSPOSED = {2: nn.ConvTranspose2d, 3: nn.ConvTranspose3d}
MAX_POOL = {2: nn.MaxPool2d, 3: nn.MaxPool3d}
BATCH_NORM = {2: nn.BatchNorm2d, 3: nn.BatchNorm3d}
INSTANCE_NORM = {2: nn.InstanceNorm2d, 3: nn.InstanceNorm3d}
Size = int | Sequence[int]  # one number for all spatial axes, or one for each
LARGEST_GROUPS = 32  # channels of group normalization are split into at most so many groups (Wu and He 2018)


def convolution(
    dimensions: int, inputs: int, outputs: int, kernel: Size, *, stride: Size = 1, groups: int = 1, bias: bool = True
) -> nn.Module:
    """Return a convolution that keeps the spatial size (divided by `stride`); `kernel` is odd, or equals `stride`."""
    layer = _of(CONVOLUTION, dimensions)
    kernels = _per_axis(dimensions, kernel)
    padding = tuple((size - 1) // 2 for size in kernels)
    strides = _per_axis(dimensions, stride)
    return layer(inputs, outputs, kernels, stride=strides, padding=padding, groups=groups, bias=bias)


def transposed_convolution(
    dimensions: int, inputs: int, outputs: int, kernel: int = 2, *, stride: Size = 2, bias: bool = True
) -> nn.Module:
    """Return a transposed convolution that multiplies the spatial size by `stride`, 1 or 2; `kernel` is 2 or 3.

    Along an axis of stride 1 a kernel of 2 becomes 1.
    """
    layer = _of(TRANSPOSED, dimensions)
    strides = _per_axis(dimensions, stride)
    if kernel % 2 == 0:
        return layer(inputs, outputs, strides, stride=strides, bias=bias)
    beyond = tuple(step - 1 for step in strides)
    return layer(inputs, outputs, kernel, stride=strides, padding=kernel // 2, output_padding=beyond, bias=bias)


def max_pool(dimensions: int, stride: Size = 2) -> nn.Module:
    """Return the pooling that divides the spatial size by `stride`."""
    return _of(MAX_POOL, dimensions)(_per_axis(dimensions, stride))


def normalization(kind: str, dimensions: int, channels: int) -> nn.Module:
    """Return "batch", "instance" (affine) or "group" normalization over `channels`.

    Groups are the largest number up to 32 that divides the channels.
    """
    if kind == "batch":
        return _of(BATCH_NORM, dimensions)(channels)
    if kind == "instance":
        return _of(INSTANCE_NORM, dimensions)(channels, affine=True)
    if kind == "group":
        groups = max(n for n in range(1, min(LARGEST_GROUPS, channels) + 1) if channels % n == 0)
        return nn.GroupNorm(groups, channels)
    raise ValueError(f"unknown normalization {kind!r}; known: batch, instance, group")


def _of(layers: Mapping[int, type[nn.Module]], dimensions: int) -> type[nn.Module]:
    if dimensions not in layers:
        raise ValueError(f"dimensions must be 2 or 3, got {dimensions}")
    return layers[dimensions]


def _per_axis(dimensions: int, value: Size) -> tuple[int, ...]:
    return (value,) * dimensions if isinstance(value, int) else tuple(value)
