"""`lightseg models`: what can be segmented, and from which images."""

import argparse

from LightSegLib.bundles import Bundle, list_bundles
from LightSegLib.cli.console import print_json
from LightSegLib.cli.networks import network_costs, network_table, network_to_json

__all__ = ["add_parser", "run"]


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "models", help="list the installed models", description="List the installed models and the inputs they take."
    )
    parser.add_argument(
        "--networks", action="store_true", help="list the networks of the papers and what they cost instead"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    """List the bundles, each verified against its checksums, or the networks."""
    if options.networks:
        return _run_networks(options)
    bundles = list_bundles()
    if options.json:
        print_json(options, {"models": [_to_json(bundle) for bundle in bundles]})
    else:
        print("\n\n".join(_describe(bundle) for bundle in bundles) or "No model is installed: reinstall LightSeg.")
    return 0


def _run_networks(options: argparse.Namespace) -> int:
    rows = network_costs()
    if options.json:
        print_json(options, {"networks": [network_to_json(entry, costs) for entry, costs in rows]})
    else:
        print(network_table(rows))
        print("\nMultiply-adds and memory (float32, layer by layer) for one input: channels x size.")
        print("Means: squeeze-and-excitation, normalization or global pooling sees the whole input.")
    return 0


def _to_json(bundle: Bundle) -> dict[str, object]:
    return {
        "name": bundle.name,
        "version": bundle.version,
        "description": bundle.description,
        "inputs": [
            {"name": channel.name, "required": channel.required, "modality": channel.modality}
            for channel in bundle.inputs
        ],
        "segments": [{"value": segment.value, "name": segment.name} for segment in bundle.segments],
        "regions": [{"name": region.name, "values": list(region.values)} for region in bundle.regions],
        "network": bundle.network_name,
        "size_bytes": bundle.size_bytes,
        "folder": str(bundle.folder),
        "sha256": dict(bundle.hashes),
    }


def _describe(bundle: Bundle) -> str:
    inputs = ", ".join(
        f"{channel.name} ({channel.modality}{'' if channel.required else ', optional'})" for channel in bundle.inputs
    )
    return "\n".join(
        [
            f"{bundle.name} {bundle.version}",
            f"  {bundle.description}",
            f"  inputs    {inputs}",
            f"  segments  {', '.join(segment.name for segment in bundle.segments)}",
            f"  size      {bundle.size_bytes / 1e6:.1f} MB, {bundle.network_name} network",
        ]
    )
