"""Scoring tumor models by region, with a stand-in for the segmenter, and the threshold that they have to beat."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.bundle_metadata import read_reference_values, read_regions, read_segments
from LightSegLib.bundles import InputChannel
from LightSegLib.cli import evaluate as evaluate_command
from LightSegLib.cli.main import main
from LightSegLib.errors import InputError
from LightSegLib.measures import compare
from LightSegLib.training.bundle_card import card_names, read_card
from LightSegLib.training.cases import Case, read_cases
from LightSegLib.training.scoring.evaluate_tumors import (
    REGION_NAMES,
    TumorScore,
    evaluate_tumor,
    tumor_row,
    worst_third,
)
from LightSegLib.training.scoring.tumor_baseline import TUMOR_THRESHOLDS, component_dice, tumor_baselines

from .pipeline_toys import make_bundle

CHANNELS = ("T1", "T1ce", "T2", "FLAIR")
VALUES = {"wt": (1, 2, 3), "tc": (1, 3), "et": (3,)}
SIZE = (40, 44, 36)
RECIPES = Path(__file__).parents[2] / "recipes"


def tumor(*, core: float = 8.0, enhancing: float = 0.0, edema: float = 12.0, shift: int = 0) -> np.ndarray:
    """Nested balls with these radii in voxels, (z, y, x); the enhancing one is the innermost."""
    z, y, x = np.meshgrid(*(np.arange(n) - n // 2 for n in SIZE), indexing="ij", sparse=True)
    distance = np.sqrt(z**2 + y**2 + (x - shift) ** 2)
    return np.select([distance < enhancing, distance < core, distance < edema], [3, 1, 2], 0).astype(np.uint8)


def image(array: np.ndarray) -> sitk.Image:
    return sitk.GetImageFromArray(array)


def regions(found: np.ndarray, truth: np.ndarray) -> dict:
    def mask(labels: np.ndarray, key: str) -> sitk.Image:
        return image(np.isin(labels, VALUES[key]).astype(np.uint8))

    return {key: compare(mask(found, key), mask(truth, key)) for key in VALUES}


def case_of(name: str = "glioma_01", **changes) -> Case:
    known = {"split": "train", "center": "glioma", "patient": name, "folder": Path(name), "files": (*CHANNELS, "seg")}
    return Case(name=name, **{**known, **changes})


@pytest.fixture
def data(tmp_path) -> Path:
    """Three toy gliomas in two folds; the last has no enhancing tumor."""
    entries = []
    rng = np.random.default_rng(1)
    z, y, x = np.meshgrid(*(np.arange(n) - n // 2 for n in SIZE), indexing="ij", sparse=True)
    brain = z**2 + y**2 + x**2 < 17**2
    for number, enhancing in enumerate((7.0, 7.0, 0.0)):
        folder = tmp_path / "tumor" / f"glioma_{number:02d}"
        folder.mkdir(parents=True)
        labels = tumor(enhancing=enhancing, edema=9 + number)
        flair = np.where(brain, 100 + rng.normal(0, 8, SIZE) + 60 * (labels > 0), 0).astype(np.float32)
        for name in CHANNELS:
            sitk.WriteImage(image(flair), str(folder / f"{name}.nii.gz"))
        sitk.WriteImage(image(labels), str(folder / "seg.nii.gz"))
        entries.append({"case": folder.name, "fold": number % 2})
    (tmp_path / "tumor" / "cases.json").write_text(json.dumps(entries))
    return tmp_path / "tumor"


class StandIn:
    """Finds every tumor one voxel beside its place."""

    def __init__(self, bundle, **options) -> None:
        self.names = REGION_NAMES

    def segment(self, images, *, reference):
        assert set(images) <= set(CHANNELS)
        truth = sitk.GetArrayFromImage(sitk.ReadImage(str(reference)))
        found = np.roll(truth, 1, axis=2)
        measured = regions(found, truth)
        agreements = {"Edema": measured["wt"]} | {name: measured[key] for key, name in self.names.items()}
        return SimpleNamespace(agreements=agreements, labelmap=image(found), provenance={"brain": "skull-stripped"})


@pytest.fixture
def toy_model(monkeypatch) -> None:
    channels = tuple(InputChannel(name=n, required=False, modality="MR", patterns=("*",)) for n in CHANNELS)
    bundle = make_bundle("toy", inputs=channels, postprocessing={"kind": "nested_tumor"})
    monkeypatch.setattr(evaluate_command, "load_bundle", lambda name: bundle)
    monkeypatch.setattr(evaluate_command, "Segmenter", StandIn)


def test_evaluate_prints_the_regions_the_intervals_and_the_worst_third(data, toy_model, capsys):
    assert main(["evaluate", "--model", "toy", "--data", str(data), "--split", "all"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| case | WT Dice | TC Dice | ET Dice | WT HD95 (mm) |")
    assert "| WT, best threshold | WT, fixed threshold |" in lines[0]
    assert [line.split(" | ")[0] for line in lines[2:7]] == [
        "| glioma_00", "| glioma_01", "| glioma_02", "| **mean of 3**", "| 95 % interval",
    ]  # fmt: skip
    assert lines[4].split(" | ")[3] == "-"  # no enhancing tumor in glioma_02
    assert any(line.startswith("worst third by wt_dice: 0.") and line.endswith("(glioma_00)") for line in lines)


def test_evaluate_writes_what_it_prints(data, toy_model, capsys, tmp_path):
    output = tmp_path / "out"
    command = ["evaluate", "--model", "toy", "--data", str(data), "--split", "all", "--output", str(output), "--json"]
    assert main(command) == 0
    body = json.loads(capsys.readouterr().out)
    assert body["reference"] == "seg" and body["worst_third"]["et_dice"]["cases"][0] in ("glioma_00", "glioma_01")
    assert body["summary"]["et_dice"]["count"] == 2 and body["summary"]["et_false_ml"]["count"] == 1
    assert 0.7 < body["summary"]["wt_dice"]["low"] <= body["summary"]["wt_dice"]["mean"] < 1
    with (output / "cases.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["fold"] for row in rows] == ["0", "1", "0"]
    assert (output / "segmentations" / "glioma_02.nii.gz").is_file()


def test_the_runs_of_a_cross_validation_are_scored_together_on_what_each_left_out(
    data, toy_model, monkeypatch, capsys, tmp_path
):
    runs = []
    for fold in (0, 1):
        run = tmp_path / f"fold{fold}"
        run.mkdir()
        (run / "recipe.toml").write_text((RECIPES / f"tumor-pocket-fold{fold}.toml").read_text())
        runs.append(str(run))
    exported = []
    bundle = evaluate_command.load_bundle("toy")
    monkeypatch.setattr(evaluate_command, "_bundle_of_run", lambda run, folder: exported.append(run.name) or bundle)
    command = ["evaluate", "--run", *runs, "--data", str(data), "--json"]
    assert main([*command, "--split", "left-out"]) == 0
    body = json.loads(capsys.readouterr().out)
    assert exported == ["fold0", "fold1"] and body["model"]["runs"] == runs
    assert [row["case"] for row in body["cases"]] == ["glioma_00", "glioma_02", "glioma_01"]
    assert main(command) == 2
    assert "several runs are scored on the cases that each left out: add --split left-out" in capsys.readouterr().err
    sibling = tmp_path / "sibling0"
    sibling.mkdir()
    (sibling / "recipe.toml").write_text((RECIPES / "tumor-acu-fold0.toml").read_text())
    averaged = ["evaluate", "--run", f"{runs[0]},{sibling}", "--data", str(data), "--json", "--split", "left-out"]
    exported.clear()
    assert main(averaged) == 0
    body = json.loads(capsys.readouterr().out)
    assert exported == ["fold0", "sibling0"] and body["model"]["runs"] == [f"{runs[0]},{sibling}"]
    assert [row["case"] for row in body["cases"]] == ["glioma_00", "glioma_02"]
    (sibling / "recipe.toml").write_text((RECIPES / "tumor-acu-fold1.toml").read_text())
    assert main(averaged) == 2
    assert f"{sibling}: leaves out other cases than {runs[0]}" in capsys.readouterr().err
    (tmp_path / "fold1" / "recipe.toml").write_text((RECIPES / "tumor-pocket-fold0.toml").read_text())
    assert main([*command, "--split", "left-out"]) == 2
    assert f"{runs[1]}: leaves out glioma_00, as {runs[0]} does; give one run per fold" in capsys.readouterr().err


def test_a_second_reference_and_unknown_regions_are_refused(data):
    case = read_cases(data)[0]
    inputs = {name: name for name in CHANNELS}
    with pytest.raises(InputError, match="--also other: a tumor model is scored against one reference"):
        evaluate_tumor(StandIn(None), case, inputs=inputs, reference="seg", also="other")
    with pytest.raises(InputError, match=r"glioma_00: has no truth.nii.gz .* it has FLAIR, T1, T1ce, T2, seg"):
        evaluate_tumor(StandIn(None), case, inputs=inputs, reference="truth")
    stranger = StandIn(None)
    stranger.names = {"wt": "WT"}
    with pytest.raises(InputError, match=r"does not measure TC, ET; it measures"):
        evaluate_tumor(stranger, case, inputs=inputs, reference="seg")


@pytest.mark.parametrize("name", [name for name in card_names() if name.startswith("tumor-")])
def test_a_tumor_models_card_names_the_regions_that_are_scored(name):
    section = read_card(name)["lightseg"]
    segments = read_segments(section, where=name)
    assert [region.name for region in read_regions(section, segments, where=name)] == list(REGION_NAMES.values())
    assert read_reference_values(section, segments, where=name) == ((1, 2, 3), (1, 2, 4))
    assert set(section["postprocessing"]["thresholds"]) == set(REGION_NAMES.values())


def test_small_regions_have_no_dice_but_false_enhancement_in_milliliters():
    truth = tumor(core=8, enhancing=6)
    row = tumor_row(TumorScore(case_of(), regions(truth, truth), None, 1.0))
    assert row["wt_dice"] == row["tc_dice"] == 1 and "et_dice" not in row  # 6 voxels of radius are 0.9 ml
    assert row["et_false_ml"] == 0
    row = tumor_row(TumorScore(case_of(), regions(tumor(core=8, enhancing=8), truth), None, 1.0))
    expected = ((tumor(core=8, enhancing=8) == 3) & (truth != 3)).sum() / 1000
    assert row["et_false_ml"] == pytest.approx(expected) and expected > 1
    row = tumor_row(TumorScore(case_of(), regions(tumor(core=5, enhancing=8), tumor(core=5)), None, 1.0))
    assert "tc_dice" not in row and row["tc_reference_volume_ml"] < 1 < row["et_false_ml"]
    row = tumor_row(TumorScore(case_of(), regions(tumor(core=9), tumor(core=9)), None, 1.0))
    assert row["et_false_ml"] == 0 and row["tc_dice"] == 1


def test_missed_enhancing_tumor_counts_as_zero():
    row = tumor_row(TumorScore(case_of(fold=2), regions(tumor(core=9), tumor(core=9, enhancing=8)), None, 1.0))
    assert row["et_dice"] == 0 and "et_false_ml" not in row and row["fold"] == "2"


def test_the_worst_third_is_that_of_the_cases_that_have_a_value():
    rows = [{"case": str(k), "dice": value} for k, value in enumerate((0.9, 0.2, 0.5, float("nan"), 0.8, 0.7, 0.6))]
    mean, names = worst_third([*rows, {"case": "none"}], "dice")
    assert names == ["1", "2"] and mean == pytest.approx(0.35)
    assert worst_third([{"case": "none"}], "dice")[1] == []


def test_the_baseline_keeps_the_largest_part_only():
    values = np.zeros((12, 12, 12))
    values[1:6, 1:6, 1:6] = 1.55
    values[8:10, 8:10, 8:10] = 2.55
    truth = values == 1.55
    curve = component_dice(values, truth)
    assert curve[np.searchsorted(TUMOR_THRESHOLDS, 1.0)] == 1
    assert curve[np.searchsorted(TUMOR_THRESHOLDS, 2.0)] == 0
    assert curve[-1] == 0


def test_the_fixed_threshold_comes_from_other_folds(data):
    cases = read_cases(data)
    with pytest.raises(InputError, match="glioma_00: no case of another patient and fold"):
        tumor_baselines(cases[:1], chosen_on=[cases[0], cases[2]], reference="seg")
    found = tumor_baselines(cases, chosen_on=cases, reference="seg")
    assert list(found) == ["glioma_00", "glioma_01", "glioma_02"]
    for baseline in found.values():
        assert 0.7 < baseline.fixed_dice <= baseline.best_dice <= 1
