"""`python -m LightSegLib.training RECIPE ...` is `lightseg train RECIPE ...`."""

import argparse
import sys

from LightSegLib.cli.train import add_arguments, run
from LightSegLib.errors import LightSegError

if __name__ == "__main__":
    parser = argparse.ArgumentParser(prog="python -m LightSegLib.training", description="Train a network by a recipe.")
    add_arguments(parser)
    try:
        sys.exit(run(parser.parse_args()))
    except LightSegError as error:
        sys.exit(f"error: {error}")
