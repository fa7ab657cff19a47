"""Evaluation, its baselines and its intervals, on toy heads and on numbers worked out by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.cli import evaluate as evaluate_command
from LightSegLib.cli.main import main
from LightSegLib.errors import InputError
from LightSegLib.postprocess import threshold_and_filter
from LightSegLib.training.cases import center_of, left_out, read_cases, select_cases
from LightSegLib.training.scoring import tune
from LightSegLib.training.scoring.baseline import (
    THRESHOLDS,
    best_threshold,
    dice_by_threshold,
    threshold_baselines,
)
from LightSegLib.training.scoring.bootstrap import bootstrap_mean

from .pipeline_toys import install_toys, make_bundle, make_head, make_lesions


@pytest.fixture
def data(tmp_path) -> Path:
    """Three toy cases of two patients, and cases.json."""
    entries = []
    for name, split in (("north_01", "train"), ("south_01", "train"), ("south_02", "validation")):
        folder = tmp_path / "data" / name
        folder.mkdir(parents=True)
        sitk.WriteImage(make_head(), str(folder / "FLAIR.nii.gz"))
        sitk.WriteImage(make_lesions(), str(folder / "lesion.nii.gz"))
        entries.append({"case": name, "split": split, "files": ["FLAIR", "lesion"]})
    sitk.WriteImage(make_lesions() * 0, str(tmp_path / "data/south_02/all_wmh.nii.gz"))
    entries[2]["files"].append("all_wmh")
    (tmp_path / "data/cases.json").write_text(json.dumps(entries))
    return tmp_path / "data"


@pytest.fixture
def toy_model(monkeypatch) -> None:
    install_toys(monkeypatch)
    monkeypatch.setattr(evaluate_command, "load_bundle", lambda name: make_bundle(name))


def test_evaluate_prints_the_table_of_the_model_card(data, toy_model, capsys):
    assert main(["evaluate", "--model", "toy", "--data", str(data), "--split", "all", "--also", "all_wmh"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| case | Dice | Dice (all_wmh) | Lesion F1 |")
    assert [line.split(" | ")[0] for line in lines[2:]] == [
        "| north_01", "| south_01", "| south_02", "| **mean of 3**", "| 95 % interval",
    ]  # fmt: skip
    assert lines[2].split(" | ")[2] == "-" and lines[4].split(" | ")[2] == "0.000"


def test_evaluate_prints_one_json_object_and_writes_its_files(data, toy_model, capsys, tmp_path):
    output = tmp_path / "out"
    command = ["evaluate", "--model", "toy", "--data", str(data), "--output", str(output), "--json"]
    assert main(command) == 0
    body = json.loads(capsys.readouterr().out)
    assert [case["case"] for case in body["cases"]] == ["south_02"]
    assert body["summary"]["dice"]["mean"] == body["cases"][0]["dice"] > 0.8
    assert body["cases"][0]["baseline_best_dice"] > body["cases"][0]["baseline_fixed_dice"] - 1e-9
    assert json.loads((output / "summary.json").read_text()) == body
    with (output / "cases.csv").open() as stream:
        (row,) = csv.DictReader(stream)
    assert float(row["dice"]) == pytest.approx(body["cases"][0]["dice"])
    assert sitk.ReadImage(str(output / "segmentations/south_02.nii.gz")).GetSize() == make_head().GetSize()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--cases", "west_09"], "unknown case west_09; known: north_01, south_01, south_02"),
        (["--reference", "truth"], "south_02: has no truth.nii.gz to score against; it has FLAIR, lesion, all_wmh"),
        (["--inputs", "T2"], "toy has no channel 'T2'; it has FLAIR, T1"),
        (["--split", "left-out"], "--split left-out needs --run"),
    ],
)
def test_evaluate_refuses_what_is_not_there(data, toy_model, capsys, arguments, message):
    assert main(["evaluate", "--model", "toy", "--data", str(data), *arguments]) == 2
    assert message in capsys.readouterr().err


def test_a_folder_without_cases_is_named(tmp_path):
    with pytest.raises(InputError, match=r"cases.json: missing; give the folder"):
        read_cases(tmp_path)


def test_simvent_belongs_to_the_center_of_ms3seg(shared_data):
    cases = read_cases(shared_data / "wmh")
    assert {case.center for case in cases} == {"ms3seg", "mslesseg", "lesjak"}
    assert len(left_out(cases, {"leave_out_centers": ["ms3seg"]})) == 11
    assert len(select_cases(cases, split="validation")) == 6
    assert center_of("mslesseg_06_t1") == "mslesseg"


def test_the_best_threshold_is_that_of_a_search_over_all(rng):
    values = rng.normal(0, 2, 500).round(1)
    truth = values + rng.normal(0, 1, 500) > 2
    found, threshold = best_threshold(values, truth, outside=7)
    every = {t: 2 * (truth & (values >= t)).sum() / ((values >= t).sum() + truth.sum() + 7) for t in values}
    assert found == pytest.approx(max(every.values()))
    assert every[threshold] == pytest.approx(found)


def test_the_dice_curve_is_that_of_each_threshold(rng):
    values = rng.normal(2, 3, 400)
    truth = values + rng.normal(0, 1, 400) > 4
    expected = [2 * (truth & (values >= t)).sum() / ((values >= t).sum() + truth.sum() + 3) for t in THRESHOLDS]
    assert np.allclose(dice_by_threshold(values, truth, outside=3), expected)


def test_the_fixed_threshold_is_not_chosen_on_the_case_itself(data):
    cases = read_cases(data)
    with pytest.raises(InputError, match="north_01: no train case of another patient"):
        threshold_baselines(cases[:1], chosen_on=cases[:1], reference="lesion")
    baseline = threshold_baselines(cases[:1], chosen_on=cases[:2], reference="lesion")["north_01"]
    assert baseline.best_dice >= baseline.fixed_dice > 0.5


def test_the_bootstrap_interval_is_seeded_and_holds_the_mean():
    interval = bootstrap_mean([0.2, 0.4, 0.9, np.nan, 0.5])
    assert interval == bootstrap_mean([0.2, 0.4, 0.9, np.nan, 0.5])
    assert interval.mean == pytest.approx(0.5) and interval.count == 4
    assert 0.2 <= interval.low < 0.5 < interval.high <= 0.9


def test_the_bootstrap_agrees_with_scipy():
    from scipy.stats import bootstrap

    values = np.random.default_rng(5).normal(0.7, 0.1, 40)
    theirs = bootstrap((values,), np.mean, n_resamples=10_000, method="percentile", rng=np.random.default_rng(1))
    ours = bootstrap_mean(values)
    assert ours.low == pytest.approx(theirs.confidence_interval.low, abs=0.003)
    assert ours.high == pytest.approx(theirs.confidence_interval.high, abs=0.003)


def test_scans_of_one_patient_are_drawn_together():
    values = [0.1, 0.1, 0.1, 0.9, 0.9, 0.9]
    alone = bootstrap_mean(values)
    together = bootstrap_mean(values, groups=["a", "a", "a", "b", "b", "b"])
    assert together.low == pytest.approx(0.1) and together.high == pytest.approx(0.9)
    assert together.high - together.low > alone.high - alone.low


def test_nothing_defined_has_no_mean():
    assert bootstrap_mean([np.nan]).count == 0 and np.isnan(bootstrap_mean([np.nan]).mean)


def test_the_grid_filters_as_the_pipeline_does(rng):
    noise = sitk.GetImageFromArray(rng.random((12, 14, 16)).astype(np.float32))
    probability = sitk.SmoothingRecursiveGaussian(noise, 0.8)
    probability.SetSpacing((1.0, 2.0, 1.5))
    array = sitk.GetArrayFromImage(probability)
    truth = array > 0.52
    scores = tune.grid_of_case(array, truth, voxel_ml=0.003)
    for row, threshold in ((6, 0.5), (7, 0.55)):
        assert tune.THRESHOLDS[row] == threshold
        for column, smallest in enumerate(tune.MIN_LESION_ML):
            kept = threshold_and_filter(probability, threshold=threshold, min_lesion_ml=smallest)
            mask = sitk.GetArrayFromImage(kept) > 0
            expected = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
            assert scores[row, column, 0] == pytest.approx(expected)


def test_a_draw_in_dice_goes_to_the_better_f1():
    grid = np.zeros((len(tune.THRESHOLDS), len(tune.MIN_LESION_ML), 2))
    grid[3, 2] = 0.800, 0.5
    grid[4, 5] = 0.799, 0.7
    grid[5, 5] = 0.790, 0.9
    best, points = tune.best_point([grid])
    assert (best.threshold, best.min_lesion_ml) == (tune.THRESHOLDS[4], tune.MIN_LESION_ML[5])
    assert len(points) == grid[..., 0].size
