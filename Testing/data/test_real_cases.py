"""The shipped bundles on real cases: floors far below what the model cards report, to catch a broken pipeline."""

from pathlib import Path

import pytest
import SimpleITK as sitk

from LightSegLib import Segmenter
from LightSegLib.geometry import same_grid
from LightSegLib.measures import compare


@pytest.fixture(scope="module")
def wmh_acu() -> Segmenter:
    return Segmenter("wmh-acu", engine="openvino")


@pytest.mark.parametrize("case", ["ms3seg_07", "mslesseg_04"])  # whole head in thick slices; skull-stripped at 1 mm
def test_lesions_of_validation_cases_are_found(shared_data: Path, wmh_acu: Segmenter, case: str) -> None:
    folder = shared_data / "wmh" / case
    result = wmh_acu.segment({"FLAIR": folder / "FLAIR.nii.gz"}, reference=folder / "lesion.nii.gz")
    assert same_grid(result.labelmap, sitk.ReadImage(str(folder / "FLAIR.nii.gz")))
    assert result.agreement is not None
    assert result.agreement.dice > 0.55
    assert result.provenance["brain"] == ("skull-stripped" if case.startswith("mslesseg") else "extracted")


def test_engines_agree_on_a_real_case(shared_data: Path, wmh_acu: Segmenter) -> None:
    pytest.importorskip("torch")
    flair = shared_data / "wmh" / "ms3seg_07" / "FLAIR.nii.gz"
    openvino = wmh_acu.segment({"FLAIR": flair}).labelmap
    pytorch = Segmenter("wmh-acu", engine="pytorch", device="cpu").segment({"FLAIR": flair}).labelmap
    assert compare(openvino, pytorch).dice >= 0.999


@pytest.mark.parametrize("channel", ["FLAIR", "T1"])
def test_the_brain_of_a_validation_case_is_found(shared_data: Path, channel: str) -> None:
    folder = shared_data / "wmh" / "ms3seg_07"
    result = Segmenter("brain-pocket").segment(
        {"MR": folder / f"{channel}.nii.gz"}, reference=folder / "brainmask.nii.gz"
    )
    assert result.agreement is not None
    assert result.agreement.dice > 0.9
