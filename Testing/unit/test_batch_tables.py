"""Cases that a CSV file lists, and the names of what is written for them."""

from pathlib import Path

import pytest

from LightSegLib.batch import Cohort, find_cases
from LightSegLib.batch.output_names import output_stems
from LightSegLib.errors import InputError

from .test_batch_cases import WMH, problems


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("a", "b", "ö"):
        (tmp_path / name).mkdir()
        for channel in ("flair", "t1", "gold"):
            (tmp_path / name / f"{channel}.nii.gz").touch()
    return tmp_path


def listed(folder: Path, text: str, *, encoding: str = "utf-8") -> Cohort:
    (folder / "cases.csv").write_text(text, encoding=encoding)
    return find_cases(folder / "cases.csv", WMH)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_a_table_of_any_usual_kind_is_read(folder: Path, delimiter: str, encoding: str) -> None:
    text = 'Case,flair,T1,Reference\none,a/flair.nii.gz,,\n\n"two words","ö/flair.nii.gz",ö/t1.nii.gz,ö/gold.nii.gz\n'
    first, second = listed(folder, text.replace(",", delimiter), encoding=encoding).cases
    assert (first.name, first.inputs, first.reference) == ("one", {"FLAIR": folder / "a" / "flair.nii.gz"}, None)
    assert second.name == "two words" and list(second.inputs) == ["FLAIR", "T1"]
    assert second.reference == folder / "ö" / "gold.nii.gz"
    assert first.problem is None and second.problem is None


def test_absolute_paths_stay_as_they_are(folder: Path) -> None:
    (case,) = listed(folder, f"FLAIR\n{folder / 'b' / 'flair.nii.gz'}\n").cases
    assert case.inputs["FLAIR"] == folder / "b" / "flair.nii.gz" and case.name == "flair"


def test_cases_without_a_name_have_that_of_their_file_or_also_the_line(folder: Path) -> None:
    assert [case.name for case in listed(folder, "FLAIR\na/flair.nii.gz\n").cases] == ["flair"]
    several = listed(folder, "FLAIR\na/flair.nii.gz\nb/flair.nii.gz\na/gold.nii.gz\n").cases
    assert [case.name for case in several] == ["flair-2", "flair-3", "gold"]


def test_problems_are_told_by_case(folder: Path) -> None:
    text = "case,FLAIR,T1\n1,none.nii.gz,\n2,,a/t1.nii.gz\n3,a/flair.nii.gz,,,\n,b/flair.nii.gz,\n5,a/flair.nii.gz,\n"
    told = list(problems(listed(folder, text)).values())
    for problem, wanted in zip(
        told, ("none.nii.gz does not exist", "FLAIR is missing", "more cells", "no case"), strict=False
    ):
        assert wanted in str(problem)
    assert told[4] is None


def test_a_name_given_twice_is_a_problem_of_both(folder: Path) -> None:
    cohort = listed(folder, "case,FLAIR\nx,a/flair.nii.gz\nx,b/flair.nii.gz\ny,b/flair.nii.gz\n")
    assert [case.problem is None for case in cohort.cases] == [False, False, True]
    assert "2 cases are called x" in str(cohort.cases[0].problem)


def test_columns_that_are_not_used_are_named(folder: Path) -> None:
    cohort = listed(folder, "case,FLAIR,T1,age,sex\nx,a/flair.nii.gz,,80,f\n")
    assert cohort.notes == (
        "Not used of cases.csv: column age, sex; this model takes FLAIR (required), T1 (optional).",
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("case,age\nx,1\n", "has no column FLAIR, only case, age"),
        ("case,FLAIR,T1w\nx,a/flair.nii.gz,a/t1.nii.gz\n", "column T1w: rename it to T1"),
        ("FLAIR,flair\na/flair.nii.gz,\n", "two columns FLAIR"),
        ("case,FLAIR\n", "lists no case"),
        ("", "is empty"),
    ],
)
def test_a_header_that_does_not_fit_is_refused(folder: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        listed(folder, text)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_other_encodings_are_refused_with_a_remedy(folder: Path, encoding: str) -> None:
    with pytest.raises(InputError, match="save it as 'CSV UTF-8'"):
        listed(folder, "case,FLAIR\nö,ö/flair.nii.gz\n", encoding=encoding)


def test_output_names_fit_every_file_system_and_differ() -> None:
    given = ["a/b", "a:b", "A_B", "CON", "nul.x", "  .. ", "x" * 300, "tail. ", "ö", "o\u0308", "plain"]
    stems = output_stems(given)
    assert stems[:6] == ["a_b", "a_b-2", "A_B-3", "_CON", "_nul.x", "_"]
    assert len({stem.casefold() for stem in stems}) == len(given)
    assert len(stems[6]) == 100 and stems[7:] == ["tail", "ö", "ö-2", "plain"]
