"""A segmentation that exists already is measured as a run measures its own, and its provenance says so."""

import json

import pytest
import SimpleITK as sitk

from LightSegLib import segmenter as segmenter_module
from LightSegLib.cli.main import main
from LightSegLib.errors import GeometryError, InputError
from LightSegLib.pipeline.result import Result
from LightSegLib.remeasure import measure_labelmap
from LightSegLib.report import render_report
from LightSegLib.segmenter import Segmenter

from .pipeline_toys import install_toys, make_head, make_lesions, make_tumor

HEAD = make_head()
MEASURED_AGAIN = "The segmentation was measured again; it is as the run made it."
CORRECTED = "The segmentation was corrected by hand after the run that made it, and measured again."
UNKNOWN = "The segmentation was measured by itself; whether it was corrected by hand is not known."


@pytest.fixture(scope="module")
def run() -> Result:
    """A run of the toy with a reference on another grid."""
    with pytest.MonkeyPatch.context() as patch:
        install_toys(patch)
        reference = make_lesions(size=(100, 110, 80), spacing=(1.0, 1.0, 1.0))
        return Segmenter("toy", threshold=0.4).segment({"FLAIR": HEAD}, reference=reference)


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    install_toys(monkeypatch)
    monkeypatch.setattr(segmenter_module, "create_engine", lambda bundle, **options: pytest.fail("a network ran"))


def corrected(labelmap: sitk.Image) -> sitk.Image:
    """The labelmap without what is on one side: one of the toy's two lesions is gone."""
    image = sitk.Image(labelmap)
    image[:30, :, :] = 0
    return image


def test_what_a_run_made_has_the_same_numbers_again(run: Result) -> None:
    again = measure_labelmap("toy", {"FLAIR": HEAD}, run.labelmap, reference=make_lesions(), run=run.provenance)
    assert again.volumes_ml == run.volumes_ml and again.lesion_count == run.lesion_count == 2
    assert again.agreement is not None and again.agreement.dice > 0.9
    assert list(again.timings_s) == ["read", "measure", "total"]
    told = again.provenance
    assert told["measured_again"]["corrected"] is False and MEASURED_AGAIN in told["notes"]
    kept = ("model", "finder_model", "engine", "precision", "options", "postprocessing", "brain", "missing_inputs")
    assert {key: told[key] for key in kept} == {key: run.provenance[key] for key in kept}


def test_a_correction_is_measured_and_told(run: Result) -> None:
    again = measure_labelmap("toy", {"FLAIR": HEAD}, corrected(run.labelmap), run=run.provenance)
    assert again.lesion_count == 1 and 0 < again.volumes_ml["WMH"] < run.volumes_ml["WMH"]
    assert again.provenance["measured_again"]["corrected"] is True and CORRECTED in again.provenance["notes"]
    json.dumps(again.to_json(), allow_nan=False)


def test_notes_on_an_earlier_measuring_go_and_those_on_the_run_stay(run: Result) -> None:
    assert any("reference was resampled" in note for note in run.provenance["notes"])
    once = measure_labelmap("toy", {"FLAIR": HEAD}, corrected(run.labelmap), run=run.provenance)
    twice = measure_labelmap("toy", {"FLAIR": HEAD}, run.labelmap, run=json.loads(json.dumps(once.provenance)))
    assert twice.provenance["notes"] == [
        "T1 was not given: the model has learned to do without, but may be less accurate.",
        "Postprocessing was changed: threshold 0.4 instead of 0.5.",
        MEASURED_AGAIN,
    ]
    assert run.provenance["reference"] == "the reference" and twice.provenance["reference"] is None


def test_a_segmentation_from_elsewhere_claims_no_run() -> None:
    result = measure_labelmap("toy", {"FLAIR": HEAD}, make_lesions())
    assert result.lesion_count == 2 and result.agreements == {}
    assert result.provenance["engine"] is None and result.provenance["notes"] == [UNKNOWN]
    page = render_report(result)
    assert UNKNOWN in page and "on CPU" not in page and ">Engine<" not in page


def test_names_stand_for_the_files(tmp_path) -> None:
    for name, image in {"a": HEAD, "b": make_lesions(), "c": make_lesions()}.items():
        sitk.WriteImage(image, str(tmp_path / f"{name}.nrrd"))
    names = {"FLAIR": "Case 7", "reference": "Expert"}
    result = measure_labelmap(
        "toy", {"FLAIR": tmp_path / "a.nrrd"}, tmp_path / "b.nrrd", reference=tmp_path / "c.nrrd", names=names
    )
    page = render_report(result)
    assert "FLAIR: Case 7" in page and ">Expert<" in page and str(tmp_path) not in page


def test_regions_are_measured_too() -> None:
    images, labels = make_tumor()
    result = measure_labelmap("toy-tumor", images, labels, reference=labels)
    assert list(result.volumes_ml) == ["Core", "Edema", "Enhancing tumor", "WT", "TC", "ET"]
    assert result.agreements["TC"].dice == 1


def test_unknown_labels_are_named() -> None:
    with pytest.raises(InputError, match=r"the segmentation has the label 2, which model toy does not know .*1 WMH"):
        measure_labelmap("toy", {"FLAIR": HEAD}, make_lesions() * 2)


def test_another_grid_is_refused() -> None:
    with pytest.raises(GeometryError, match=r"the segmentation is not on the grid of FLAIR \(input FLAIR\)"):
        measure_labelmap("toy", {"FLAIR": HEAD}, make_lesions()[5:, :, :])


@pytest.fixture
def files(tmp_path) -> dict[str, str]:
    paths = {name: str(tmp_path / f"{name}.nii.gz") for name in ("flair", "seg")}
    sitk.WriteImage(HEAD, paths["flair"])
    sitk.WriteImage(make_lesions(), paths["seg"])
    return paths


def test_the_command_prints_and_reports(files, tmp_path, capsys) -> None:
    given = ["measure", "--model", "toy", "--input", f"FLAIR={files['flair']}", "--segmentation", files["seg"]]
    assert main([*given, "--reference", files["seg"], "--report", str(tmp_path / "r.html")]) == 0
    shown = capsys.readouterr().out
    assert "labels of toy 0.0.1" in shown and "2 lesions" in shown and "Dice" in shown
    assert f"Note: {UNKNOWN}" in shown and (tmp_path / "r.html").is_file()
    assert main([*given, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["lesion_count"] == 2 and told["outputs"] == {}


def test_the_command_refuses_unknown_labels_and_to_overwrite_its_input(files, tmp_path, capsys) -> None:
    sitk.WriteImage(make_lesions() * 7, str(tmp_path / "odd.nrrd"))
    given = ["measure", "--model", "toy", "--input", f"FLAIR={files['flair']}"]
    assert main([*given, "--segmentation", str(tmp_path / "odd.nrrd"), "--report", str(tmp_path / "r.html")]) == 2
    assert "odd.nrrd has the label 7, which model toy does not know" in capsys.readouterr().err
    assert not (tmp_path / "r.html").exists()
