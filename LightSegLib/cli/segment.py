"""`lightseg segment`: images in, segmentation, volumes, agreement and report out."""

import argparse
from functools import partial
from pathlib import Path

from LightSegLib.cli.console import ProgressLine, format_table, measured_lines, print_json
from LightSegLib.cli.run_options import POSTPROCESSING_HELP, add_run_options, make_segmenter
from LightSegLib.dicom_frames import read_frames
from LightSegLib.dicom_seg import check_dicom_seg_path, write_dicom_seg
from LightSegLib.dicom_series import series_files
from LightSegLib.errors import ChannelError, InputError
from LightSegLib.outputs import OutputSet, check_report_path, check_volume_path
from LightSegLib.pipeline.channels import match_channels
from LightSegLib.pipeline.ensemble import algorithm_of
from LightSegLib.pipeline.result import Result
from LightSegLib.report import write_report
from LightSegLib.writers import write_labelmap, write_volume

__all__ = ["add_parser", "parse_inputs", "run"]

EPILOG = """\
examples:
  lightseg segment --model wmh-acu --input FLAIR=flair.nii.gz --output seg.nii.gz
  lightseg segment --model wmh-acu --input FLAIR=flair.nii.gz --input T1=t1.nii.gz \\
      --output seg.seg.nrrd --reference expert.nii.gz --report report.html
  lightseg segment --model liver-pocket --input CT=dicom/ --output seg.nii.gz --dicom-seg seg.dcm
  lightseg segment --model mine/wmh-a,mine/wmh-b --input FLAIR=flair.nii.gz --output seg.nii.gz
  lightseg segment --model wmh-acu --input FLAIR=flair.nii.gz --output seg.nii.gz --threshold 0.4 --min-lesion-ml 0.01
  lightseg segment --model tumor-acu --input T1ce=t1ce.nii.gz --output seg.nii.gz --threshold WT=0.4 --threshold ET=0.6

Inputs are NIfTI, NRRD or MHA files, or folders with one DICOM series. The segmentation has exactly the grid of the
first input given, in the order in which 'lightseg models' lists those of each model. Of several models of one task the
probabilities are averaged, and the first one's postprocessing applies.

"""


def add_parser(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add the command and its options."""
    parser = subparsers.add_parser(
        "segment",
        help="segment one case and measure it",
        description="Segment one case: writes a labelmap and prints volumes, lesion count and agreement.",
        epilog=EPILOG + POSTPROCESSING_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--input", required=True, action="append", metavar="CHANNEL=FILE", help="an input image; once per channel"
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FILE", help="segmentation: .nii.gz, .nrrd, .seg.nrrd or .mha"
    )
    parser.add_argument("--reference", type=Path, metavar="FILE", help="a reference labelmap to measure agreement with")
    parser.add_argument("--probabilities", type=Path, metavar="FILE", help="also write the probabilities (0..1)")
    parser.add_argument("--report", type=Path, metavar="FILE", help="also write a page with pictures: .html")
    parser.add_argument(
        "--dicom-seg", type=Path, metavar="FILE", help="of a DICOM folder, also write a DICOM SEG: .dcm"
    )
    add_run_options(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")


def run(options: argparse.Namespace) -> int:
    """Segment as the options say; outputs appear together at the end, or not at all."""
    inputs = parse_inputs(options.input)
    check_volume_path(options.output, labels=True)
    if options.probabilities is not None:
        check_volume_path(options.probabilities, labels=False)
    if options.report is not None:
        check_report_path(options.report)
    optional = (options.probabilities, options.report, options.dicom_seg)
    paths = [options.output, *(path for path in optional if path is not None)]
    sources = [*inputs.values(), *([options.reference] if options.reference is not None else [])]
    line = ProgressLine()
    try:
        with OutputSet(paths, inputs=sources) as outputs:
            segmenter = make_segmenter(options)
            main = next(iter(match_channels(segmenter.inputs, list(inputs))))
            series = () if options.dicom_seg is None else _series_of(inputs[main], main, options.dicom_seg)
            result = segmenter.segment(
                inputs,
                reference=options.reference,
                progress=line,
                probabilities=options.probabilities is not None,
            )
            line(1.0, "Writing")
            outputs.write(options.output, partial(write_labelmap, result.labelmap, segments=result.segments))
            if result.probabilities is not None:
                outputs.write(options.probabilities, partial(write_volume, result.probabilities))
            if options.report is not None:
                outputs.write(options.report, partial(write_report, result))
            if options.dicom_seg is not None:
                name, version = algorithm_of(segmenter.bundles)
                write = partial(write_dicom_seg, result.labelmap, result.segments, series)
                outputs.write(options.dicom_seg, partial(write, algorithm_name=name, algorithm_version=version))
            written = outputs.commit()
    finally:
        line.close()
    if options.json:
        print_json(options, {**result.to_json(), "outputs": _name_outputs(options)})
    else:
        print(_summary(result, written))
    return 0


def parse_inputs(pairs: list[str]) -> dict[str, Path]:
    """Return the files by channel of options CHANNEL=FILE; ChannelError for one that is malformed or given twice."""
    inputs: dict[str, Path] = {}
    for pair in pairs:
        channel, separator, path = pair.partition("=")
        if not separator or not channel or not path:
            raise ChannelError(f"--input {pair}: write it as CHANNEL=FILE, for example FLAIR=flair.nii.gz.")
        if channel in inputs:
            raise ChannelError(f"Input {channel} is given twice: give each input once.")
        # Shells leave the ~ in FLAIR=~/flair.nii.gz to the program.
        inputs[channel] = Path(path).expanduser()
    return inputs


def _series_of(folder: Path, channel: str, output: Path) -> tuple[Path, ...]:
    """Return the files that a DICOM SEG of the main input refers to, found fit for it before anything is computed."""
    check_dicom_seg_path(output)
    if not folder.is_dir():
        raise InputError(
            f"{output}: a DICOM SEG needs {channel} as a DICOM folder, not {folder}; leave --dicom-seg out."
        )
    files = series_files(folder)
    read_frames(files)
    return files


def _name_outputs(options: argparse.Namespace) -> dict[str, str]:
    names = {"segmentation": "output", "probabilities": "probabilities", "report": "report", "dicom_seg": "dicom_seg"}
    named = {name: getattr(options, option) for name, option in names.items()}
    return {name: str(path) for name, path in named.items() if path is not None}


def _summary(result: Result, written: list[Path]) -> str:
    provenance = result.provenance
    models, engine = [provenance["model"], *provenance["further_models"]], provenance["engine"]
    names = " + ".join(f"{model['name']} {model['version']}" for model in models)
    parts = [f"{names} on {', '.join(entry['name'] for entry in provenance['inputs'].values())}"]
    parts += measured_lines(result)
    seconds = [[stage.replace("_", " "), f"{value:.2f} s"] for stage, value in result.timings_s.items()]
    parts += ["", "Time", format_table(seconds)]
    parts += ["", f"Engine: {engine['name']} on {engine['device']} ({engine['reason']})"]
    parts += [f"Precision: {provenance['precision']['name']} ({provenance['precision']['reason']})"]
    if provenance["brain"] is not None:
        parts.append(f"Brain: {provenance['brain']}")
    parts += [f"Note: {note}" for note in provenance["notes"]]
    parts += [f"Wrote {path}" for path in written]
    return "\n".join(parts)
