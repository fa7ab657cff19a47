"""The training loop learns, stops, resumes exactly, and survives a kill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")
load_file = pytest.importorskip("safetensors.torch").load_file

from LightSegLib.bundles import load_bundle  # noqa: E402
from LightSegLib.engines import create_engine  # noqa: E402
from LightSegLib.errors import InputError, LightSegError, RecipeError  # noqa: E402
from LightSegLib.networks import build_network  # noqa: E402
from LightSegLib.training import runs  # noqa: E402
from LightSegLib.training.checkpoint import load_checkpoint  # noqa: E402
from LightSegLib.training.loop import train  # noqa: E402
from LightSegLib.training.memory import keep_freed_memory  # noqa: E402
from LightSegLib.training.optimizer import learning_rate  # noqa: E402
from LightSegLib.training.recipe import OptimizerSettings, parse_recipe  # noqa: E402
from LightSegLib.training.run_log import read_log  # noqa: E402

from .training_toys import RECIPE, ToySource, toy_network  # noqa: E402

ROOT = Path(__file__).parents[2]


def run_toy(folder: Path, *, steps: int = 60, workers: int = 0, source=None, **options):
    recipe = parse_recipe(RECIPE.format(steps=steps, workers=workers))
    return train(recipe, source=source or ToySource(), network=toy_network(), run_folder=folder, **options)


def assert_same_weights(one: Path, other: Path) -> None:
    first, second = load_file(one / "weights.safetensors"), load_file(other / "weights.safetensors")
    assert first.keys() == second.keys()
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "toy"
    run_toy(folder)
    return folder


def test_a_run_learns_and_leaves_its_files(uninterrupted):
    rows = read_log(uninterrupted / "log.csv")
    assert [row.step for row in rows] == list(range(1, 61))
    assert rows[-1].loss < 0.6 * rows[0].loss
    assert {"recipe.toml", "checkpoint.pt", "log.csv", "curve.png", "weights.safetensors"} == {
        path.name for path in uninterrupted.iterdir()
    }
    assert (uninterrupted / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_a_worker_process_gives_the_same_weights(uninterrupted, tmp_path):
    run_toy(tmp_path / "toy", workers=2)
    assert_same_weights(uninterrupted, tmp_path / "toy")


def test_a_killed_run_resumes_to_the_same_weights(uninterrupted, tmp_path):
    folder = tmp_path / "toy"
    command = [sys.executable, "-m", "Testing.unit.training_toys", str(folder)]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "log.csv").is_file() or len(read_log(folder / "log.csv")) < 23:
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    stopped_at = load_checkpoint(folder / "checkpoint.pt").step
    assert stopped_at % 5 == 0 and 20 <= stopped_at < 60
    run_toy(folder)
    assert_same_weights(uninterrupted, folder)
    assert [row.step for row in read_log(folder / "log.csv")] == list(range(1, 61))


def test_a_time_limit_stops_the_run_and_the_next_session_goes_on(uninterrupted, tmp_path):
    folder = tmp_path / "toy"
    result = run_toy(folder, stop_after_minutes=1e-6)
    assert result.weights is None and result.step == 1
    assert run_toy(folder).step == 60
    assert_same_weights(uninterrupted, folder)


def test_ctrl_c_saves_a_checkpoint(tmp_path):
    class Interrupting(ToySource):
        def batch(self, index):
            if index == 7:
                os.kill(os.getpid(), signal.SIGINT)
            return super().batch(index)

    result = run_toy(tmp_path / "toy", source=Interrupting())
    assert result.weights is None
    assert load_checkpoint(tmp_path / "toy" / "checkpoint.pt").step == result.step == 8


def test_finish_now_writes_the_averaged_weights_as_they_are(tmp_path):
    folder = tmp_path / "toy"
    run_toy(folder, stop_after_minutes=1e-6)
    result = run_toy(folder, finish_now=True)
    assert result.step == 1 and result.weights.is_file()


def test_minutes_in_the_recipe_end_the_run_before_its_steps(tmp_path):
    text = RECIPE.format(steps=10_000_000, workers=0).replace("seed = 3", "seed = 3\nminutes = 0.01")
    result = train(parse_recipe(text), source=ToySource(), network=toy_network(), run_folder=tmp_path / "toy")
    assert result.weights is not None and 0.6 <= result.seconds < 2
    assert read_log(tmp_path / "toy" / "log.csv")[-1].lr < 0.001


def test_averaged_weights_get_their_own_batch_norm_statistics(uninterrupted):
    averaged = load_file(uninterrupted / "weights.safetensors")
    inputs = [torch.from_numpy(ToySource().batch(index)[0]) for index in range(60, 64)]
    convolution = torch.nn.Conv2d(1, 8, 3, padding=1)
    convolution.load_state_dict({"weight": averaged["0.weight"], "bias": averaged["0.bias"]})
    with torch.no_grad():
        means = torch.stack([convolution(batch).mean((0, 2, 3)) for batch in inputs]).mean(0)
    assert torch.allclose(averaged["1.running_mean"], means, atol=1e-5)


def test_a_bad_batch_is_left_out_but_not_many_of_them(tmp_path):
    class Poisoned(ToySource):
        def __init__(self, bad):
            super().__init__()
            self.bad = bad

        def batch(self, index):
            inputs, target = super().batch(index)
            return inputs * (np.nan if index in self.bad else 1), target

    # toy batch norm would carry NaN in its running statistics; they are renewed at the end
    assert run_toy(tmp_path / "one", source=Poisoned({4})).weights.is_file()
    assert all(torch.isfinite(tensor).all() for tensor in load_file(tmp_path / "one/weights.safetensors").values())
    for bad in (range(4, 30), range(1, 30, 2)):
        with pytest.raises(LightSegError, match="not finite for 10 of the last .* steps"):
            run_toy(tmp_path / f"every {bad.step}", source=Poisoned(bad))


def test_an_error_in_a_worker_names_its_cause(tmp_path):
    class Broken(ToySource):
        def batch(self, index):
            raise InputError("case_07/FLAIR.nii.gz: cannot be read")

    with pytest.raises(InputError, match="^case_07/FLAIR.nii.gz: cannot be read$"):
        run_toy(tmp_path / "toy", workers=1, source=Broken())


def test_another_recipe_does_not_resume_a_checkpoint(uninterrupted):
    recipe = parse_recipe(RECIPE.format(steps=60, workers=0).replace("seed = 3", "seed = 4"))
    with pytest.raises(RecipeError, match="give \\[run\\] another name"):
        train(recipe, source=ToySource(), network=toy_network(), run_folder=uninterrupted)


def test_a_damaged_checkpoint_is_named(tmp_path):
    (tmp_path / "checkpoint.pt").write_bytes(b"PK not a checkpoint")
    with pytest.raises(InputError, match=r"checkpoint.pt: not a readable checkpoint .* delete it"):
        run_toy(tmp_path)


def test_a_warm_start_copies_what_fits(uninterrupted, tmp_path):
    text = RECIPE.format(steps=1, workers=0).replace("lr = 0.02", "lr = 1e-12")
    text += f'\n[warm_start]\npath = "{uninterrupted / "weights.safetensors"}"\n'
    train(parse_recipe(text), source=ToySource(), network=toy_network(), run_folder=tmp_path)
    start, end = load_file(uninterrupted / "weights.safetensors"), load_file(tmp_path / "weights.safetensors")
    assert torch.allclose(start["0.weight"], end["0.weight"], atol=1e-6)


def test_the_learning_rate_warms_up_and_follows_a_cosine():
    settings = OptimizerSettings(lr=1.0, warmup_steps=10, final_lr=0.0)
    assert learning_rate(settings, step=0, progress=0.0) == pytest.approx(0.1)
    assert learning_rate(settings, step=50, progress=0.5) == pytest.approx(0.5)
    assert learning_rate(settings, step=99, progress=1.0) == pytest.approx(0.0)


def test_a_finished_run_becomes_a_bundle_with_its_weights(tmp_path):
    class Slices(ToySource):
        def batch(self, index):
            random = np.random.default_rng(index)
            inputs = random.normal(0, 1, (2, 4, 32, 48)).astype(np.float32)
            return inputs, (inputs[:, :1] > 1).astype(np.float32)

    text = RECIPE.format(steps=3, workers=0).replace("in_channels = 1", "in_channels = 4")
    with_bundle = text + '\n[bundle]\ncard = "wmh-acu"\nexample_shape = [2, 4, 32, 48]\n'
    train(parse_recipe(with_bundle), source=Slices(), run_folder=tmp_path / "toy")
    (tmp_path / "card.md").write_text("Toy.\n")
    runs.main([str(tmp_path / "toy"), str(tmp_path / "bundle"), "--model-card", str(tmp_path / "card.md")])
    bundle = load_bundle(tmp_path / "bundle")
    network = build_network("acu", in_channels=4, out_channels=1).eval()
    network.load_state_dict(load_file(tmp_path / "toy/weights.safetensors"))
    batch = Slices().batch(9)[0]
    with torch.no_grad():
        expected = network(torch.from_numpy(batch)).numpy()
    found = create_engine(bundle, engine="openvino", device="cpu").predict(batch)
    assert np.abs(found - expected).max() < 0.02 * np.abs(expected).max()  # weights are rounded to float16


def test_a_run_without_a_card_is_not_exported(uninterrupted, tmp_path):
    with pytest.raises(RecipeError, match=r"\[bundle\] lacks card and example_shape"):
        runs.export_run(uninterrupted, tmp_path / "bundle", model_card="")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="glibc's allocator")
def test_freed_memory_is_kept():
    assert keep_freed_memory()
