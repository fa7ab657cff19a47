"""The samples that LightSeg ships: `python -m LightSegLib.training.synthesis.sample --labels FOLDER`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.geometry import resample_onto
from LightSegLib.training.synthesis.acquisition import Protocol, acquire
from LightSegLib.training.synthesis.cases import HeadLibrary, as_image
from LightSegLib.training.synthesis.ct_cases import CTLibrary
from LightSegLib.training.synthesis.tumor_cases import TumorLibrary
from LightSegLib.writers import write_labelmap, write_volume

__all__ = ["main"]

# A whole head in 4 mm slices: what a routine scan looks like, and about two megabytes.
HEAD = Protocol(spacing_mm=(4.0, 1.0, 1.0), slice_axis=0, thickness_mm=4.0)
# Four contrasts of a brain in 3 mm slices: two megabytes together.
BRAIN = Protocol(spacing_mm=(3.0, 1.2, 1.2), slice_axis=0, thickness_mm=3.0)
LEVELS = 250.0  # steps of intensity, which compress well
CT_STEP_HU = 5.0  # far below the noise
FAR = 2**20  # of a seed: far from the generated patients that networks are trained on


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the samples of WMH (FLAIR, reference), tumor (T1, T1ce, T2, FLAIR, reference) and liver (CT, reference)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--labels", type=Path, required=True, help="folder with brain/, lesions/, tumor_masks/ and abdomen/"
    )
    parser.add_argument("--output", type=Path, default=Path("Resources/Samples"))
    parser.add_argument("--seed", type=int, default=4, help="of the WMH sample")
    parser.add_argument("--tumor-seed", type=int, default=7)
    parser.add_argument("--liver-seed", type=int, default=4)
    options = parser.parse_args(arguments)
    options.output.mkdir(parents=True, exist_ok=True)
    case = HeadLibrary(options.labels).flair_case(np.random.default_rng(options.seed), protocol=HEAD, skull=True)
    _write(case.flair, options.output / "wmh_flair.nii.gz")
    write_labelmap(case.lesion, options.output / "wmh_reference.nii.gz")
    tumor = TumorLibrary(options.labels).case(np.random.default_rng([options.tumor_seed, FAR]), kind="ring")
    for name, image in tumor.images.items():
        scanned = as_image(acquire(sitk.GetArrayFromImage(image), BRAIN), BRAIN.spacing_mm)
        brain = sitk.Cast(resample_onto(tumor.brain, scanned, labels=True), sitk.sitkFloat32)
        scale = LEVELS / float(np.percentile(sitk.GetArrayViewFromImage(scanned), 99.9))
        _write(scanned * brain * scale, options.output / f"tumor_{name.lower()}.nii.gz")
    write_labelmap(resample_onto(tumor.labels, scanned, labels=True), options.output / "tumor_reference.nii.gz")
    body = CTLibrary(options.labels).case(np.random.default_rng([options.liver_seed, FAR]))
    ct = sitk.BinShrink(body.image, (1, 1, 2))  # slices of 4 mm
    _write(sitk.Round(ct / CT_STEP_HU) * CT_STEP_HU, options.output / "liver_ct.nii.gz")
    write_labelmap(resample_onto(body.liver, ct, labels=True), options.output / "liver_reference.nii.gz")
    return 0


def _write(image: sitk.Image, path: Path) -> None:
    write_volume(sitk.Cast(sitk.Round(image), sitk.sitkInt16), path)


if __name__ == "__main__":
    raise SystemExit(main())
