"""`lightseg compare`: how well a segmentation agrees with a reference."""

import argparse
from pathlib import Path

from LightSegLib.cli.console import agreement_rows, format_table, print_json
from LightSegLib.measures import volume_ml
from LightSegLib.pipeline.comparison import compare_labelmaps
from LightSegLib.volumes import read_labelmap

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
Measure the agreement of a segmentation with a reference, label by label. A reference on another grid is resampled onto
the segmentation's (nearest neighbor). When each file has a single label, the two are compared whatever its value is."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "compare",
        help="measure the agreement of two segmentations",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("segmentation", type=Path, metavar="SEG", help="the labelmap to judge")
    parser.add_argument("reference", type=Path, metavar="REF", help="the labelmap taken as true")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    """Compare two labelmap files."""
    segmentation = read_labelmap(options.segmentation)
    comparison = compare_labelmaps(
        segmentation,
        read_labelmap(options.reference),
        segmentation_name=str(options.segmentation),
        reference_name=str(options.reference),
    )
    labels = {
        str(value): {
            "volume_ml": volume_ml(segmentation, value),
            "reference_ml": volume_ml(comparison.reference, value),
            **agreement.to_json(),
        }
        for value, agreement in comparison.agreements.items()
    }
    if options.json:
        names = {"segmentation": str(options.segmentation), "reference": str(options.reference)}
        print_json(options, {**names, "labels": labels, "notes": comparison.notes})
        return 0
    volumes = [
        [title, *(f"{label[key]:.2f}" for label in labels.values())]
        for key, title in (("volume_ml", "Volume (ml)"), ("reference_ml", "Reference (ml)"))
    ]
    header = ["", *(f"label {value}" for value in labels)]
    print(format_table([*volumes, *agreement_rows(labels)], header=header))
    for note in comparison.notes:
        print(f"Note: {note}")
    return 0
