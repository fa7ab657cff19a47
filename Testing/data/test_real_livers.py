"""The liver models on their sample and on real CT of other hospitals: floors, to catch a broken pipeline."""

from pathlib import Path

import pytest
import SimpleITK as sitk

from LightSegLib import Segmenter
from LightSegLib.errors import ChannelError, InputError
from LightSegLib.geometry import same_grid
from LightSegLib.measures import compare

SAMPLES = Path(__file__).parents[2] / "Resources" / "Samples"


@pytest.fixture(scope="module", params=["liver-acu", "liver-lowrank", "liver-pocket", "liver-sat"])
def segmenter(request: pytest.FixtureRequest) -> Segmenter:
    return Segmenter(request.param, engine="openvino")


def one_part(labelmap: sitk.Image) -> bool:
    return int(sitk.GetArrayFromImage(sitk.ConnectedComponent(labelmap)).max()) == 1


def test_the_sample_is_segmented(segmenter: Segmenter) -> None:
    result = segmenter.segment({"CT": SAMPLES / "liver_ct.nii.gz"}, reference=SAMPLES / "liver_reference.nii.gz")
    assert result.agreement is not None and result.agreement.dice > 0.93


def test_a_scan_of_another_hospital_is_segmented_alike_by_both_engines(shared_data: Path, segmenter: Segmenter) -> None:
    folder = shared_data / "liver" / "totalseg_example"
    images = {"CT": folder / "CT.nii.gz"}
    # The reference is what another model makes of it.
    result = segmenter.segment(images, reference=folder / "liver_model_output.nii.gz")
    assert same_grid(result.labelmap, sitk.ReadImage(str(images["CT"]))) and one_part(result.labelmap)
    assert result.agreement is not None and result.agreement.dice > 0.92
    pytest.importorskip("torch")
    other = Segmenter(segmenter.bundle, engine="pytorch", device="cpu").segment(images).labelmap
    assert compare(result.labelmap, other).dice >= 0.999


def test_a_slab_with_arms_and_table_from_dicom_is_segmented(shared_data: Path, segmenter: Segmenter) -> None:
    result = segmenter.segment({"CT": shared_data / "liver" / "dicom_series"})
    assert one_part(result.labelmap) and result.volumes_ml["Liver"] == pytest.approx(717, rel=0.05)
    liver = sitk.LabelIntensityStatisticsImageFilter()
    liver.Execute(result.labelmap, result.image)
    assert 80 < liver.GetMedian(1) < 140  # Hounsfield units of liver with contrast


def test_a_scan_that_ends_below_the_liver_is_refused(shared_data: Path, segmenter: Segmenter) -> None:
    folder = shared_data / "liver" / "totalseg_example"
    image = sitk.ReadImage(str(folder / "CT.nii.gz"))
    liver = sitk.LabelShapeStatisticsImageFilter()
    liver.Execute(sitk.ReadImage(str(folder / "liver_model_output.nii.gz")))
    pelvis = image[:, :, : liver.GetBoundingBox(1)[2] - 4]
    with pytest.raises(InputError, match="No liver was found in input CT"):
        segmenter.segment({"CT": pelvis})


def test_an_mr_image_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(ChannelError, match="looks like an MR image"):
        segmenter.segment({"CT": SAMPLES / "wmh_flair.nii.gz"})
