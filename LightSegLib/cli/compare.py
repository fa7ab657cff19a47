"""`lightseg compare`: how well a segmentation agrees with a reference."""

import argparse
from pathlib import Path

from LightSegLib.bundles import load_bundle
from LightSegLib.cli.console import agreement_rows, format_table, print_json
from LightSegLib.pipeline.comparison import compare_labelmaps
from LightSegLib.pipeline.structures import agreements_by_name, match_reference_values
from LightSegLib.volumes import read_labelmap

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
Measure the agreement of a segmentation with a reference, label by label. A reference on another grid is resampled onto
the segmentation's (nearest neighbor). When each file has a single label, the two are compared whatever its value is.
With --model, labels have the names that the model gives them, its regions (such as a whole tumor) are measured too, and
the reference may have the other label values that the model knows."""


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
    parser.add_argument("--model", metavar="NAME", help="the model whose labels the segmentation has")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    """Compare two labelmap files."""
    segmentation = read_labelmap(options.segmentation)
    reference = read_labelmap(options.reference)
    bundle = load_bundle(options.model) if options.model else None
    notes: tuple[str, ...] = ()
    if bundle is not None:
        reference, notes = match_reference_values(reference, bundle, name=str(options.reference))
    comparison = compare_labelmaps(
        segmentation,
        reference,
        values=tuple(segment.value for segment in bundle.segments) if bundle else (),
        segmentation_name=str(options.segmentation),
        reference_name=str(options.reference),
    )
    if bundle is None:
        agreements = {str(value): agreement for value, agreement in comparison.agreements.items()}
    else:
        agreements = agreements_by_name(segmentation, comparison, bundle)
    labels = {name: agreement.to_json() for name, agreement in agreements.items()}
    notes += comparison.notes
    if options.json:
        files = {"segmentation": str(options.segmentation), "reference": str(options.reference)}
        print_json(options, {**files, "labels": labels, "notes": notes})
        return 0
    volumes = [
        [title, *(f"{label[key]:.2f}" for label in labels.values())]
        for key, title in (("volume_ml", "Volume (ml)"), ("reference_volume_ml", "Reference (ml)"))
    ]
    titles = labels if bundle else [f"label {value}" for value in labels]
    print(format_table([*volumes, *agreement_rows(labels)], header=["", *titles]))
    for note in notes:
        print(f"Note: {note}")
    return 0
