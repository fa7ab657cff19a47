"""The pipeline as a whole, with real preprocessing and toy networks."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import CancelledError, ChannelError, EngineError, GeometryError, InputError
from LightSegLib.segmenter import Segmenter

from .pipeline_toys import LesionEngine, all_orientations, install_toys, make_bundle, make_head, make_lesions


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> LesionEngine:
    return install_toys(monkeypatch)


@pytest.fixture
def segmenter(engine: LesionEngine) -> Segmenter:
    return Segmenter("toy")


def physical_mask(labelmap: sitk.Image, grid: sitk.Image) -> np.ndarray:
    resampled = sitk.Resample(labelmap, grid, sitk.Transform(), sitk.sitkNearestNeighbor)
    return sitk.GetArrayFromImage(resampled) > 0


def overlap(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * float((a & b).sum()) / float(a.sum() + b.sum())


@pytest.mark.parametrize("skull", [False, True], ids=["skull-stripped", "whole head"])
def test_lesions_are_found_and_measured(segmenter: Segmenter, skull: bool) -> None:
    result = segmenter.segment({"FLAIR": make_head(skull=skull)}, reference=make_lesions())
    assert result.agreement is not None and result.agreement.dice > 0.9
    assert result.lesion_count == 2
    assert result.volumes_ml["WMH"] == pytest.approx(0.79, rel=0.15)
    assert result.provenance["brain"] == ("extracted" if skull else "skull-stripped")


def test_every_orientation_gives_the_same_physical_mask(segmenter: Segmenter) -> None:
    head = make_head(size=(52, 60, 24), spacing=(1.5, 1.5, 3.0))
    expected = physical_mask(segmenter.segment({"FLAIR": head}).labelmap, head)
    assert expected.sum() > 50
    dice = []
    for stored in all_orientations(head):
        labelmap = segmenter.segment({"FLAIR": stored}).labelmap
        assert labelmap.GetSize() == stored.GetSize()
        assert labelmap.GetDirection() == stored.GetDirection()
        dice.append(overlap(physical_mask(labelmap, head), expected))
    assert len(dice) == 48
    assert min(dice) >= 0.999


def test_the_result_has_the_exact_geometry_of_an_oblique_input(segmenter: Segmenter) -> None:
    head = make_head()
    turn = sitk.VersorTransform((0.3, 0.5, 0.8), 0.4)
    head.SetDirection(turn.GetMatrix())
    head.SetOrigin((-31.7, 12.3456789, 101.1))
    result = segmenter.segment({"FLAIR": head}, probabilities=True)
    assert result.lesion_count == 2
    assert result.probabilities is not None
    for image in (result.labelmap, result.probabilities):
        assert image.GetOrigin() == head.GetOrigin()
        assert image.GetSpacing() == head.GetSpacing()
        assert image.GetDirection() == head.GetDirection()
    assert result.labelmap.GetPixelID() == sitk.sitkUInt8
    values = sitk.GetArrayViewFromImage(result.probabilities)
    assert values.dtype == np.float32 and values.min() >= 0 and values.max() <= 1


def test_the_input_is_left_as_it_was(segmenter: Segmenter) -> None:
    head = make_head()
    before = sitk.GetArrayFromImage(head)
    segmenter.segment({"FLAIR": head})
    assert np.array_equal(sitk.GetArrayViewFromImage(head), before)


def test_progress_never_falls_and_ends_at_one(segmenter: Segmenter) -> None:
    reports: list[tuple[float, str]] = []
    segmenter.segment({"FLAIR": make_head()}, progress=lambda fraction, message: reports.append((fraction, message)))
    fractions = [fraction for fraction, _ in reports]
    assert fractions == sorted(fractions)
    assert fractions[0] == 0 and fractions[-1] == 1
    assert all(message for _, message in reports)


def test_cancelling_stops_between_batches(segmenter: Segmenter, engine: LesionEngine) -> None:
    with pytest.raises(CancelledError, match="nothing was written"):
        segmenter.segment({"FLAIR": make_head()}, cancel=lambda: engine.calls == 2)
    assert engine.calls == 2


def test_every_stage_is_timed(segmenter: Segmenter) -> None:
    timings = segmenter.segment({"FLAIR": make_head()}).timings_s
    stages = [name for name in timings if name != "total"]
    assert stages == ["read", "load_model", "orient", "find", "preprocess", "network", "postprocess", "measure"]
    assert sum(timings[stage] for stage in stages) == pytest.approx(timings["total"], abs=0.05)


def test_provenance_tells_all_that_is_needed_to_repeat_the_run(segmenter: Segmenter) -> None:
    told = segmenter.segment({"FLAIR": make_head()}, reference=make_lesions()).provenance
    assert told["model"] == {"name": "toy", "version": "0.0.1", "sha256": {"model.xml": "0" * 64}}
    assert told["finder_model"]["name"] == "toy-brain"
    assert told["engine"] == {"name": "toy", "device": "cpu", "reason": "the only one in this test"}
    computing = {"device": "auto", "engine": "auto", "threads": None, "precision": "auto"}
    changes = {"postprocessing": "shipped", "threshold": None, "min_lesion_ml": None}
    assert told["options"] == {**computing, **changes}
    assert told["precision"]["name"] == "fp32" and told["precision"]["reason"]
    assert told["postprocessing"] == {"kind": "lesions", "threshold": 0.5, "min_lesion_ml": 0.01}
    assert told["inputs"]["FLAIR"]["size"] == [60, 72, 50]
    assert told["reference"] == "the reference"
    assert {"lightseg", "python", "numpy", "SimpleITK"} <= told["versions"].keys()


def test_the_result_is_ready_for_json(segmenter: Segmenter) -> None:
    head = make_head()
    nothing = sitk.Image(head.GetSize(), sitk.sitkUInt8)
    nothing.CopyInformation(head)
    text = json.dumps(segmenter.segment({"FLAIR": head}, reference=nothing).to_json(), allow_nan=False)
    assert {"volumes_ml", "lesion_count", "agreement", "timings_s", "provenance"} <= json.loads(text).keys()


def test_channel_names_are_matched_without_regard_to_case(segmenter: Segmenter) -> None:
    assert segmenter.segment({"flair": make_head()}).lesion_count == 2


def test_an_optional_channel_that_is_missing_is_told(segmenter: Segmenter) -> None:
    told = segmenter.segment({"FLAIR": make_head()}).provenance
    assert told["missing_inputs"] == ["T1"]
    assert told["notes"] == ["T1 was not given: the model has learned to do without, but may be less accurate."]


def test_an_overlapping_t1_is_resampled(segmenter: Segmenter) -> None:
    t1 = make_head(size=(80, 90, 40), spacing=(1.1, 1.2, 1.9))
    result = segmenter.segment({"T1": t1, "FLAIR": make_head()})
    assert result.provenance["notes"] == ["T1 was resampled onto the grid of FLAIR."]
    assert list(result.provenance["inputs"]) == ["FLAIR", "T1"]


def test_a_t1_elsewhere_is_refused(segmenter: Segmenter) -> None:
    t1 = make_head()
    t1.SetOrigin((200.0, 0.0, 0.0))
    with pytest.raises(GeometryError, match=r"T1 \(input T1\) covers only 0% of FLAIR"):
        segmenter.segment({"FLAIR": make_head(), "T1": t1})


def test_a_reference_on_another_grid_is_resampled(segmenter: Segmenter) -> None:
    reference = make_lesions(size=(100, 110, 80), spacing=(1.0, 1.0, 1.0))
    result = segmenter.segment({"FLAIR": make_head()}, reference=reference)
    assert result.agreement is not None and result.agreement.dice > 0.8
    assert "reference was resampled" in " ".join(result.provenance["notes"])


def test_a_reference_whose_label_is_255_is_compared(segmenter: Segmenter) -> None:
    result = segmenter.segment({"FLAIR": make_head()}, reference=make_lesions() * 255)
    assert result.agreement is not None and result.agreement.dice > 0.9
    assert "Label 255 of the reference was compared with label 1." in result.provenance["notes"]


def test_other_labels_of_a_reference_are_left_out(segmenter: Segmenter) -> None:
    reference = make_lesions()
    reference[5:9, 5:9, 5:9] = 2
    result = segmenter.segment({"FLAIR": make_head()}, reference=reference)
    assert result.agreement is not None and result.agreement.dice > 0.9
    assert "Only the reference has label 2; it was not compared." in result.provenance["notes"]


def test_a_missing_channel_is_named(segmenter: Segmenter) -> None:
    with pytest.raises(ChannelError, match=r"FLAIR is missing: this model takes FLAIR \(required\), T1 \(optional\)"):
        segmenter.segment({"T1": make_head()})


def test_an_unknown_channel_lists_the_known_ones(segmenter: Segmenter) -> None:
    with pytest.raises(ChannelError, match="Unknown input 'T2': this model takes FLAIR"):
        segmenter.segment({"FLAIR": make_head(), "T2": make_head()})


def test_a_ct_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(ChannelError, match="looks like a CT"):
        segmenter.segment({"FLAIR": make_head() - 1000})


def test_an_image_without_a_brain_is_refused(segmenter: Segmenter) -> None:
    with pytest.raises(InputError, match=r"No brain was found in input FLAIR"):
        segmenter.segment({"FLAIR": make_head(size=(12, 12, 12))})


def test_an_error_inside_preprocessing_names_the_file(segmenter: Segmenter) -> None:
    flat = sitk.Cast(make_head() > 50, sitk.sitkFloat32) * 100
    with pytest.raises(InputError, match=r"^input FLAIR: .*one intensity"):
        segmenter.segment({"FLAIR": flat})


def test_a_bundle_object_is_taken_as_it_is(engine: LesionEngine) -> None:
    strict = make_bundle("toy", postprocessing={"kind": "lesions", "threshold": 0.5, "min_lesion_ml": 0.4})
    assert Segmenter(strict).segment({"FLAIR": make_head()}).lesion_count == 1


def test_changed_postprocessing_changes_the_result_and_is_told(engine: LesionEngine) -> None:
    shipped = Segmenter("toy").segment({"FLAIR": make_head()})
    strict = Segmenter("toy", threshold=0.6, min_lesion_ml=0.4).segment({"FLAIR": make_head()})
    assert (shipped.lesion_count, strict.lesion_count) == (2, 1)
    note = "Postprocessing was changed: threshold 0.6 instead of 0.5, smallest lesion 0.4 ml instead of 0.01 ml."
    assert note in strict.provenance["notes"] and note not in shipped.provenance["notes"]
    assert strict.provenance["options"]["threshold"] == 0.6
    assert strict.provenance["postprocessing"] == {"kind": "lesions", "threshold": 0.6, "min_lesion_ml": 0.4}


def test_options_that_do_not_fit_are_refused_before_anything_is_read(engine: LesionEngine) -> None:
    with pytest.raises(InputError, match="'argmax' does not fit model toy: choose shipped"):
        Segmenter("toy", postprocessing="argmax")
    with pytest.raises(EngineError, match="Unknown precision 'int4'; known: auto, fp32"):
        Segmenter("toy", precision="int4")
