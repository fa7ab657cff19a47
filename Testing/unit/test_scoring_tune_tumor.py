"""Choosing nested thresholds out of fold, on toy probabilities whose best settings are known."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.errors import InputError
from LightSegLib.training.cases import Case
from LightSegLib.training.scoring import tune_tumor
from LightSegLib.training.scoring.tune_tumor import (
    REACHES,
    SMALLEST,
    THRESHOLDS,
    Prediction,
    choose,
    grids_of,
    measured,
)

SIZE = (30, 32, 34)


def ball(radius: float) -> np.ndarray:
    z, y, x = np.meshgrid(*(np.arange(n) - n // 2 for n in SIZE), indexing="ij", sparse=True)
    return z**2 + y**2 + x**2 < radius**2


def case_of(name: str, fold: int) -> Case:
    return Case(name, "train", "glioma", name, Path(name), ("seg",), fold)


def maps(*, right: float, stray: float = 0.0, enhancing: float) -> list[np.ndarray]:
    """Probabilities of `right` inside the true regions and a little less around, and stray voxels in the corner."""
    found = []
    for radius in (12.0, 8.0, enhancing):
        probability = np.where(ball(radius), right, np.where(ball(radius + 2), right - 0.2, 0.0))
        probability[:2, :2, :2] = stray
        found.append(probability.astype(np.float32))
    return found


def prediction(name: str = "glioma_01", fold: int = 0, *, enhancing: float = 8.0, **options) -> Prediction:
    labels = np.select([ball(enhancing), ball(8), ball(12)], [3, 1, 2], 0).astype(np.uint8)
    probabilities = tuple(map(sitk.GetImageFromArray, maps(enhancing=enhancing, **options)))
    return Prediction(case_of(name, fold), probabilities, sitk.GetImageFromArray(labels))


def test_the_best_threshold_of_a_region_lies_between_the_probabilities_inside_and_around_it() -> None:
    grids = grids_of(prediction(right=0.71))
    for name in SMALLEST:
        perfect = [t for t, row in zip(THRESHOLDS, grids[name], strict=True) if row.max() == pytest.approx(1)]
        assert perfect == [t for t in THRESHOLDS if 0.51 < t <= 0.71]


def test_a_case_with_little_core_or_enhancement_has_no_score_there() -> None:
    grids = grids_of(prediction(right=0.71, enhancing=4.0))  # 0.26 ml
    assert np.isnan(grids["ET"]).all() and not np.isnan(grids["TC"]).any()
    labels = sitk.GetImageFromArray(np.where(ball(12), 2, 0).astype(np.uint8))
    shown = prediction(right=0.71)
    grids = grids_of(Prediction(shown.case, shown.probabilities, labels))
    assert np.isnan(grids["ET"]).all() and np.isnan(grids["TC"]).all() and not np.isnan(grids["WT"]).any()


def test_the_threshold_of_enhancing_tumor_is_the_highest_that_costs_little() -> None:
    grids = grids_of(prediction(right=0.81))
    grids["ET"] = np.repeat(np.linspace(0.7, 0.8, len(THRESHOLDS))[::-1, None], 4, axis=1)
    grids["ET"][:4] = 0.8, 0.8, 0.795, 0.791
    grids["ET"] = np.minimum(grids["ET"], 0.8)
    assert choose([grids]).thresholds["ET"] == THRESHOLDS[int(np.flatnonzero(grids["ET"][:, 0] > 0.79)[-1])]


def test_of_equals_the_choice_is_the_middle_the_lowest_for_the_core_the_highest_for_enhancing_tumor() -> None:
    choice = choose([grids_of(prediction(right=0.81, stray=0.95)), grids_of(prediction(right=0.81))])
    assert choice.thresholds == {"WT": 0.75, "TC": 0.65, "ET": 0.8}
    assert choice.min_share_of_largest == 0.2
    assert choice.min_enhancing_ml == 0.5


def test_the_reach_of_the_core_is_chosen_where_the_core_is_overestimated() -> None:
    """Core of 8 mm around enhancing tumor of 5, and a false shell more than 6 mm away."""
    shown = prediction(right=0.6, enhancing=5.0)
    enhancing = grids_of(prediction(right=0.6))["ET"]  # this case has too little of it to choose a threshold by
    with pytest.raises(InputError, match="no case has enough of ET"):
        choose([grids_of(shown)])
    assert choose([grids_of(shown) | {"ET": enhancing}]).core_reach_mm == REACHES[-1]
    core = sitk.GetArrayFromImage(shown.probabilities[1])
    whole = sitk.GetArrayFromImage(shown.probabilities[0])
    far = ball(12) & ~ball(11)
    core[far], whole[far] = 0.9, 0.9
    images = tuple(map(sitk.GetImageFromArray, (whole, core, sitk.GetArrayFromImage(shown.probabilities[2]))))
    grids = grids_of(Prediction(shown.case, images, shown.reference)) | {"ET": enhancing}
    assert choose([grids]).core_reach_mm == REACHES[0]


def test_measures_leave_out_what_the_reference_has_little_of() -> None:
    little = prediction(right=0.71, enhancing=4.0)
    labels = sitk.GetImageFromArray(np.where(ball(12), 3, 0).astype(np.uint8))
    row = measured(little, labels)
    assert set(row) == {"WT dice", "WT hd95_mm", "TC dice", "TC hd95_mm", "ET false_ml"}
    assert row["WT dice"] == 1
    assert row["ET false_ml"] == pytest.approx((ball(12).sum() - ball(4).sum()) / 1000)


def test_the_command_scores_each_fold_with_the_thresholds_of_the_others(monkeypatch, tmp_path, capsys) -> None:
    def folds(runs, data, *, threads=None):
        for index, right in enumerate((0.81, 0.81, 0.41)):
            folder = tmp_path / f"glioma_{index:02d}"
            folder.mkdir()
            shown = prediction(folder.name, right=right)
            sitk.WriteImage(shown.reference, str(folder / "seg.nii.gz"))
            case = Case(folder.name, "train", "glioma", folder.name, folder, ("seg",), index)
            yield case, sitk.Compose(list(shown.probabilities))

    monkeypatch.setattr(tune_tumor, "out_of_fold", folds)
    output = tmp_path / "out"
    assert tune_tumor.main(["--runs", "a", "b", "c", "--data", str(tmp_path), "--output", str(output)]) == 0
    assert "| argmax |" in capsys.readouterr().out
    rows = list(csv.DictReader((output / "cases.csv").open()))
    assert len(rows) == 9
    dice = {(row["postprocessing"], row["case"]): float(row["WT dice"]) for row in rows}
    elsewhere = "nested, settings of the other folds"
    # What the other two say, 0.75, finds nothing in the third; its own best, 0.3, must not be used for it.
    assert dice[elsewhere, "glioma_02"] == 0
    assert dice["nested, 0.5", "glioma_00"] < 1
    choice = json.loads((output / "choice.json").read_text())
    assert set(choice["thresholds"]) == {"WT", "TC", "ET"}
