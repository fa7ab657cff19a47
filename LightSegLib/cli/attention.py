"""`lightseg attention`: what the gated skip connections of a model attend to."""

import argparse
from functools import partial
from importlib.util import find_spec
from pathlib import Path

from LightSegLib.bundles import load_bundle
from LightSegLib.cli.console import print_json
from LightSegLib.cli.segment import parse_inputs
from LightSegLib.errors import MissingDependencyError, OutputError
from LightSegLib.outputs import OutputSet
from LightSegLib.pipeline.channels import match_channels
from LightSegLib.writers import write_volume

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
Write what each skip connection of a model with select-attend-transfer gates attends to: one image a connection, 0 to 1,
on the grid of the input, attention_1.nii.gz being the finest level's. Needs the extra 'pytorch'."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "attention",
        help="write what a model with gated skip connections attends to",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="a model's name, or a bundle's folder")
    parser.add_argument(
        "--input", required=True, action="append", metavar="CHANNEL=FILE", help="an input image; once per channel"
    )
    parser.add_argument("--output", required=True, type=Path, metavar="FOLDER", help="folder for the images")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    """Write the maps; they appear together at the end, or not at all."""
    if find_spec("torch") is None:
        raise MissingDependencyError("attention maps need PyTorch: pip install 'lightseg[pytorch]'")
    from LightSegLib.attention import attention_maps

    bundle = load_bundle(options.model)
    inputs = parse_inputs(options.input)
    match_channels(bundle.inputs, list(inputs))
    maps = attention_maps(bundle, inputs)
    try:
        options.output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{options.output}: cannot be made a folder ({error.strerror}); choose another") from error
    paths = [options.output / f"attention_{level}.nii.gz" for level in range(1, len(maps) + 1)]
    with OutputSet(paths, inputs=list(inputs.values())) as outputs:
        for path, image in zip(paths, maps, strict=True):
            outputs.write(path, partial(write_volume, image))
        written = outputs.commit()
    if options.json:
        print_json(options, {"model": bundle.name, "outputs": [str(path) for path in written]})
    else:
        print("\n".join(f"Wrote {path}" for path in written))
    return 0
