"""Tiny bundles made by the real export, for the tests of bundles, engines, export and doctor."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch.nn.modules.batchnorm import _BatchNorm

from LightSegLib.bundles import Bundle
from LightSegLib.networks import build_network
from LightSegLib.training.bundle_card import read_card
from LightSegLib.training.export import export_bundle

# Name of the card -> network, and the shape (n, c, *spatial) of an input.
TOYS: dict[str, tuple[dict[str, Any], tuple[int, ...]]] = {
    "wmh-acu": ({"name": "acu", "arguments": {"in_channels": 4, "out_channels": 1}}, (2, 4, 64, 48)),
    "brain-pocket": ({"name": "pocket_unet", "arguments": {"width": 4, "depth": 1}}, (1, 1, 16, 32, 16)),
}


def trained_network(name: str) -> torch.nn.Module:
    """A network whose batch-norm statistics are not those of its making, as after training."""
    network_settings, shape = TOYS[name]
    torch.manual_seed(11)
    network = build_network(network_settings["name"], **network_settings["arguments"])
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                module.weight.uniform_(0.5, 1.5)
                module.bias.uniform_(-0.5, 0.5)
        for _ in range(5):
            network(3 * torch.randn(shape) + 1)
    return network.eval()


def export_toy(name: str, folder: Path) -> Bundle:
    network_settings, shape = TOYS[name]
    metadata = read_card(name, network=network_settings)
    return export_bundle(trained_network(name), metadata, folder, example_shape=shape, model_card=f"# {name}\n")
