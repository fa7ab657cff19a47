"""Low-rank Res-U-Net: residual U-Net of convolutions in canonical polyadic form (Ashtari et al., 2020)."""

from LightSegLib.networks.low_rank.convolution import LowRankConvolution
from LightSegLib.networks.low_rank.res_u_net import LowRankResUNet

__all__ = ["LowRankConvolution", "LowRankResUNet"]
