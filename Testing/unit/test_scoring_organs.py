"""Scoring of organs: patients count once, windows of Hounsfield units as baseline, padded cases."""

import json

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("torch", reason="training needs PyTorch: pip install lightseg[train]")

from LightSegLib.training.cases import read_cases
from LightSegLib.training.scoring.evaluate_organs import patient_means
from LightSegLib.training.scoring.organ_baseline import WINDOWS, window_baselines, window_dice
from LightSegLib.training.scoring.padded_livers import write_padded

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
