"""The papers' configurations, to be listed side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from LightSegLib.networks import build_network

__all__ = ["CATALOG", "CatalogEntry"]


@dataclass(frozen=True)
class CatalogEntry:
    """A network as a paper uses it: what it is called there, how to build it, and the input (n, c, *spatial)."""

    label: str
    network: str
    shape: tuple[int, ...]
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def build(self) -> nn.Module:
        """Build the network without values: its shapes are there, its weights are not."""
        with torch.device("meta"):
            return build_network(self.network, **self.arguments)


VOLUME = (1, 1, 128, 128, 128)
FULL = {"pocket": False}
MRI = (1, 4, 128, 128, 128)
SLICE = (1, 1, 256, 256)
CATALOG = (
    CatalogEntry("ACU-Net", "acu", (1, 3, 256, 256)),
    CatalogEntry("U-Net, full", "pocket_unet", VOLUME, FULL),
    CatalogEntry("U-Net, pocket", "pocket_unet", VOLUME),
    CatalogEntry("ResNet, full", "pocket_resnet", VOLUME, FULL),
    CatalogEntry("ResNet, pocket", "pocket_resnet", VOLUME),
    CatalogEntry("DenseNet, full", "pocket_densenet", VOLUME, FULL),
    CatalogEntry("DenseNet, pocket", "pocket_densenet", VOLUME),
    CatalogEntry("HRNet, full", "pocket_hrnet", VOLUME, FULL),
    CatalogEntry("HRNet, pocket", "pocket_hrnet", VOLUME),
    CatalogEntry("nnU-Net, full", "pocket_nnunet", VOLUME, FULL),
    CatalogEntry("nnU-Net, pocket", "pocket_nnunet", VOLUME),
    CatalogEntry("Encoder classifier, full", "pocket_classifier", SLICE, FULL),
    CatalogEntry("Encoder classifier, pocket", "pocket_classifier", SLICE),
    CatalogEntry("Res-U-Net, F = 60", "res_unet", MRI),
    CatalogEntry("Low-rank Res-U-Net, F = 60, alpha = 0.5", "low_rank_res_unet", MRI),
    CatalogEntry("U-Net of the SD-UNet paper", "unet", SLICE),
    CatalogEntry("SD-UNet", "sd_unet", SLICE),
    CatalogEntry("U-Net, 3D, long skips", "sat_unet", VOLUME, {"skip": "org"}),
    CatalogEntry("U-Net, 3D, SAT gates", "sat_unet", VOLUME),
    CatalogEntry("V-Net, 3D, long skips", "sat_vnet", VOLUME, {"skip": "org"}),
    CatalogEntry("V-Net, 3D, SAT gates", "sat_vnet", VOLUME),
    CatalogEntry("Tiramisu, 2D, long skips", "sat_tiramisu", SLICE, {"skip": "org", "dimensions": 2}),
    CatalogEntry("Tiramisu, 2D, SAT gates", "sat_tiramisu", SLICE, {"dimensions": 2}),
)
