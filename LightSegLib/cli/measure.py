"""`lightseg measure`: volumes, agreement and report of a segmentation that exists already."""

import argparse
from functools import partial
from pathlib import Path

from LightSegLib.cli.console import ProgressLine, measured_lines, print_json
from LightSegLib.cli.segment import parse_inputs
from LightSegLib.outputs import OutputSet, check_report_path
from LightSegLib.remeasure import measure_labelmap
from LightSegLib.report import write_report

__all__ = ["add_parser", "run"]

DESCRIPTION = """\
Measure a segmentation, such as one that was corrected by hand, as 'lightseg segment' measures its own; no network runs.
The segmentation has the label values of the model's segments and the grid of the first input given, in the model's
order."""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "measure",
        help="measure a segmentation that exists, such as a corrected one",
        description=DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--model", required=True, metavar="NAME", help="the model whose labels the segmentation has")
    parser.add_argument(
        "--input", required=True, action="append", metavar="CHANNEL=FILE", help="an image it belongs to, as for segment"
    )
    parser.add_argument("--segmentation", required=True, type=Path, metavar="FILE", help="the labelmap to measure")
    parser.add_argument("--reference", type=Path, metavar="FILE", help="a reference labelmap to measure agreement with")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write a page with pictures: .html")
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    """Measure as the options say."""
    inputs = parse_inputs(options.input)
    outputs = {} if options.report is None else {"report": options.report}
    for path in outputs.values():
        check_report_path(path)
    sources = [*inputs.values(), options.segmentation, *([] if options.reference is None else [options.reference])]
    line = ProgressLine()
    try:
        with OutputSet(outputs.values(), inputs=sources) as files:
            result = measure_labelmap(
                options.model, inputs, options.segmentation, reference=options.reference, progress=line
            )
            for path in outputs.values():
                files.write(path, partial(write_report, result))
            written = files.commit()
    finally:
        line.close()
    if options.json:
        print_json(options, {**result.to_json(), "outputs": {name: str(path) for name, path in outputs.items()}})
        return 0
    model = result.provenance["model"]
    parts = [f"{options.segmentation}, labels of {model['name']} {model['version']}", *measured_lines(result), ""]
    parts += [f"Note: {note}" for note in result.provenance["notes"]]
    parts += [f"Wrote {path}" for path in written]
    print("\n".join(parts))
    return 0
