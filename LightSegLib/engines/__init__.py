"""Inference engines: the same network, the same weights, the same logits on whatever the machine has."""

from LightSegLib.engines.base import Engine
from LightSegLib.engines.selection import (
    DEVICES,
    ENGINES,
    PRECISIONS,
    available_devices,
    choose_precision,
    create_engine,
    device_name,
)

__all__ = [
    "DEVICES",
    "ENGINES",
    "PRECISIONS",
    "Engine",
    "available_devices",
    "choose_precision",
    "create_engine",
    "device_name",
]
