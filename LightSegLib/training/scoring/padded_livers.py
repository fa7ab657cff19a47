"""Write the liver cases as they are scored: stacks that end where the liver ends get synthetic anatomy around them."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import numpy as np
import SimpleITK as sitk

from LightSegLib.training.cases import read_cases
from LightSegLib.training.synthesis.ct_cases import CTLibrary
from LightSegLib.training.synthesis.ct_padding import pad_stack
from LightSegLib.volumes import read_labelmap, read_volume, to_lps

__all__ = ["main", "write_padded"]

WHOLE = ("chaos",)  # centers whose stacks go on above and below the liver
SEED = 7000  # not one that training pads with


def write_padded(data: Path, output: Path) -> None:
    """Write the cases of the folder `data`/liver to `output`, padded with bodies made of `data`/labels.

    The liver of the reference is label 1 or 2; what is added has none. `output` gets cases.json and a folder a case.
    """
    library = CTLibrary(data / "labels")
    listing = json.loads((data / "liver" / "cases.json").read_text(encoding="utf-8"))
    output.mkdir(parents=True, exist_ok=True)
    for number, case in enumerate(read_cases(data / "liver")):
        folder = output / case.name
        folder.mkdir(exist_ok=True)
        if case.center in WHOLE:
            for file in ("CT", "liver"):
                shutil.copyfile(case.path(file), folder / f"{file}.nii.gz")
            continue
        image, labels = to_lps(read_volume(case.path("CT"))), to_lps(read_labelmap(case.path("liver")))
        other = library.case(np.random.default_rng([SEED, number]), whole=True)
        stack = sitk.GetArrayFromImage(image).astype(np.float32)
        padded, below = pad_stack(
            stack,
            image.GetSpacing()[::-1],
            sitk.GetArrayFromImage(other.image),
            sitk.GetArrayFromImage(other.liver),
        )
        reference = np.zeros(padded.shape, np.uint8)
        reference[below : below + len(stack)] = sitk.GetArrayViewFromImage(labels) > 0
        for file, array in (("CT", np.rint(padded).astype(np.int16)), ("liver", reference)):
            written = sitk.GetImageFromArray(array)
            written.SetSpacing(image.GetSpacing())
            written.SetDirection(image.GetDirection())
            written.SetOrigin(image.TransformIndexToPhysicalPoint([0, 0, -below]))
            sitk.WriteImage(written, str(folder / f"{file}.nii.gz"))
        print(f"{case.name}: {below} slices below, {len(padded) - below - len(stack)} above", flush=True)
    (output / "cases.json").write_text(json.dumps(listing, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m LightSegLib.training.scoring.padded_livers", description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"), help="folder with liver/ and labels/")
    parser.add_argument("--output", type=Path, required=True, help="folder for the padded cases")
    options = parser.parse_args()
    write_padded(options.data, options.output)


if __name__ == "__main__":
    main()
