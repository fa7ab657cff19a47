"""The network architectures, in PyTorch, built by name from a bundle's metadata."""

from __future__ import annotations

from torch import nn

from LightSegLib.networks.acu import ACUNet
from LightSegLib.networks.pocket import PocketUNet

__all__ = ["NETWORKS", "ACUNet", "PocketUNet", "build_network"]

NETWORKS: dict[str, type[nn.Module]] = {"acu": ACUNet, "pocket_unet": PocketUNet}


def build_network(name: str, **arguments: object) -> nn.Module:
    """Build a network by its registered name; an unknown name lists the known ones."""
    if name not in NETWORKS:
        raise ValueError(f"unknown network {name!r}; known: {', '.join(sorted(NETWORKS))}")
    return NETWORKS[name](**arguments)
