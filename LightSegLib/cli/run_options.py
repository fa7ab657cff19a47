"""The options of `Segmenter`, the same for every command that runs one."""

import argparse
from typing import Any

import SimpleITK as sitk

from LightSegLib.engines import PRECISIONS
from LightSegLib.errors import InputError
from LightSegLib.postprocess.choices import SHIPPED, STRATEGIES
from LightSegLib.segmenter import Segmenter

__all__ = ["POSTPROCESSING_HELP", "add_run_options", "make_segmenter"]

POSTPROCESSING_HELP = """\
Postprocessing: every model takes 'shipped'; tumor models also 'nested' (thresholds, region within region) and 'argmax'
(the most probable label, no thresholds); organ models also 'largest_component', 'morphological' (erode, keep the
largest component, dilate; where the model ships no sizes, by 2 and 1 voxels of its own grid, in mm) and 'none'.
Notes in the output tell what was changed."""


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that say with which models, where and how a network runs, and what becomes of its answer."""
    parser.add_argument(
        "--model",
        required=True,
        action="append",
        metavar="NAME[,NAME...]",
        help="a model's name, or a bundle's folder; several are averaged",
    )
    parser.add_argument("--device", choices=("auto", "cpu", "cuda", "mps"), default="auto", help="default: auto")
    parser.add_argument("--engine", choices=("auto", "openvino", "pytorch"), default="auto", help="default: auto")
    parser.add_argument("--threads", type=_positive, metavar="N", help="CPU threads; default: all cores")
    parser.add_argument("--precision", choices=PRECISIONS, default="auto", help="of the network; default: auto")
    parser.add_argument(
        "--postprocessing",
        choices=STRATEGIES,
        default=SHIPPED,
        help="how probabilities become labels; default: shipped",
    )
    parser.add_argument(
        "--threshold",
        action="append",
        metavar="[REGION=]P",
        help="least probability, 0.01 to 0.99; with several regions (WT, TC, ET) once per region, or one P for all",
    )
    parser.add_argument(
        "--min-lesion-ml",
        type=float,
        metavar="ML",
        help="smallest lesion, or smallest enhancing part of a tumor, in ml",
    )


def make_segmenter(options: argparse.Namespace) -> Segmenter:
    """Make what the options say; errors are those of `Segmenter`, and InputError for a malformed threshold."""
    if options.threads is not None:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(options.threads)
    return Segmenter(
        [name for names in options.model for name in names.split(",")],
        device=options.device,
        engine=options.engine,
        threads=options.threads,
        precision=options.precision,
        postprocessing=options.postprocessing,
        threshold=_threshold(options.threshold or []),
        min_lesion_ml=options.min_lesion_ml,
    )


def _threshold(texts: list[str]) -> Any:
    """Return the threshold of options P or REGION=P; InputError for one that is malformed or given twice."""
    by_region: dict[str, float] = {}
    for text in texts:
        region, _, number = text.rpartition("=")
        try:
            value = float(number)
        except ValueError:
            raise InputError(f"--threshold {text}: write it as 0.4, or with its region as WT=0.4.") from None
        if region in by_region or (by_region and "" in (region, *by_region)):
            raise InputError(f"--threshold {text}: give one number for all regions, or one for each region.")
        by_region[region] = value
    return by_region.get("", by_region) if by_region else None


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, got {text}")
    return number
