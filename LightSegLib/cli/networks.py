"""`lightseg models --networks`: the papers' networks and what they cost."""

from __future__ import annotations

import dataclasses
from importlib.util import find_spec
from typing import TYPE_CHECKING

from LightSegLib.cli.console import format_table
from LightSegLib.errors import MissingDependencyError

if TYPE_CHECKING:
    from LightSegLib.networks import NetworkSummary
    from LightSegLib.networks.catalog import CatalogEntry

__all__ = ["network_costs", "network_table", "network_to_json"]

HEADINGS = ("network", "input", "parameters", "multiply-adds", "receptive field", "memory")


def network_costs() -> list[tuple[CatalogEntry, NetworkSummary]]:
    """Return each configuration of the papers and its costs; MissingDependencyError without PyTorch."""
    if find_spec("torch") is None:
        raise MissingDependencyError("counting networks needs PyTorch: pip install 'lightseg[pytorch]'")
    from LightSegLib.networks import summary
    from LightSegLib.networks.catalog import CATALOG

    return [(entry, summary(entry.build(), entry.shape)) for entry in CATALOG]


def network_to_json(entry: CatalogEntry, costs: NetworkSummary) -> dict[str, object]:
    """Return a configuration and its costs in the terms of JSON."""
    return {
        "label": entry.label,
        "network": entry.network,
        "arguments": dict(entry.arguments),
        "input_shape": list(entry.shape),
        **dataclasses.asdict(costs),
    }


def network_table(rows: list[tuple[CatalogEntry, NetworkSummary]]) -> str:
    """Lay the configurations out as a table for a terminal."""
    return format_table([_cells(entry, costs) for entry, costs in rows], header=HEADINGS)


def _cells(entry: CatalogEntry, costs: NetworkSummary) -> tuple[str, ...]:
    reach = " x ".join(str(extent) for extent in costs.receptive_field)
    return (
        entry.label,
        " x ".join(str(size) for size in entry.shape[1:]),
        f"{costs.parameters:,}",
        f"{costs.multiply_adds / 1e9:.2f} G",
        f"{reach} and means" if costs.sees_everything else reach,
        f"{costs.memory_bytes / 2**20:,.0f} MiB",
    )
