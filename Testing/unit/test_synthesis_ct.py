"""Synthetic CT: bodies with an outline, Hounsfield units by organ and phase, scans with their livers."""

import json
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

pytest.importorskip("torch", reason="training needs PyTorch: pip install lightseg[train]")

from LightSegLib.training.synthesis.ct_anatomy import Body, Organ, dress, load_body
from LightSegLib.training.synthesis.ct_cases import CTLibrary, deform_body
from LightSegLib.training.synthesis.ct_contrast import PHASES, PLAIN, paint_ct
from LightSegLib.training.synthesis.ct_scanner import scan_ct

# id in the label map, name, box (z, y, x) in voxels of 3 mm of a toy trunk of 36 x 40 x 50
STRUCTURES = (
    (3, "aorta", (0, 36, 22, 25, 24, 27)),
    (44, "liver", (18, 30, 10, 28, 6, 24)),
    (84, "spleen", (18, 26, 18, 30, 36, 44)),
    (43, "kidney_right", (10, 18, 24, 30, 10, 16)),
    (48, "lung_upper_lobe_left", (30, 36, 8, 30, 6, 22)),
    (86, "stomach", (18, 28, 8, 18, 28, 40)),
    (100, "vertebrae_L1", (0, 36, 30, 36, 20, 30)),
    (54, "rib_left_1", (16, 34, 6, 32, 2, 4)),
    (66, "rib_right_1", (16, 34, 6, 32, 46, 48)),
    (10, "brain", (34, 36, 34, 36, 24, 26)),
    (7, "brachiocephalic_trunk", (34, 36, 14, 16, 30, 32)),
)


def write_toy_bodies(labels: Path) -> None:
    folder = labels / "abdomen"
    folder.mkdir(parents=True)
    array = np.zeros((36, 40, 50), np.uint8)
    for identifier, _, (z, to_z, y, to_y, x, to_x) in STRUCTURES:
        array[z:to_z, y:to_y, x:to_x] = identifier
    image = sitk.GetImageFromArray(array)
    image.SetSpacing((3.0, 3.0, 3.0))
    sitk.WriteImage(image, str(folder / "s0001_labels.nii.gz"))
    (folder / "totalsegmentator_labels.json").write_text(json.dumps({str(i): name for i, name, _ in STRUCTURES}))


@pytest.fixture(scope="module")
def labels(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("labels")
    write_toy_bodies(folder)
    return folder


@pytest.fixture(scope="module")
def bare(labels) -> Body:
    return load_body(labels / "abdomen" / "s0001_labels.nii.gz", labels / "abdomen" / "totalsegmentator_labels.json")


@pytest.fixture(scope="module")
def body(bare) -> Body:
    return dress(bare, np.random.default_rng(1))


def test_structures_become_organs_by_their_names_at_2_mm(bare) -> None:
    assert bare.organs.shape == (54, 60, 75)
    assert set(np.unique(bare.organs)) == {
        Organ.AIR, Organ.LIVER, Organ.SPLEEN, Organ.KIDNEY, Organ.STOMACH, Organ.ARTERY, Organ.LUNG, Organ.BONE,
        Organ.SPINAL_CORD,
    }  # fmt: skip
    ml = np.count_nonzero(bare.organs == Organ.LIVER) * 2.0**3 / 1000
    assert ml == pytest.approx(12 * 18 * 18 * 3.0**3 / 1000, rel=0.06)


def test_a_dressed_body_keeps_its_organs_and_is_closed_by_fat_and_skin(bare, body) -> None:
    pad = (body.organs.shape[1] - bare.organs.shape[1]) // 2
    inner = body.organs[:, pad:-pad, pad:-pad]
    assert np.array_equal(inner[bare.organs > 0], bare.organs[bare.organs > 0])
    middle = body.organs[27]
    inside = (middle != Organ.AIR) & (middle != Organ.TABLE)
    assert inside[middle.shape[0] // 2, middle.shape[1] // 2]
    edge = inside & ~np.roll(inside, 1, axis=1)
    assert np.isin(middle[edge], (Organ.SKIN, Organ.FAT)).all()
    assert (middle == Organ.MUSCLE).any() and (middle == Organ.FAT).any()
    assert not (middle[:, 0] != Organ.AIR).any() or (middle[:, 0] == Organ.TABLE).any()


@pytest.mark.parametrize("phase", list(PHASES))
def test_organs_have_the_hounsfield_units_of_their_phase(body, phase) -> None:
    images = [paint_ct(body, np.random.default_rng(seed), phase=phase) for seed in range(3)]

    def level(organ: Organ) -> float:
        return float(np.median([np.median(image[body.organs == organ]) for image in images]))

    assert level(Organ.AIR) == pytest.approx(-1000, abs=1)
    assert PLAIN[Organ.FAT][0] - 5 < level(Organ.FAT) < PLAIN[Organ.FAT][1] + 30
    assert level(Organ.LUNG) < -600 and level(Organ.BONE) > 150
    assert 0 < level(Organ.LIVER) < 160
    if phase in ("arterial", "portal"):
        assert level(Organ.ARTERY) > level(Organ.LIVER) + 20
    if phase == "none":
        assert level(Organ.ARTERY) < 60


def test_some_livers_have_lesions_and_all_their_label(body) -> None:
    liver = body.organs == Organ.LIVER
    spreads = [paint_ct(body, np.random.default_rng(seed), phase="portal")[liver].std() for seed in range(8)]
    assert max(spreads) > 1.5 * min(spreads)


def test_a_scan_is_noisier_than_what_it_shows_and_never_below_air(body) -> None:
    ideal = paint_ct(body, np.random.default_rng(0), phase="none")
    muscle = body.organs == Organ.MUSCLE
    for seed in range(3):
        scan = scan_ct(ideal, np.random.default_rng(seed))
        assert scan.dtype == np.float32 and scan.shape == ideal.shape and scan.min() >= -1024
        assert abs(np.median(scan[muscle]) - np.median(ideal[muscle])) < 60


def test_bending_keeps_the_liver_on_its_side(bare) -> None:
    for seed in range(6):
        x = np.argwhere(deform_body(bare, np.random.default_rng(seed)).organs == Organ.LIVER)[:, 2]
        assert x.mean() < bare.organs.shape[2] / 2


def test_a_case_depends_on_its_generator_alone_and_parts_may_have_no_liver(labels) -> None:
    library = CTLibrary(labels)
    one, same = (library.case(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(sitk.GetArrayViewFromImage(one.image), sitk.GetArrayViewFromImage(same.image))
    assert one.image.GetSize() == one.liver.GetSize() and one.image.GetSpacing() == (2.0, 2.0, 2.0)
    cases = [library.case(np.random.default_rng([9, seed])) for seed in range(25)]
    assert {bool(sitk.GetArrayViewFromImage(case.liver).any()) for case in cases} == {True, False}
    assert len({case.image.GetSize()[2] for case in cases}) > 5
    assert any(sitk.GetArrayViewFromImage(case.image).min() == -160 for case in cases)


def test_a_folder_without_bodies_is_refused(tmp_path) -> None:
    with pytest.raises(FileNotFoundError, match="no s.*_labels.nii.gz in"):
        CTLibrary(tmp_path)
