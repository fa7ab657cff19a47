"""The command line: `lightseg` and `python -m LightSegLib`."""

from LightSegLib.cli.main import main

__all__ = ["main"]
