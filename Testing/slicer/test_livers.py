"""The liver in the scene: one CT node in, one segment with terminology out, by the bundle that is shipped."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import SimpleITK as sitk
import slicer

from LightSegLib.measures import volume_ml

SAMPLES = Path(__file__).parents[2] / "Resources" / "Samples"


def sample_node(name: str) -> Any:
    """The sample as a volume node; its axes are LPS, as its generator leaves them."""
    image = sitk.ReadImage(str(SAMPLES / name))
    matrix = np.diag([*(np.array(image.GetSpacing()) * (-1, -1, 1)), 1.0])
    matrix[:3, 3] = np.array(image.GetOrigin()) * (-1, -1, 1)
    return slicer.util.addVolumeFromArray(sitk.GetArrayFromImage(image), ijkToRAS=matrix, name="CT")


def test_the_sample_is_segmented_by_the_shipped_model(logic: Any, scene: slicer.vtkMRMLScene) -> None:
    result = logic.segment(model="liver-pocket", volumes={"CT": sample_node("liver_ct.nii.gz")})
    segmentation = result.segmentation.GetSegmentation()
    assert [segmentation.GetNthSegment(i).GetName() for i in range(segmentation.GetNumberOfSegments())] == ["Liver"]
    reference = sitk.ReadImage(str(SAMPLES / "liver_reference.nii.gz"))
    assert result.volumes_ml["Liver"] == pytest.approx(volume_ml(reference), rel=0.07)
