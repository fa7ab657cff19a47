"""Which cases a folder, a table or a list of files has; only names matter, so the files are empty."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.batch import Case, Cohort, find_cases
from LightSegLib.bundles import InputChannel
from LightSegLib.errors import InputError
from LightSegLib.pipeline.channels import likely_channel

from .test_dicom_series import write_dicom_series


def channel(name: str, *patterns: str, required: bool = False) -> InputChannel:
    return InputChannel(name=name, required=required, modality="MR", patterns=patterns or (f"*{name.lower()}*",))


WMH = (channel("FLAIR", required=True), channel("T1", "*t1*", "*mprage*"))
TUMOR = (channel("T1"), channel("T1ce", "*t1ce*", "*t1[ _-]ce", "*t1[ _-]ce[ ._-]*"), channel("T2"), channel("FLAIR"))
CT = (channel("CT", "*", required=True),)

Make = Callable[..., Path]


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Make empty files below a folder and return that."""

    def make_files(*names: str) -> Path:
        for name in names:
            path = tmp_path / "cohort" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        return tmp_path / "cohort"

    return make_files


def short(case: Case) -> dict[str, str]:
    """The names of a case's files by channel, and of its reference."""
    files = {**case.inputs, **({"reference": case.reference} if case.reference else {})}
    return {what: path.name for what, path in files.items()}


def by_name(cohort: Cohort) -> dict[str, dict[str, str]]:
    assert [case.problem for case in cohort.cases] == [None] * len(cohort.cases)
    return {case.name: short(case) for case in cohort.cases}


def problems(cohort: Cohort) -> dict[str, str | None]:
    return {case.name: case.problem for case in cohort.cases}


def test_each_subfolder_is_a_case(make: Make) -> None:
    folder = make("p2/T1.nii.gz", "p2/flair.nii", "p1/x_FLAIR.nrrd", "p1/x_mask.nii.gz", "p1/notes.txt", ".git/t1.nii")
    assert by_name(find_cases(folder, WMH)) == {
        "p1": {"FLAIR": "x_FLAIR.nrrd", "reference": "x_mask.nii.gz"},
        "p2": {"FLAIR": "flair.nii", "T1": "T1.nii.gz"},
    }


def test_channels_may_have_subfolders_of_their_own(make: Make) -> None:
    folder = make("p1/FLAIR/image.nii.gz", "p1/T1/image.nii.gz", "p1/labels/image.nii.gz")
    (case,) = find_cases(folder, WMH).cases
    assert {what: path.parent.name for what, path in case.inputs.items()} == {"FLAIR": "FLAIR", "T1": "T1"}
    assert case.reference == folder / "p1" / "labels" / "image.nii.gz"


def test_two_files_for_one_channel_are_a_problem_and_no_guess(make: Make) -> None:
    cohort = find_cases(make("p1/a_flair.nii.gz", "p1/b_flair.nii.gz", "p2/flair.nii.gz"), WMH)
    told = problems(cohort)
    assert "2 files could be FLAIR: a_flair.nii.gz, b_flair.nii.gz" in str(told["p1"])
    assert told["p2"] is None and cohort.usable == 1


def test_two_references_are_a_problem(make: Make) -> None:
    cohort = find_cases(make("p1/flair.nii.gz", "p1/gt.nii.gz", "p1/flair_mask.nii.gz"), WMH)
    assert "2 files could be the reference" in str(problems(cohort)["p1"])


def test_the_mask_of_a_brain_is_no_reference_and_no_image(make: Make) -> None:
    (case,) = find_cases(make("p1/flair.nii.gz", "p1/T1_brain_mask.nii.gz"), WMH).cases
    assert short(case) == {"FLAIR": "flair.nii.gz"} and [path.name for path in case.unused] == ["T1_brain_mask.nii.gz"]


def test_a_case_without_a_required_channel_says_what_it_has(make: Make) -> None:
    told = problems(find_cases(make("p1/t1.nii.gz", "p1/scan7.nii.gz"), WMH))["p1"]
    assert "Input FLAIR is missing" in str(told) and "scan7.nii.gz" in str(told)


def test_bids_subjects_and_sessions_are_cases(make: Make) -> None:
    folder = make(
        "dataset_description.json",
        "sub-1/ses-1/anat/sub-1_ses-1_acq-3D_FLAIR.nii.gz",
        "sub-1/ses-1/anat/sub-1_ses-1_T1w.nii.gz",
        "sub-1/ses-2/anat/sub-1_ses-2_FLAIR.nii.gz",
        "sub-2/anat/sub-2_FLAIR.nii.gz",
        "derivatives/sub-1/sub-1_FLAIR.nii.gz",
    )
    found = by_name(find_cases(folder, WMH))
    assert list(found) == ["sub-1_ses-1", "sub-1_ses-2", "sub-2"]
    assert set(found["sub-1_ses-1"]) == {"FLAIR", "T1"}


def test_dicom_series_are_told_by_their_folder_or_their_description(make: Make) -> None:
    folder = make("p1/README.txt").parent / "cohort"
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    write_dicom_series(image, folder / "p1" / "401", tags={"0008|103e": "Sag FLAIR 3D"})
    write_dicom_series(image, folder / "p1" / "T1", tags={"0008|103e": "unnamed"})
    assert by_name(find_cases(folder, WMH)) == {"p1": {"FLAIR": "401", "T1": "T1"}}


def test_series_of_one_channel_are_cases(make: Make) -> None:
    folder = make("notes.txt")
    image = sitk.GetImageFromArray(np.arange(60, dtype=np.int16).reshape(3, 4, 5))
    for name in ("anna", "bert"):
        write_dicom_series(image, folder / name)
    assert by_name(find_cases(folder, CT)) == {"anna": {"CT": "anna"}, "bert": {"CT": "bert"}}


def test_a_folder_with_the_channels_series_is_one_case(make: Make) -> None:
    folder = make("FLAIR/i.nii.gz", "T1/i.nii.gz")
    assert by_name(find_cases(folder, WMH)) == {"cohort": {"FLAIR": "i.nii.gz", "T1": "i.nii.gz"}}


def test_each_image_is_a_case_for_a_model_with_one_channel(make: Make) -> None:
    folder = make("a_ct.nii.gz", "b.nrrd", "b_mask.nii.gz", "a_reference.nii.gz", "c_seg.nii.gz")
    cohort = find_cases(folder, CT)
    assert by_name(cohort) == {
        "a_ct": {"CT": "a_ct.nii.gz", "reference": "a_reference.nii.gz"},
        "b": {"CT": "b.nrrd", "reference": "b_mask.nii.gz"},
    }
    assert cohort.notes == ("References that belong to no image, going by their names: c_seg.nii.gz.",)


@pytest.mark.parametrize(
    "names",
    [
        ("p1_t1.nii.gz", "p1_t1_ce.nii.gz", "p1_flair.nii.gz", "p1_seg.nii.gz"),
        ("t1_p1.nii.gz", "t1_ce_p1.nii.gz", "flair_p1.nii.gz", "seg_p1.nii.gz"),
        ("p1-T1_brain.nii.gz", "p1-T1_ce_brain.nii.gz", "p1-3dFLAIR_brain.nii.gz", "p1-lesionmask.nii.gz"),
    ],
)
def test_files_of_several_channels_are_grouped_by_their_names(make: Make, names: tuple[str, ...]) -> None:
    found = by_name(find_cases(make(*names, *(name.replace("p1", "patient1") for name in names)), TUMOR))
    assert found["p1"] == dict(zip(("T1", "T1ce", "FLAIR", "reference"), names, strict=True))
    assert list(found) == ["p1", "patient1"] and set(found["patient1"]) == set(found["p1"])


def test_files_that_may_be_halves_of_a_case_are_not_run_apart(make: Make) -> None:
    told = problems(find_cases(make("p1_flair.nii.gz", "p1_v2_t1.nii.gz", "p2_flair.nii.gz"), TUMOR))
    assert "p1 and p1_v2 may be parts of one case" in str(told["p1"]) and told["p1"] == told["p1_v2"]
    assert told["p2"] is None


def test_two_images_of_one_name_are_no_two_cases(make: Make) -> None:
    told = problems(find_cases(make("a.nii.gz", "a.nrrd", "b.nii"), CT))
    assert "2 cases are called a" in str(told["a"]) and told["b"] is None


def test_files_and_lists_of_files_are_cohorts(make: Make) -> None:
    folder = make("p1/flair.nii.gz", "p1/t1.nii.gz", "p2/flair.nii.gz")
    files = sorted(folder.rglob("*.nii.gz"))
    found = by_name(find_cases(files, WMH))
    assert found == {"p1": {"FLAIR": "flair.nii.gz", "T1": "t1.nii.gz"}, "p2": {"FLAIR": "flair.nii.gz"}}
    (folder / "list.txt").write_text("p1/flair.nii.gz\np1/t1.nii.gz\n\np2/flair.nii.gz\n")
    assert by_name(find_cases(folder / "list.txt", WMH)) == found


def test_results_in_the_folder_are_not_searched(make: Make) -> None:
    folder = make("a.nii.gz", "results/a.seg.nrrd", "results/b.nii.gz")
    assert by_name(find_cases(folder, CT, output=folder / "results")) == {"a": {"CT": "a.nii.gz"}}
    with pytest.raises(InputError, match="holds both images"):
        find_cases(folder, CT)
    with pytest.raises(InputError, match="would lie among the images"):
        find_cases(folder, CT, output=folder / "." / "")


def test_what_holds_no_case_is_refused(make: Make) -> None:
    folder = make("notes.pdf")
    for source, reason in (
        (folder, "holds no image"),
        (folder / "notes.pdf", "is no image file"),
        (folder / "none", "does not exist"),
    ):
        with pytest.raises(InputError, match=reason):
            find_cases(source, CT)


def test_a_number_at_the_end_of_a_word_is_no_contrast() -> None:
    assert likely_channel(TUMOR, "patient1_t2") == "T2"
    assert likely_channel(TUMOR, "cat2-t1") == "T1"
    assert likely_channel(TUMOR, "3DFLAIR_in_T1") == "FLAIR"
