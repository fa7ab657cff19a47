"""SD-UNet, a stripped-down U-Net of depthwise separable convolutions, and the U-Net it is compared with."""

from LightSegLib.networks.sd.separable import (
    DepthwiseSeparable,
    resolve_weight_standardization,
    weight_standardization,
)
from LightSegLib.networks.sd.unet import SDUNet, UNet

__all__ = ["DepthwiseSeparable", "SDUNet", "UNet", "resolve_weight_standardization", "weight_standardization"]
