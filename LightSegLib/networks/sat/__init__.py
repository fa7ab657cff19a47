"""Networks whose skip connections select, attend and transfer (Asgari Taghanaki et al., 2018)."""

from __future__ import annotations

from LightSegLib.networks.sat.gate import VARIANTS, SkipGate, switched_off
from LightSegLib.networks.sat.tiramisu import SATTiramisu
from LightSegLib.networks.sat.unet import SATUNet
from LightSegLib.networks.sat.vnet import SATVNet

__all__ = ["VARIANTS", "SATTiramisu", "SATUNet", "SATVNet", "SkipGate", "switched_off"]
