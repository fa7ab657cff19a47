"""The networks of five papers, in PyTorch, built by name from a bundle's metadata.

acu: ACU-Net (Ding et al., 2021). low_rank: Res-U-Net of low-rank convolutions (Ashtari et al., 2020). pocket: PocketNet
(Celaya et al., 2021). sat: select-attend-transfer gates (Asgari Taghanaki et al., 2018). sd: SD-UNet (Gadosey et al.,
2020). Each folder or file reads beside its paper; docs/networks/ compares their figures.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import nn

from LightSegLib.networks.acu import ACUNet
from LightSegLib.networks.ensemble import ProbabilityEnsemble
from LightSegLib.networks.low_rank import LowRankResUNet
from LightSegLib.networks.pocket import (
    PocketClassifier,
    PocketDenseNet,
    PocketHRNet,
    PocketNNUNet,
    PocketResNet,
    PocketUNet,
)
from LightSegLib.networks.sat import SATTiramisu, SATUNet, SATVNet
from LightSegLib.networks.sd import SDUNet, UNet
from LightSegLib.networks.summary import NetworkSummary, summary

__all__ = ["NETWORKS", "NetworkSummary", "ProbabilityEnsemble", "build_network", "summary"]

NETWORKS: dict[str, Callable[..., nn.Module]] = {
    "acu": ACUNet,
    "low_rank_res_unet": LowRankResUNet,
    "pocket_classifier": PocketClassifier,
    "pocket_densenet": PocketDenseNet,
    "pocket_hrnet": PocketHRNet,
    "pocket_nnunet": PocketNNUNet,
    "pocket_resnet": PocketResNet,
    "pocket_unet": PocketUNet,
    "res_unet": partial(LowRankResUNet, alpha=None),
    "sat_tiramisu": SATTiramisu,
    "sat_unet": SATUNet,
    "sat_vnet": SATVNet,
    "sd_unet": SDUNet,
    "unet": UNet,
}


def build_network(name: str, **arguments: object) -> nn.Module:
    """Build a network by its registered name; ValueError lists the known ones, TypeError names an unknown argument.

    Every network takes `in_channels` and `out_channels`, turns (n, in_channels, *spatial) into logits
    (n, out_channels, *spatial), for a classifier (n, out_channels), and says in `divisor` what every spatial size must
    be a multiple of.
    """
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name](**arguments)
