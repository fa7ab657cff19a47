"""The tumor models on their sample, a real glioma and a generated whole head: floors, to catch a broken pipeline."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib import Segmenter
from LightSegLib.geometry import same_grid
from LightSegLib.measures import compare

CHANNELS = ("T1", "T1ce", "T2", "FLAIR")
SAMPLES = Path(__file__).parents[2] / "Resources" / "Samples"


@pytest.fixture(scope="module")
def tumor_acu() -> Segmenter:
    return Segmenter("tumor-acu", engine="openvino")


@pytest.fixture(scope="module", params=["tumor-acu", "tumor-lowrank", "tumor-pocket", "tumor-sd"])
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    return Segmenter(request.param, engine="openvino")


def test_the_sample_is_segmented(segmenter: Segmenter) -> None:
    images = {name: SAMPLES / f"tumor_{name.lower()}.nii.gz" for name in CHANNELS}
    result = segmenter.segment(images, reference=SAMPLES / "tumor_reference.nii.gz")
    assert min(result.agreements[name].dice for name in ("WT", "TC", "ET")) > 0.7
    assert result.volumes_ml["WT"] == pytest.approx(147, rel=0.15)


def test_a_real_glioma_is_segmented_alike_by_both_engines(shared_data: Path, segmenter: Segmenter) -> None:
    folder = shared_data / "tumor" / "glioma_10"
    images = {name: folder / f"{name}.nii.gz" for name in CHANNELS}
    result = segmenter.segment(images, reference=folder / "seg.nii.gz")
    assert same_grid(result.labelmap, sitk.ReadImage(str(folder / "T1.nii.gz")))
    assert result.agreements["WT"].dice > 0.85 and result.agreements["ET"].dice > 0.75
    pytest.importorskip("torch")
    other = Segmenter(segmenter.bundle, engine="pytorch", device="cpu").segment(images).labelmap
    assert compare(result.labelmap, other, value=(1, 2, 3)).dice >= 0.999


def test_a_missing_contrast_costs_little_but_for_t1ce(shared_data: Path, tumor_acu: Segmenter) -> None:
    folder = shared_data / "tumor" / "glioma_10"
    for missing in ("T1", "T2", "T1ce"):
        images = {name: folder / f"{name}.nii.gz" for name in CHANNELS if name != missing}
        result = tumor_acu.segment(images, reference=folder / "seg.nii.gz")
        assert result.agreements["WT"].dice > 0.8
        assert any(note.startswith(f"{missing} was not given") for note in result.provenance["notes"])


def test_a_whole_head_is_segmented_nearly_as_well_as_its_brain(shared_data: Path, tumor_acu: Segmenter, monkeypatch):
    pytest.importorskip("torch")
    from LightSegLib.training.synthesis import TumorLibrary, tumor_cases
    from LightSegLib.training.synthesis.tumor_contrast import paint

    monkeypatch.setattr(tumor_cases, "MARGIN_MM", 70)  # all of the head, and air around it
    rng = np.random.default_rng([77, 5])
    patient = TumorLibrary(shared_data / "labels").patient(rng, kind="ring")
    heads = {name: sitk.GetImageFromArray(image * 400) for name, image in paint(patient, rng).items()}
    brain = sitk.GetImageFromArray((patient.brain | (patient.labels > 0)).astype(np.uint8))
    brains = {name: sitk.Mask(image, brain) for name, image in heads.items()}
    reference = sitk.GetImageFromArray(patient.labels)
    whole, stripped = (tumor_acu.segment(images, reference=reference) for images in (heads, brains))
    assert whole.provenance["brain"] == "extracted" and stripped.provenance["brain"] == "skull-stripped"
    assert whole.agreements["WT"].dice > 0.7
    assert whole.agreements["WT"].dice > stripped.agreements["WT"].dice - 0.1
