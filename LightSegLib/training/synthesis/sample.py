"""The sample that LightSeg ships: `python -m LightSegLib.training.synthesis.sample --labels FOLDER --output FOLDER`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.training.synthesis.acquisition import Protocol
from LightSegLib.training.synthesis.cases import HeadLibrary
from LightSegLib.writers import write_labelmap, write_volume

__all__ = ["main"]

# A whole head in 4 mm slices: what a routine scan looks like, and about a megabyte.
PROTOCOL = Protocol(spacing_mm=(4.0, 1.0, 1.0), slice_axis=0, thickness_mm=4.0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Write `wmh_flair.nii.gz` and `wmh_reference.nii.gz`, generated from label maps with one seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--labels", type=Path, required=True, help="folder with brain/head_*.nii.gz and lesions/*.npz")
    parser.add_argument("--output", type=Path, default=Path("Resources/Samples"))
    parser.add_argument("--seed", type=int, default=4)
    options = parser.parse_args(arguments)
    case = HeadLibrary(options.labels).flair_case(np.random.default_rng(options.seed), protocol=PROTOCOL, skull=True)
    options.output.mkdir(parents=True, exist_ok=True)
    write_volume(sitk.Cast(sitk.Round(case.flair), sitk.sitkInt16), options.output / "wmh_flair.nii.gz")
    write_labelmap(case.lesion, options.output / "wmh_reference.nii.gz")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
