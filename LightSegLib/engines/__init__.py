"""Inference engines: the same network, the same weights, the same logits on whatever the machine has."""

from LightSegLib.engines.base import Engine
from LightSegLib.engines.selection import DEVICES, ENGINES, available_devices, create_engine, device_name

__all__ = ["DEVICES", "ENGINES", "Engine", "available_devices", "create_engine", "device_name"]
