"""The pipeline on tumors: four contrasts in, nested regions out, with a toy network."""

import json
import math

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import BundleError, ChannelError, GeometryError, InputError
from LightSegLib.segmenter import Segmenter

from .pipeline_toys import SIZE, TumorEngine, install_toys, make_bundle, make_tumor, make_tumor_bundle

TUMOR, LABELS = make_tumor()


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    install_toys(monkeypatch, make_tumor_bundle("toy-tumor-2"))


def relabeled(**values: int) -> sitk.Image:
    """The toy's reference with other label values: `relabeled(enhancing=4)`."""
    new = {"core": 1, "edema": 2, "enhancing": 3, **values}
    array = sitk.GetArrayViewFromImage(LABELS)
    image = sitk.GetImageFromArray(np.array([0, *new.values()], np.uint16)[array])
    image.CopyInformation(LABELS)
    return image


def test_segments_and_regions_are_found_and_measured() -> None:
    result = Segmenter("toy-tumor").segment(TUMOR, reference=LABELS)
    names = ["Core", "Edema", "Enhancing tumor", "WT", "TC", "ET"]
    assert list(result.volumes_ml) == list(result.agreements) == names
    for name, agreement in result.agreements.items():
        assert agreement.dice > 0.97, name
        assert agreement.hd95_mm <= agreement.hausdorff_mm <= 3.1, name
    core, edema, enhancing, wt, tc, et = result.volumes_ml.values()
    assert (wt, tc, et) == pytest.approx((core + edema + enhancing, core + enhancing, enhancing))
    assert result.lesion_count is None
    assert result.labelmap.GetPixelID() == sitk.sitkUInt8
    assert set(np.unique(sitk.GetArrayViewFromImage(result.labelmap))) == {0, 1, 2, 3}


def test_agreement_of_a_region_is_that_of_the_union_of_its_labels() -> None:
    """A reference that swaps core and enhancing tumor is wrong about both, and right about their union."""
    result = Segmenter("toy-tumor").segment(TUMOR, reference=relabeled(core=3, enhancing=1))
    assert result.agreements["Core"].dice < 0.05
    assert result.agreements["TC"].dice > 0.97
    assert result.agreements["TC"].reference_volume_ml == pytest.approx(result.volumes_ml["TC"], rel=0.05)


def test_the_json_has_segments_and_regions() -> None:
    told = json.loads(json.dumps(Segmenter("toy-tumor").segment(TUMOR, reference=LABELS).to_json(), allow_nan=False))
    assert [segment["value"] for segment in told["segments"]] == [1, 2, 3]
    assert [(region["name"], region["values"]) for region in told["regions"]] == [
        ("WT", [1, 2, 3]),
        ("TC", [1, 3]),
        ("ET", [3]),
    ]
    assert told["regions"][0]["volume_ml"] == told["volumes_ml"]["WT"] > 10
    assert told["agreement"]["WT"]["dice"] > 0.97


@pytest.mark.parametrize("enhancing", [3, 4])
def test_a_reference_may_call_enhancing_tumor_3_or_4(enhancing: int) -> None:
    result = Segmenter("toy-tumor").segment(TUMOR, reference=relabeled(enhancing=enhancing))
    assert result.agreements["ET"].dice > 0.97
    note = f"The reference's label values were taken as 1-2-{enhancing} for Core, Edema, Enhancing tumor."
    assert result.provenance["notes"] == [note]
    assert result.reference is not None
    assert set(np.unique(sitk.GetArrayViewFromImage(result.reference))) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("values", "found"), [({"edema": 5}, "1, 3, 5"), ({"core": 4}, "2, 3, 4"), ({"core": 255}, "2")]
)
def test_other_label_values_are_refused_before_the_work(values, found, monkeypatch, tmp_path) -> None:
    monkeypatch.setattr(TumorEngine, "predict", lambda self, batch: pytest.fail("too late"))
    path = tmp_path / "expert.nii.gz"
    sitk.WriteImage(relabeled(**values), str(path))
    with pytest.raises(InputError, match=rf"expert\.nii\.gz has the label values {found}.* 1-2-3 or 1-2-4 for Core"):
        Segmenter("toy-tumor").segment(TUMOR, reference=path)


@pytest.mark.parametrize("missing", [["T1"], ["T1ce"], ["T2"], ["FLAIR"], ["T1", "T2"]])
def test_a_model_that_learned_to_do_without_a_contrast_runs_and_says_so(missing: list[str]) -> None:
    given = {name: image for name, image in TUMOR.items() if name not in missing}
    result = Segmenter("toy-tumor").segment(given, reference=LABELS)
    assert result.agreements["WT"].dice > 0.97
    assert result.provenance["missing_inputs"] == missing
    what = "T1, T2 were" if len(missing) == 2 else f"{missing[0]} was"
    assert result.provenance["notes"][0].startswith(f"{what} not given")


def test_a_model_that_needs_all_contrasts_names_those_that_are_missing() -> None:
    inputs = tuple(make_bundle("all", inputs=(channel,)).inputs[0] for channel in make_tumor_bundle().inputs)
    needy = make_tumor_bundle(inputs=tuple(type(c)(**{**vars(c), "required": True}) for c in inputs))
    with pytest.raises(ChannelError, match=r"Inputs T1ce, FLAIR are missing: this model takes T1 \(required\), T1ce"):
        Segmenter(needy).segment({"T1": TUMOR["T1"], "T2": TUMOR["T2"]})


def test_nothing_is_not_enough() -> None:
    with pytest.raises(ChannelError, match=r"No input is given: this model takes T1 \(optional\).*give at least one"):
        Segmenter("toy-tumor").segment({})


def test_the_first_contrast_given_is_the_grid_of_the_result() -> None:
    """T1 comes first in the bundle, whatever the order of the call; without it, T1ce is next."""
    fine, _ = make_tumor(size=(80, 96, 66), spacing=(1.1, 1.1, 1.1))
    mixed = {"FLAIR": TUMOR["FLAIR"], "T2": TUMOR["T2"], "T1ce": fine["T1ce"], "T1": TUMOR["T1"]}
    result = Segmenter("toy-tumor").segment(mixed)
    assert result.labelmap.GetSize() == TUMOR["T1"].GetSize()
    assert result.provenance["notes"] == ["T1ce was resampled onto the grid of T1."]
    del mixed["T1"]
    result = Segmenter("toy-tumor").segment(mixed, reference=LABELS)
    assert result.labelmap.GetSize() == (80, 96, 66)
    assert result.image.GetSpacing() == pytest.approx((1.1, 1.1, 1.1))
    assert result.agreements["WT"].dice > 0.9


def test_a_contrast_of_another_place_is_refused() -> None:
    away = sitk.Image(TUMOR["T2"])
    away.SetOrigin((400.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match=r"T2 \(input T2\) covers only 0% of T1 \(input T1\)"):
        Segmenter("toy-tumor").segment({**TUMOR, "T2": away})


def test_a_contrast_without_contrast_is_named() -> None:
    flat = sitk.Cast(TUMOR["T2"] > 0, sitk.sitkFloat32)
    with pytest.raises(ChannelError, match=r"^input T2: T2: the brain has a single intensity"):
        Segmenter("toy-tumor").segment({**TUMOR, "T2": flat})


def test_a_head_without_a_tumor_is_a_valid_result() -> None:
    healthy = {name: sitk.Mask(image, LABELS == 0, 100) for name, image in TUMOR.items()}
    for image in healthy.values():  # two halves of different intensity, so that noise is not all the contrast there is
        image[: SIZE[0] // 2] = image[: SIZE[0] // 2] * 1.5
    result = Segmenter("toy-tumor").segment(healthy, reference=LABELS * 0)
    assert set(result.volumes_ml.values()) == {0.0}
    assert result.agreements["WT"].dice == 1
    missed = Segmenter("toy-tumor").segment(healthy, reference=LABELS)
    assert missed.agreements["ET"].dice == 0 and math.isnan(missed.agreements["ET"].hausdorff_mm)


def test_slices_of_the_box_and_plain_argmax_serve_too() -> None:
    slices = make_tumor_bundle(
        preprocessing={"kind": "brain_box_slices", "spacing_mm": 1.5, "canvas": [64, 48], "brain": "toy-brain"},
        postprocessing={"kind": "argmax_tumor"},
    )
    result = Segmenter(slices).segment(TUMOR, reference=LABELS)
    assert all(agreement.dice > 0.97 for agreement in result.agreements.values())


def test_probabilities_are_one_vector_image() -> None:
    probabilities = Segmenter("toy-tumor").segment(TUMOR, probabilities=True).probabilities
    assert probabilities is not None
    assert probabilities.GetNumberOfComponentsPerPixel() == 3
    assert probabilities.GetSize() == LABELS.GetSize()


# --- ensembles --------------------------------------------------------------------------------------------------


def test_an_ensemble_averages_probabilities_of_members_that_prepare_differently(monkeypatch) -> None:
    """One member is sure of a tumor everywhere, the other of none: their mean is one half."""
    slices = {"kind": "brain_box_slices", "spacing_mm": 1.5, "canvas": [64, 48], "brain": "toy-brain"}
    bundles = [make_tumor_bundle("a"), make_tumor_bundle("b", preprocessing=slices)]
    shifts = {5: 60.0, 4: -60.0}  # by the number of axes: volume and slices
    monkeypatch.setattr(
        TumorEngine,
        "predict",
        lambda self, batch: np.full((len(batch), 3, *batch.shape[2:]), shifts[batch.ndim], np.float32),
    )
    result = Segmenter(bundles).segment(TUMOR, probabilities=True)
    brain = sitk.GetArrayViewFromImage(TUMOR["T1"]) > 0
    values = sitk.GetArrayViewFromImage(result.probabilities)[brain]
    assert np.median(values) == pytest.approx(0.5)
    assert [model["name"] for model in result.provenance["further_models"]] == ["b"]


def test_the_first_bundle_s_postprocessing_applies() -> None:
    strict = make_tumor_bundle("strict", postprocessing={**make_tumor_bundle().postprocessing, "min_enhancing_ml": 99})
    assert Segmenter([strict, "toy-tumor"]).segment(TUMOR).volumes_ml["ET"] == 0
    assert Segmenter(["toy-tumor", strict]).segment(TUMOR).volumes_ml["ET"] > 1


@pytest.mark.parametrize(
    ("changes", "what"),
    [
        ({"segments": make_tumor_bundle().segments[:2]}, "labels"),
        ({"postprocessing": {"kind": "argmax_tumor"}}, "kinds of postprocessing"),
        ({"regions": ()}, "regions"),
        ({"inputs": make_bundle("toy").inputs}, "inputs"),
    ],
)
def test_models_of_different_tasks_are_not_averaged(changes, what: str) -> None:
    with pytest.raises(BundleError, match=f"toy-tumor and other cannot be averaged, their {what} differ"):
        Segmenter(["toy-tumor", make_tumor_bundle("other", **changes)])


def test_an_ensemble_requires_what_any_member_requires() -> None:
    first = make_tumor_bundle().inputs
    needy = make_tumor_bundle("needy", inputs=(*first[:3], type(first[3])(**{**vars(first[3]), "required": True})))
    given = {name: image for name, image in TUMOR.items() if name != "FLAIR"}
    with pytest.raises(ChannelError, match="Input FLAIR is missing"):
        Segmenter(["toy-tumor", needy]).segment(given)


def test_an_ensemble_of_none_is_refused() -> None:
    with pytest.raises(BundleError, match="No model is given"):
        Segmenter([])


def test_of_several_bundles_the_first_ones_settings_are_changed() -> None:
    first = make_tumor_bundle("a")
    other = make_tumor_bundle("b", postprocessing={**first.postprocessing, "thresholds": dict.fromkeys("WTE", 0.9)})
    told = Segmenter([first, other], threshold={"TC": 0.3}).segment(TUMOR).provenance
    assert told["postprocessing"]["thresholds"] == {"WT": 0.5, "TC": 0.3, "ET": 0.5}
    assert told["notes"] == ["Postprocessing was changed: threshold of TC 0.3 instead of 0.5."]
