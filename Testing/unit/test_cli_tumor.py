"""Tumors from the command line: four files in, labels, numbers and a report out; the network is a toy."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk
from PIL import Image

from LightSegLib.cli.main import main
from LightSegLib.report_pictures import REFERENCE_COLOR, draw_pictures
from LightSegLib.volumes import read_labelmap

from .pipeline_toys import install_toys, make_tumor, make_tumor_bundle

TUMOR, LABELS = make_tumor()


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    install_toys(monkeypatch, make_tumor_bundle("toy-tumor-2"))


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the four contrasts and a reference with the values 1, 2 and 4."""
    folder = tmp_path_factory.mktemp("case")
    for name, image in TUMOR.items():
        sitk.WriteImage(image, str(folder / f"{name}.nii.gz"))
    labels = sitk.GetArrayFromImage(LABELS)
    labels[labels == 3] = 4
    expert = sitk.GetImageFromArray(labels)
    expert.CopyInformation(LABELS)
    sitk.WriteImage(expert, str(folder / "expert.nii.gz"))
    return folder


def segment(case: Path, output: Path, *more: object, without: tuple[str, ...] = (), model: str = "toy-tumor") -> int:
    inputs = [f"--input={name}={case / name}.nii.gz" for name in TUMOR if name not in without]
    return main(["segment", "--model", model, *inputs, "--output", str(output), *map(str, more)])


def test_segments_and_regions_are_printed_with_their_agreement(case, tmp_path, capsys) -> None:
    assert segment(case, tmp_path / "s.seg.nrrd", "--reference", case / "expert.nii.gz") == 0
    shown = capsys.readouterr().out
    volumes = shown.partition("Volumes\n")[2].partition("\n\n")[0].splitlines()
    assert [line.split()[0] for line in volumes] == ["Core", "Edema", "Enhancing", "WT", "TC", "ET"]
    rows = {line.split()[0]: line.split() for line in shown.splitlines() if line.startswith(("  Dice", "  Hausdorff"))}
    assert len(rows["Dice"]) == 7 and min(map(float, rows["Dice"][1:])) > 0.97
    assert len(rows["Hausdorff"]) == 8
    assert "Note: The reference's label values were taken as 1-2-4 for Core, Edema, Enhancing tumor." in shown
    written = read_labelmap(tmp_path / "s.seg.nrrd")
    assert set(np.unique(sitk.GetArrayViewFromImage(written))) == {0, 1, 2, 3}


def test_a_missing_contrast_is_told_in_text_json_and_report(case, tmp_path, capsys) -> None:
    note = "T2 was not given: the model has learned to do without, but may be less accurate."
    assert segment(case, tmp_path / "s.mha", "--report", tmp_path / "r.html", without=("T2",)) == 0
    assert f"Note: {note}" in capsys.readouterr().out
    assert note in (tmp_path / "r.html").read_text(encoding="utf-8")
    assert segment(case, tmp_path / "s.mha", "--json", without=("T2",)) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["provenance"]["missing_inputs"] == ["T2"] and told["provenance"]["notes"] == [note]


def test_a_reference_with_other_values_is_refused_with_its_name(case, tmp_path, capsys) -> None:
    sitk.WriteImage(LABELS + 3 * sitk.Cast(LABELS > 0, sitk.sitkUInt8), str(tmp_path / "odd.nrrd"))
    assert segment(case, tmp_path / "s.mha", "--reference", tmp_path / "odd.nrrd") == 2
    error = capsys.readouterr().err
    assert "odd.nrrd has the label values 4, 5, 6, which must be of 1-2-3 or 1-2-4" in error
    assert error.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["odd.nrrd"]


@pytest.mark.parametrize("more", [(), ("--model", "toy-tumor-2")], ids=["comma", "repeated"])
def test_several_models_are_averaged(case, tmp_path, capsys, more) -> None:
    model = "toy-tumor" if more else "toy-tumor,toy-tumor-2"
    assert segment(case, tmp_path / "s.mha", *more, model=model) == 0
    assert capsys.readouterr().out.startswith("toy-tumor 0.0.1 + toy-tumor-2 0.0.1 on ")


def test_models_of_different_tasks_are_refused(case, tmp_path, capsys) -> None:
    assert segment(case, tmp_path / "s.mha", model="toy-tumor,toy") == 2
    assert "Models toy-tumor and toy cannot be averaged, their inputs differ" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_report_shows_each_segment_in_its_color_and_the_regions_first(case, tmp_path) -> None:
    assert (
        segment(case, tmp_path / "s.mha", "--reference", case / "expert.nii.gz", "--report", tmp_path / "r.html") == 0
    )
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    for wanted in (
        "rgb(220, 50, 47)",
        "rgb(60, 180, 75)",
        "rgb(255, 225, 25)",
        ">Enhancing tumor<",
        ">Hausdorff (mm)<",
    ):
        assert wanted in page
    headline = page.partition('<div class="figures">')[2].partition("</section>")[0]
    assert headline.index(">WT<") < headline.index(">ET<") < headline.index("Dice with the reference, WT")


def test_pictures_outline_every_label_and_those_of_the_reference() -> None:
    colors = {1: (220, 50, 47), 2: (60, 180, 75), 3: (255, 225, 25)}
    shifted = sitk.Flip(LABELS, (True, False, False))
    shifted.CopyInformation(LABELS)
    found: set[tuple[int, ...]] = set()
    for picture in draw_pictures(TUMOR["FLAIR"], LABELS, shifted, colors=colors):
        data = base64.b64decode(picture.contour_uri.partition("base64,")[2])
        pixels = np.asarray(Image.open(io.BytesIO(data))).reshape(-1, 4)
        found |= {tuple(map(int, pixel[:3])) for pixel in np.unique(pixels[pixels[:, 3] == 255], axis=0)}
    assert {*colors.values(), REFERENCE_COLOR} <= found


def test_two_files_are_compared_by_the_regions_and_values_that_a_model_knows(case, tmp_path, capsys) -> None:
    assert segment(case, tmp_path / "s.nii.gz") == 0
    capsys.readouterr()
    files = [str(tmp_path / "s.nii.gz"), str(case / "expert.nii.gz")]
    assert main(["compare", *files, "--model", "toy-tumor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert list(told["labels"]) == ["Core", "Edema", "Enhancing tumor", "WT", "TC", "ET"]
    assert min(label["dice"] for label in told["labels"].values()) > 0.97
    assert told["notes"] == [
        "The reference's label values were taken as 1-2-4 for Core, Edema, Enhancing tumor.",
    ]
    assert main(["compare", *files, "--model", "toy-tumor"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split()[-3:] == ["WT", "TC", "ET"]
    # Without a model, 3 and 4 are different labels.
    assert main(["compare", *files, "--json"]) == 0
    assert set(json.loads(capsys.readouterr().out)["labels"]) == {"1", "2", "3", "4"}


def test_postprocessing_is_chosen_by_options_and_told(case, tmp_path, capsys) -> None:
    report = ("--report", tmp_path / "r.html")
    assert segment(case, tmp_path / "s.mha", "--threshold", "WT=0.4", "--threshold", "ET=0.6", *report) == 0
    note = "Postprocessing was changed: threshold of WT 0.4 instead of 0.5, threshold of ET 0.6 instead of 0.5."
    assert f"Note: {note}" in capsys.readouterr().out
    page = (tmp_path / "r.html").read_text(encoding="utf-8")
    assert note in page and "threshold WT=0.4 ET=0.6" in page and ">Precision<" in page
    assert segment(case, tmp_path / "s.mha", "--postprocessing", "argmax", "--json") == 0
    told = json.loads(capsys.readouterr().out)["provenance"]
    assert told["postprocessing"] == {"kind": "argmax_tumor"} and told["options"]["postprocessing"] == "argmax"
    assert told["notes"] == ["Postprocessing was changed: argmax instead of nested thresholds."]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--postprocessing", "morphological"], "does not fit model toy-tumor: choose shipped or nested or argmax"),
        (["--postprocessing", "best"], "invalid choice: 'best'"),
        (["--threshold", "high"], "--threshold high: write it as 0.4, or with its region as WT=0.4"),
        (["--threshold", "0.4", "--threshold", "WT=0.3"], "give one number for all regions, or one for each region"),
        (["--threshold", "WT=0.4", "--threshold", "WT=0.3"], "give one number for all regions, or one for each region"),
        (["--min-lesion-ml", "50"], "smallest enhancing part must be a number from 0 to 10 ml, got 50"),
    ],
)
def test_options_that_do_not_fit_end_in_one_line(case, tmp_path, capsys, more: list[str], message: str) -> None:
    assert segment(case, tmp_path / "s.mha", *more) == 2
    error = capsys.readouterr().err
    assert message in error and error.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
