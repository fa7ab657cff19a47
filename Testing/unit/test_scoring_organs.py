"""Scoring of organs: patients count once, windows of Hounsfield units as baseline, padded cases."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("torch", reason="training needs PyTorch: pip install lightseg[train]")

from LightSegLib.training.cases import Case, read_cases
from LightSegLib.training.scoring.evaluate_organs import patient_means
from LightSegLib.training.scoring.organ_baseline import WINDOWS, window_baselines, window_dice
from LightSegLib.training.scoring.padded_livers import write_padded
from LightSegLib.training.scoring.tune_organ import CHOICES, TIE, OrganChoice, best_choice, score_choices

from .ct_toys import make_ct
from .test_sources_ct import write_cases


def test_a_patient_counts_once() -> None:
    rows = [
        {"case": "a_1", "patient": "A", "dice": 0.8, "brain": None},
        {"case": "a_2", "patient": "A", "dice": 0.9, "brain": None},
        {"case": "b_1", "patient": "B", "dice": 0.5, "brain": None},
    ]
    assert patient_means(rows) == [
        {"case": "patient A, 2 cases", "patient": "A", "dice": pytest.approx(0.85)},
        {"case": "b_1", "patient": "B", "dice": 0.5},
    ]


def test_the_best_window_holds_the_organ_and_cuts_what_touches_it() -> None:
    values = np.full((40, 40, 40), -100.0)
    values[10:30, 10:30, 10:30] = 105
    values[19:21, 19:21, 30:38] = 105  # a rib of two voxels
    truth = np.zeros(values.shape, bool)
    truth[10:30, 10:30, 10:30] = True
    curve = window_dice(values, truth)
    low, high = WINDOWS[int(curve.argmax())]
    assert low <= 105 <= high and curve.max() > 0.9
    assert curve[WINDOWS.index((110, 150))] == 0


def write_scans(folder) -> None:
    entries = []
    for name, patient, level in (("x_1", "X", 0), ("x_2", "X", 0), ("y_1", "Y", 40)):
        image, mask = make_ct()
        (folder / name).mkdir(parents=True)
        brighter = image + sitk.Cast(mask, sitk.sitkFloat32) * float(level)
        sitk.WriteImage(brighter, str(folder / name / "CT.nii.gz"))
        sitk.WriteImage(mask, str(folder / name / "liver.nii.gz"))
        entries.append({"case": name, "patient": patient, "fold": 0})
    (folder / "cases.json").write_text(json.dumps(entries))


def test_the_fixed_window_comes_from_other_patients(tmp_path) -> None:
    write_scans(tmp_path)
    cases = read_cases(tmp_path)
    found = window_baselines(cases, chosen_on=cases, reference="liver")
    assert set(found) == {"x_1", "x_2", "y_1"}
    for baseline in found.values():
        assert 0.85 < baseline.best_dice <= 1 and baseline.fixed_dice <= baseline.best_dice
    # chosen on Y alone, whose liver has 150 HU
    low, high = (int(word) for word in found["x_1"].fixed_window.removesuffix(" HU").split(" to "))
    assert low <= 150 <= high


def test_padded_cases_have_their_liver_and_nothing_else(tmp_path, capsys) -> None:
    write_cases(tmp_path)
    write_padded(tmp_path, tmp_path / "padded")
    assert [case.name for case in read_cases(tmp_path / "padded")] == ["lits_00", "chaos_01"]
    assert "lits_00: " in capsys.readouterr().out
    before, after = (
        {file: sitk.ReadImage(str(folder / "lits_00" / f"{file}.nii.gz")) for file in ("CT", "liver")}
        for folder in (tmp_path / "liver", tmp_path / "padded")
    )
    assert after["CT"].GetSize()[2] > 12 and after["CT"].GetSize() == after["liver"].GetSize()
    same = sitk.Resample(after["CT"], before["CT"], sitk.Transform(), sitk.sitkNearestNeighbor)
    assert np.array_equal(sitk.GetArrayViewFromImage(same), sitk.GetArrayViewFromImage(before["CT"]))
    assert np.count_nonzero(sitk.GetArrayViewFromImage(after["liver"])) == np.count_nonzero(
        sitk.GetArrayViewFromImage(before["liver"])
    )


def case_of(name: str, patient: str, fold: int) -> Case:
    return Case(name, "train", "x", patient, Path(), (), fold)


def test_the_choice_has_the_best_mean_over_patients_and_draws_go_to_one_part() -> None:
    plain, opened = (
        CHOICES.index(OrganChoice(0.5, "largest_component")),
        CHOICES.index(OrganChoice(0.4, "morphological", 3.0, 3.0)),
    )
    good = np.full(len(CHOICES), 0.5)
    good[plain], good[opened], good[CHOICES.index(OrganChoice(0.5, "none"))] = 0.9, 0.9 + TIE / 2, 0.9 + TIE
    # Three cases of one patient like the opening much better, but they are one patient of four.
    other = np.full(len(CHOICES), 0.5)
    other[plain], other[opened] = 0.9, 0.9
    scores = {case_of(f"a_{n}", "A", 0): good for n in range(3)} | {case_of(p, p, 1): other for p in "BCD"}
    best, means = best_choice(scores)
    assert best == CHOICES[plain] and means[plain] == pytest.approx(0.9)
    other[opened] = 0.93
    assert best_choice(scores)[0] == CHOICES[opened]


def test_every_choice_is_scored_as_it_would_be_applied() -> None:
    _, mask = make_ct(size=(40, 36, 50), spacing=(4.5, 4.8, 6.0))
    probability = sitk.Cast(mask, sitk.sitkFloat32) * 0.65
    scores = dict(zip(CHOICES, score_choices(probability, mask), strict=True))
    assert scores[OrganChoice(0.5, "none")] == 1 and scores[OrganChoice(0.7, "none")] == 0
    assert 0.5 < scores[OrganChoice(0.5, "morphological", 3.0, 1.5)] <= 1
