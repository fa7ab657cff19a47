"""Outputs appear together, or not at all."""

from pathlib import Path

import pytest

from LightSegLib.errors import OutputError
from LightSegLib.outputs import OutputSet, check_report_path, check_volume_path


def write_text(path: Path) -> None:
    path.write_text("new")


def test_outputs_appear_only_at_commit(tmp_path: Path) -> None:
    a, b = tmp_path / "a.nii.gz", tmp_path / "b.html"
    with OutputSet([a, b]) as outputs:
        outputs.write(a, write_text)
        outputs.write(b, write_text)
        assert not a.exists() and not b.exists()
        assert outputs.commit() == [a, b]
    assert sorted(tmp_path.iterdir()) == [a, b]


def test_a_failure_leaves_nothing_and_keeps_earlier_files(tmp_path: Path) -> None:
    a, b = tmp_path / "a.mha", tmp_path / "b.mha"
    a.write_text("old")

    def fill_disk(path: Path) -> None:
        path.write_text("half")
        raise OSError(28, "No space left on device")

    message = r"b\.mha cannot be written \(No space left on device\)"
    with pytest.raises(OutputError, match=message), OutputSet([a, b]) as outputs:
        outputs.write(a, write_text)
        outputs.write(b, fill_disk)
    assert list(tmp_path.iterdir()) == [a]
    assert a.read_text() == "old"


def test_an_error_names_the_output_and_not_its_temporary_name(tmp_path: Path) -> None:
    def refuse(path: Path) -> None:
        raise OutputError(f"{path} is too dear.")

    with pytest.raises(OutputError) as caught, OutputSet([tmp_path / "a.mha"]) as outputs:
        outputs.write(tmp_path / "a.mha", refuse)
    assert str(caught.value) == f"{tmp_path / 'a.mha'} is too dear."


def test_one_file_cannot_be_two_outputs(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="given as two outputs"):
        OutputSet([tmp_path / "a.mha", tmp_path / "." / "a.mha"])


def test_an_input_is_not_overwritten(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is an input of this run"):
        OutputSet([tmp_path / "a.mha"], inputs=[tmp_path / "a.mha"])


def test_extensions_are_checked() -> None:
    check_volume_path(Path("a.seg.nrrd"), labels=True)
    check_report_path(Path("a.HTML"))
    with pytest.raises(OutputError, match="probabilities are no segmentation"):
        check_volume_path(Path("a.seg.nrrd"), labels=False)
    with pytest.raises(OutputError, match=r"a\.pdf: a report is an HTML page"):
        check_report_path(Path("a.pdf"))
