"""`lightseg doctor`: does LightSeg work on this machine."""

import argparse

from LightSegLib.cli.console import ProgressLine, print_json
from LightSegLib.doctor import examine

__all__ = ["add_parser", "run"]

PROBLEMS_FOUND = 1


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "doctor",
        help="check this installation",
        description="Check this installation: versions, devices, every model's files, and the numbers that come out.",
        epilog="The exit code is 1 when a problem was found.",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    """Examine the installation; 0 when everything works, 1 otherwise."""
    line = ProgressLine()
    try:
        report = examine(progress=line.say)
    finally:
        line.close()
    if options.json:
        print_json(options, report.to_json())
    else:
        print(report.to_text())
    return 0 if report.ok else PROBLEMS_FOUND
