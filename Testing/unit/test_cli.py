"""The command line, from arguments to files, output and exit code; the networks are toys."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from LightSegLib.cli.console import ProgressLine, format_table
from LightSegLib.cli.main import main
from LightSegLib.volumes import read_labelmap

from .pipeline_toys import LesionEngine, install_toys, make_head, make_lesions


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> LesionEngine:
    return install_toys(monkeypatch)


@pytest.fixture
def flair(tmp_path: Path) -> Path:
    return save(make_head(), tmp_path / "in" / "flair.nii.gz")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    (tmp_path / "out").mkdir()
    return tmp_path / "out"


def save(image: sitk.Image, path: Path) -> Path:
    path.parent.mkdir(exist_ok=True)
    sitk.WriteImage(image, str(path))
    return path


def segment(flair: object, output: object, *more: object) -> int:
    command = ["segment", "--model", "toy", "--input", f"FLAIR={flair}", "--output", output, *more]
    return main([str(part) for part in command])


@pytest.mark.parametrize("ending", ["nii.gz", "nrrd", "seg.nrrd", "mha"])
def test_segment_writes_each_format_and_tells_what_it_found(engine, flair, out, capsys, ending: str) -> None:
    reference = save(make_lesions(), flair.parent / "lesions.nrrd")
    assert segment(flair, out / f"seg.{ending}", "--reference", reference) == 0
    shown = capsys.readouterr()
    assert shown.err == ""
    for wanted in ("WMH", " ml", "2 lesions", "Dice", "Lesion F1", "network", "Engine: toy on cpu", "Wrote "):
        assert wanted in shown.out
    written = read_labelmap(out / f"seg.{ending}")
    assert sitk.GetArrayViewFromImage(written).sum() > 100
    assert np.allclose(written.GetOrigin(), make_head().GetOrigin())


def test_segment_writes_probabilities_and_report(engine, flair, out) -> None:
    assert segment(flair, out / "s.mha", "--probabilities", out / "p.nii.gz", "--report", out / "r.html") == 0
    assert sorted(path.name for path in out.iterdir()) == ["p.nii.gz", "r.html", "s.mha"]
    probabilities = sitk.GetArrayFromImage(sitk.ReadImage(str(out / "p.nii.gz")))
    assert probabilities.dtype == np.float32 and 0 <= probabilities.min() < probabilities.max() <= 1
    assert (out / "r.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_json_is_one_object_and_nothing_else(engine, flair, out, capsys) -> None:
    assert segment(flair, out / "s.nii.gz", "--json") == 0
    shown = capsys.readouterr()
    told = json.loads(shown.out)
    assert told["lesion_count"] == 2 and told["agreement"] is None
    assert told["outputs"] == {"segmentation": str(out / "s.nii.gz")}
    assert told["provenance"]["inputs"]["FLAIR"]["name"] == str(flair)
    assert shown.err == ""


def test_a_library_that_prints_does_not_spoil_the_json(engine, flair, out, capsys, monkeypatch) -> None:
    predict = LesionEngine.predict
    monkeypatch.setattr(LesionEngine, "predict", lambda self, batch: (print("chatter"), predict(self, batch))[1])
    assert segment(flair, out / "s.nii.gz", "--json") == 0
    json.loads(capsys.readouterr().out)


def bad_image(kind: str, folder: Path) -> tuple[Path, str]:
    """Make the unusable image of a kind; returns it and what the message must say."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{kind.replace(' ', '_')}.nii.gz"
    array = sitk.GetArrayFromImage(make_head(size=(30, 36, 25), spacing=(3.0, 3.0, 3.0)))
    if kind == "missing":
        return path, "does not exist"
    if kind == "text":
        path.write_text("this is no image")
        return path, "not an image"
    if kind == "truncated":
        save(make_head(), path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return path, "is truncated"
    if kind in ("nan", "infinite"):
        array[4, 5, 6] = np.nan if kind == "nan" else np.inf
        return save(sitk.GetImageFromArray(array), path), "NaN or infinity"
    if kind in ("zero", "constant"):
        array[:] = 0 if kind == "zero" else 7
        return save(sitk.GetImageFromArray(array), path), "is empty"
    if kind == "single slice":
        return save(sitk.GetImageFromArray(array[12:13].round()), path), "single slice"
    if kind == "4D":
        return save(sitk.GetImageFromArray(np.stack([array, array]), isVector=False), path), "4 dimensions"
    if kind == "RGB":
        return save(
            sitk.GetImageFromArray(np.stack([array] * 3, -1).astype(np.uint8), isVector=True), path
        ), "components"
    if kind == "CT":
        return save(sitk.GetImageFromArray(array - 1000), path), "looks like a CT"
    path = path.with_name(f"{kind}.mha")
    size, direction, reason = {
        "sheared": ("9 9 9", "1 0 0 0.4 1 0 0 0 1", "not perpendicular"),
        "zero-size": ("9 9 0", "1 0 0 0 1 0 0 0 1", "has no voxels"),
    }[kind]
    header = f"ObjectType = Image\nNDims = 3\nTransformMatrix = {direction}\nOffset = 0 0 0\nElementSpacing = 1 1 1\n"
    header += f"DimSize = {size}\nElementType = MET_UCHAR\nElementDataFile = LOCAL\n"
    path.write_bytes(header.encode() + np.arange(729, dtype=np.uint16).astype(np.uint8).tobytes())
    return path, reason


REMEDIES = {
    "missing": "check the path",
    "text": "give a complete NIfTI",
    "truncated": "copy or download it again",
    "nan": "replace these",
    "infinite": "replace these",
    "zero": "give an image with content",
    "constant": "give an image with content",
    "zero-size": "export the image again",
    "single slice": "give a whole volume",
    "4D": "extract one 3D volume",
    "RGB": "give an image with one value per voxel",
    "CT": "give the MR image",
    "sheared": "resample it to a regular grid",
}


@pytest.mark.parametrize("kind", REMEDIES)
def test_an_unusable_image_ends_in_one_line_and_no_file(engine, tmp_path, out, capsys, kind: str) -> None:
    image, reason = bad_image(kind, tmp_path / "in")
    code = segment(image, out / "s.nii.gz", "--report", out / "r.html")
    assert_refused(code, capsys, out, image.name, reason, REMEDIES[kind])


@pytest.mark.parametrize("kind", REMEDIES)
def test_an_unusable_image_is_one_json_object_when_asked_for(engine, tmp_path, out, capsys, kind: str) -> None:
    image, reason = bad_image(kind, tmp_path / "in")
    assert segment(image, out / "s.nii.gz", "--json") == 2
    told = json.loads(capsys.readouterr().out)
    expected = {"CT": "ChannelError", "sheared": "GeometryError"}.get(kind, "InputError")
    assert list(told) == ["error"] and told["error"]["type"] == expected
    assert image.name in told["error"]["message"] and reason in told["error"]["message"]
    assert list(out.iterdir()) == []


@pytest.mark.parametrize("kind", REMEDIES)
def test_an_unusable_reference_ends_likewise(engine, flair, tmp_path, out, capsys, kind: str) -> None:
    if kind in ("zero", "constant", "CT"):
        pytest.skip("an empty reference is allowed, and labels have no modality")
    reference, reason = bad_image(kind, tmp_path / "in")
    code = segment(flair, out / "s.nii.gz", "--reference", reference)
    # A mask of one slice can be right for an image of few slices, but not for this one.
    assert_refused(code, capsys, out, reference.name, "covers only 0%" if kind == "single slice" else reason)


def assert_refused(code: int, capsys: pytest.CaptureFixture[str], out: Path, *wanted: str) -> None:
    shown = capsys.readouterr()
    assert code == 2
    assert shown.out == ""
    assert shown.err.startswith("lightseg: error: ") and shown.err.count("\n") == 1, shown.err
    for text in wanted:
        assert text in shown.err
    assert list(out.iterdir()) == []


def test_a_missing_channel_is_refused(engine, flair, out, capsys) -> None:
    code = main(["segment", "--model", "toy", "--input", f"T1={flair}", "--output", str(out / "s.mha")])
    assert_refused(code, capsys, out, "Input FLAIR is missing")


def test_an_unknown_channel_is_refused(engine, flair, out, capsys) -> None:
    assert_refused(segment(flair, out / "s.mha", "--input", f"T2={flair}"), capsys, out, "Unknown input 'T2'")


def test_one_file_cannot_be_two_channels(engine, flair, out, capsys) -> None:
    assert_refused(segment(flair, out / "s.mha", "--input", f"T1={flair}"), capsys, out, "are the same file")


def test_an_input_without_channel_is_refused(engine, flair, out, capsys) -> None:
    code = main(["segment", "--model", "toy", "--input", str(flair), "--output", str(out / "s.mha")])
    assert_refused(code, capsys, out, "write it as CHANNEL=FILE")


def test_a_t1_of_another_place_is_refused(engine, flair, out, capsys) -> None:
    elsewhere = make_head()
    elsewhere.SetOrigin((300.0, 0.0, 0.0))
    t1 = save(elsewhere, flair.parent / "t1.nii.gz")
    assert_refused(segment(flair, out / "s.mha", "--input", f"T1={t1}"), capsys, out, "t1.nii.gz", "covers only 0%")


def test_a_t1_on_another_grid_is_resampled(engine, flair, out, capsys) -> None:
    t1 = save(make_head(size=(80, 90, 40), spacing=(1.1, 1.2, 1.9)), flair.parent / "t1.nii.gz")
    assert segment(flair, out / "s.mha", "--input", f"T1={t1}") == 0
    assert "Note: T1 was resampled onto the grid of FLAIR." in capsys.readouterr().out


def test_an_unknown_model_lists_the_known_ones(engine, flair, out, capsys) -> None:
    code = main(["segment", "--model", "magic", "--input", f"FLAIR={flair}", "--output", str(out / "s.mha")])
    assert_refused(code, capsys, out, "Unknown model 'magic'; known models: toy, toy-tumor, toy-brain")


@pytest.mark.parametrize("name", ["s.png", "s", "s.nii.gz.txt"])
def test_an_unknown_output_format_is_refused_before_the_work(engine, flair, out, capsys, name: str) -> None:
    assert_refused(segment(flair, out / name), capsys, out, name, "unknown image format")
    assert engine.calls == 0


def test_a_missing_output_folder_is_refused_before_the_work(engine, flair, out, capsys) -> None:
    assert_refused(segment(flair, out / "no" / "s.mha"), capsys, out, "does not exist; create it")
    assert engine.calls == 0


def test_a_folder_without_write_permission_is_refused_before_the_work(engine, flair, out, capsys, monkeypatch) -> None:
    if os.name == "nt" or os.geteuid() == 0:
        # Root may write anywhere, so the refusal is played.
        def refuse(*_: object, **__: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("LightSegLib.writers.os.open", refuse)
        monkeypatch.setattr("LightSegLib.writers.Path.touch", refuse)
        monkeypatch.setattr("LightSegLib.writers.Path.open", refuse)
    else:
        out.chmod(0o500)
    code = segment(flair, out / "s.mha")
    out.chmod(0o700)
    assert_refused(code, capsys, out, "s.mha", "ermission denied")
    assert engine.calls == 0


def test_a_full_disk_leaves_nothing(engine, flair, out, capsys, monkeypatch) -> None:
    def fill(image: sitk.Image, path: Path, **_: object) -> None:
        path.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("LightSegLib.cli.segment.write_volume", fill)
    code = segment(flair, out / "s.mha", "--probabilities", out / "p.mha", "--report", out / "r.html")
    assert_refused(code, capsys, out, "p.mha", "No space left on device")


@pytest.mark.parametrize("options", [["--threads", "0"], ["--device", "tpu"], ["--engine", "tf"], ["--frobnicate"]])
def test_wrong_use_is_told_in_one_line(engine, flair, out, capsys, options: list[str]) -> None:
    assert_refused(segment(flair, out / "s.mha", *options), capsys, out, "--help")


def test_errors_are_json_too(engine, flair, out, capsys) -> None:
    assert segment(out / "none.nii.gz", out / "s.mha", "--json") == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] == "InputError" and "none.nii.gz does not exist" in error["message"]
    assert main(["segment", "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["type"] == "UsageError"


def test_interrupting_is_clean(engine, flair, out, capsys, monkeypatch) -> None:
    def interrupt(self: LesionEngine, batch: np.ndarray) -> np.ndarray:
        raise KeyboardInterrupt

    monkeypatch.setattr(LesionEngine, "predict", interrupt)
    assert segment(flair, out / "s.mha", "--report", out / "r.html") == 130
    assert capsys.readouterr().err == "lightseg: Cancelled; nothing was written.\n"
    assert list(out.iterdir()) == []


def test_an_unexpected_error_is_one_line_with_a_hint(engine, flair, out, capsys, monkeypatch) -> None:
    monkeypatch.setattr(LesionEngine, "predict", lambda self, batch: 1 / 0)
    assert segment(flair, out / "s.mha") == 1
    shown = capsys.readouterr().err
    assert shown.startswith("lightseg: error: unexpected ZeroDivisionError") and shown.count("\n") == 1
    assert "--debug" in shown
    assert segment(flair, out / "s.mha", "--debug") == 1
    assert "Traceback" in capsys.readouterr().err


def test_compare_prints_a_table_per_label(tmp_path, capsys) -> None:
    two = make_lesions()
    two[0:30, :, :] = two[0:30, :, :] * 2
    a, b = save(two, tmp_path / "a.nrrd"), save(two, tmp_path / "b.nrrd")
    assert main(["compare", str(a), str(b)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["label", "1", "label", "2"]
    assert next(line for line in lines if "Dice" in line).split() == ["Dice", "1.000", "1.000"]


def test_compare_resamples_and_says_so(tmp_path, capsys) -> None:
    a = save(make_lesions(), tmp_path / "a.nii.gz")
    b = save(make_lesions(size=(100, 110, 80), spacing=(1.0, 1.0, 1.0)), tmp_path / "b.nii.gz")
    assert main(["compare", str(a), str(b), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labels"]["1"]["dice"] > 0.8
    assert told["notes"] == ["The reference was resampled onto the segmentation's grid (nearest neighbor)."]


def test_compare_takes_single_labels_of_any_value(tmp_path, capsys) -> None:
    a, b = save(make_lesions(), tmp_path / "a.mha"), save(make_lesions() * 255, tmp_path / "b.mha")
    assert main(["compare", str(a), str(b), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["labels"]["1"]["dice"] == 1
    assert told["notes"] == ["Label 255 of the reference was compared with label 1."]


def test_compare_shows_undefined_measures_as_such(tmp_path, capsys) -> None:
    a, b = save(make_lesions(), tmp_path / "a.mha"), save(make_lesions() * 0, tmp_path / "b.mha")
    assert main(["compare", str(a), str(b), "--json"]) == 0
    label = json.loads(capsys.readouterr().out)["labels"]["1"]
    assert label["dice"] == 0 and label["hd95_mm"] is None


def test_compare_refuses_masks_that_do_not_overlap(tmp_path, capsys, out) -> None:
    far = make_lesions()
    far.SetOrigin((500.0, 0.0, 0.0))
    a, b = save(make_lesions(), tmp_path / "a.mha"), save(far, tmp_path / "b.mha")
    assert_refused(main(["compare", str(a), str(b)]), capsys, out, "b.mha covers only 0%", "same image")


@pytest.mark.parametrize(
    "command", ["", "segment", "batch", "measure", "models", "compare", "doctor", "train", "evaluate"]
)
def test_help_teaches(command: str, capsys) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    assert ended.value.code == 0
    assert "usage: lightseg" in capsys.readouterr().out


def test_the_module_is_the_same_program() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "LightSegLib", "--version"], capture_output=True, text=True, check=True
    )
    assert shown.stdout.startswith("lightseg ")


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGTERM to catch")
def test_termination_ends_like_an_interrupt(engine, flair, out, monkeypatch) -> None:
    monkeypatch.setattr(LesionEngine, "predict", lambda self, batch: os.kill(os.getpid(), signal.SIGTERM))
    before = signal.getsignal(signal.SIGTERM)
    assert segment(flair, out / "s.mha") == 130
    assert signal.getsignal(signal.SIGTERM) is before
    assert list(out.iterdir()) == []


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_on_a_terminal_only() -> None:
    terminal, pipe = Terminal(), io.StringIO()
    for stream in (terminal, pipe):
        line = ProgressLine(stream)
        line(0.5, "Segmenting")
        line(1.0, "Done")
        line.close()
    assert pipe.getvalue() == ""
    assert "[############............]  50%  Segmenting" in terminal.getvalue()
    assert "\n" not in terminal.getvalue() and terminal.getvalue().endswith("\r\x1b[K")


def test_tables_are_aligned() -> None:
    assert format_table([["Dice", "0.8"], ["HD95 (mm)", "10.5"]]) == "  Dice        0.8\n  HD95 (mm)  10.5"
