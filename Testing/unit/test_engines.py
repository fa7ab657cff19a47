"""Every engine runs every bundle with the same numbers, and every wish that cannot be met is told."""

import dataclasses
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from LightSegLib.bundles import Bundle, load_bundle
from LightSegLib.engines import available_devices, create_engine, selection
from LightSegLib.engines.self_test import check_engine, make_input
from LightSegLib.errors import BundleError, EngineError, MissingDependencyError

BUNDLES = ("wmh-acu", "brain-pocket")
ENGINES = ("openvino", "pytorch")
SHAPES = {"wmh-acu": (4, 64, 48), "brain-pocket": (1, 16, 24, 8)}


@pytest.fixture
def wmh(exported_models: Path) -> Bundle:
    return load_bundle("wmh-acu", root=exported_models)


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("engine_name", ENGINES)
def test_an_engine_passes_the_self_test(exported_models: Path, name: str, engine_name: str) -> None:
    bundle = load_bundle(name, root=exported_models)
    engine = create_engine(bundle, engine=engine_name, device="cpu")
    assert (engine.name, engine.device, engine.reason) == (engine_name, "cpu", "asked for")
    assert check_engine(bundle, engine) < 1e-4


@pytest.mark.parametrize("name", BUNDLES)
def test_engines_agree(exported_models: Path, name: str) -> None:
    bundle = load_bundle(name, root=exported_models)
    batch = make_input((5, *SHAPES[name]), seed=3)
    logits = [create_engine(bundle, engine=engine, device="cpu").predict(batch) for engine in ENGINES]
    assert logits[0].shape == logits[1].shape == (5, 1, *SHAPES[name][1:])
    assert logits[0].dtype == logits[1].dtype == np.float32
    largest = np.abs(logits[0] - logits[1]).max() / np.abs(logits[1]).max()
    assert largest < 1e-4, f"largest difference {largest:.2g} of the largest logit"


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("engine_name", ENGINES)
def test_a_batch_equals_its_items(exported_models: Path, name: str, engine_name: str) -> None:
    engine = create_engine(load_bundle(name, root=exported_models), engine=engine_name, device="cpu")
    batch = make_input((19, *SHAPES[name]), seed=4)
    together = engine.predict(batch)
    for index in (0, 7, 18):
        np.testing.assert_allclose(together[index : index + 1], engine.predict(batch[index : index + 1]), atol=1e-5)


@pytest.mark.parametrize("engine_name", ENGINES)
def test_results_do_not_share_memory_with_the_engine(wmh: Bundle, engine_name: str) -> None:
    engine = create_engine(wmh, engine=engine_name, device="cpu")
    first = engine.predict(make_input((1, 4, 64, 48), seed=1))
    kept = first.copy()
    engine.predict(make_input((1, 4, 64, 48), seed=2))
    np.testing.assert_array_equal(first, kept)


@pytest.mark.parametrize("engine_name", ENGINES)
def test_other_canvas_layouts_and_types_are_taken(wmh: Bundle, engine_name: str) -> None:
    engine = create_engine(wmh, engine=engine_name, device="cpu", threads=1)
    batch = make_input((2, 4, 96, 32), seed=5)
    expected = engine.predict(batch)
    strided = np.asfortranarray(batch.astype(np.float64))
    np.testing.assert_allclose(engine.predict(strided), expected, atol=1e-6)


@pytest.mark.parametrize("engine_name", ENGINES)
@pytest.mark.parametrize("shape", [(1, 3, 64, 48), (4, 64, 48), (0, 4, 64, 48), (1, 4, 16, 64, 48)])
def test_a_batch_of_wrong_shape_is_refused(wmh: Bundle, engine_name: str, shape: tuple[int, ...]) -> None:
    engine = create_engine(wmh, engine=engine_name, device="cpu")
    with pytest.raises(EngineError, match=r"Model wmh-acu takes a batch \(n, c, y, x\) with c = 4 .*got shape"):
        engine.predict(np.zeros(shape, np.float32))


@pytest.mark.parametrize("engine_name", ENGINES)
def test_odd_sizes_are_padded_with_the_edge_and_cut_back(wmh: Bundle, engine_name: str) -> None:
    engine = create_engine(wmh, engine=engine_name, device="cpu")
    batch = make_input((2, 4, 61, 33), seed=6)
    padded = np.pad(batch, [(0, 0), (0, 0), (0, 3), (0, 15)], mode="edge")
    logits = engine.predict(batch)
    assert logits.shape == (2, 1, 61, 33)
    np.testing.assert_allclose(logits, engine.predict(padded)[:, :, :61, :33], atol=1e-6)


@pytest.mark.parametrize("engine_name", ENGINES)
def test_a_canvas_that_does_not_fit_the_network_is_told(wmh: Bundle, engine_name: str) -> None:
    engine = create_engine(dataclasses.replace(wmh, divisors=(4, 4)), engine=engine_name, device="cpu")
    with pytest.raises(EngineError, match=r"failed on model wmh-acu with input shape .*lightseg doctor") as caught:
        engine.predict(np.zeros((1, 4, 60, 48), np.float32))
    assert "\n" not in str(caught.value)


def test_auto_takes_openvino_on_a_machine_without_gpu(wmh: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_pytorch_devices", lambda: ("cpu",))
    engine = create_engine(wmh)
    assert (engine.name, engine.device) == ("openvino", "cpu")
    assert engine.reason == "no usable GPU, OpenVINO is the fastest on the CPU"
    assert create_engine(wmh, device="cpu").reason == "the CPU was asked for, OpenVINO is the fastest on the CPU"


def test_auto_falls_back_to_pytorch_without_openvino(wmh: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_pytorch_devices", lambda: ("cpu",))
    monkeypatch.setattr(selection, "_import_problem", lambda engine: "broken" if engine == "openvino" else None)
    engine = create_engine(wmh)
    assert (engine.name, engine.device) == ("pytorch", "cpu")
    assert "OpenVINO does not load (broken)" in engine.reason


def test_auto_takes_a_gpu_that_passes_the_self_test(wmh: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = wmh.metadata["lightseg"]["self_test"]
    right = create_engine(wmh, engine="pytorch", device="cpu").predict(make_input(tuple(settings["shape"])))
    gpu = SimpleNamespace(
        name="pytorch", device="cuda", reason="PyTorch sees a cuda device", predict=lambda batch: right
    )
    monkeypatch.setattr(selection, "_pytorch_devices", lambda: ("cuda", "cpu"))
    monkeypatch.setattr(selection, "_pytorch", lambda bundle, device, threads, reason: gpu)
    assert create_engine(wmh) is gpu


def test_auto_refuses_a_gpu_with_wrong_numbers(wmh: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = wmh.metadata["lightseg"]["self_test"]
    wrong = 1.01 * create_engine(wmh, engine="pytorch", device="cpu").predict(make_input(tuple(settings["shape"])))
    gpu = SimpleNamespace(name="pytorch", device="cuda", reason="", predict=lambda batch: wrong)
    monkeypatch.setattr(selection, "_pytorch_devices", lambda: ("cuda", "cpu"))
    monkeypatch.setattr(selection, "_pytorch", lambda bundle, device, threads, reason: gpu)
    engine = create_engine(wmh)
    assert (engine.name, engine.device) == ("openvino", "cpu")
    assert "cuda was refused (Model wmh-acu gives wrong numbers on pytorch cuda" in engine.reason
    with pytest.raises(EngineError, match="they differ by 0.0098 of the largest logit, 0.0005 is allowed"):
        create_engine(wmh, device="cuda")


def test_an_absent_device_is_told(wmh: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_pytorch_devices", lambda: ("cpu",))
    with pytest.raises(EngineError, match="PyTorch sees no cuda device here, only cpu: use --device cpu"):
        create_engine(wmh, device="cuda")


def test_an_absent_package_names_the_extra(wmh: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_import_problem", lambda engine: "No module named 'torch'")
    with pytest.raises(MissingDependencyError, match=r"No module named 'torch'.*pip install lightseg\[pytorch\]"):
        create_engine(wmh, engine="pytorch")


def test_no_engine_at_all_is_told(wmh: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "_pytorch_devices", lambda: ())
    monkeypatch.setattr(selection, "_import_problem", lambda engine: "not there")
    with pytest.raises(MissingDependencyError, match=r"No inference engine is installed .*pip install openvino"):
        create_engine(wmh)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"engine": "tensorrt"}, "Unknown engine 'tensorrt'; known: auto, openvino, pytorch"),
        ({"device": "tpu"}, "Unknown device 'tpu'; known: auto, cpu, cuda, mps"),
        ({"engine": "openvino", "device": "cuda"}, "OpenVINO runs on the CPU only, not on cuda"),
        ({"threads": 0}, "number of threads must be 1 or more, got 0"),
    ],
)
def test_an_impossible_wish_is_told(wmh: Bundle, wish: dict, message: str) -> None:
    with pytest.raises(EngineError, match=message):
        create_engine(wmh, **wish)


def test_pytorch_halves_the_batch_when_memory_runs_out(wmh: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = create_engine(wmh, engine="pytorch", device="cpu")
    batch = make_input((11, 4, 64, 48))
    expected = engine.predict(batch)
    network, sizes = engine._network, []

    def small_memory(tensor):
        sizes.append(len(tensor))
        if len(tensor) > 3:
            raise RuntimeError("CUDA out of memory. Tried to allocate 20 MiB")
        return network(tensor)

    monkeypatch.setattr(engine, "_network", small_memory)
    np.testing.assert_allclose(engine.predict(batch), expected, atol=1e-5)
    assert sizes == [11, 5, 2, 2, 2, 2, 2, 1]


@pytest.mark.parametrize("message", ["CUDA out of memory.", "DefaultCPUAllocator: can't allocate memory"])
def test_pytorch_out_of_memory_for_one_item_is_told(wmh: Bundle, monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    engine = create_engine(wmh, engine="pytorch", device="cpu")

    def no_memory(tensor):
        raise RuntimeError(message)

    monkeypatch.setattr(engine, "_network", no_memory)
    with pytest.raises(EngineError, match="Not enough memory on cpu for model wmh-acu .*close other programs"):
        engine.predict(make_input((4, 4, 64, 48)))


def test_weights_that_do_not_fit_the_network_are_told(models: Path) -> None:
    path = models / "wmh-acu" / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    metadata["lightseg"]["network"]["arguments"]["in_channels"] = 3
    path.write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises(EngineError, match="model.safetensors does not fit network 'acu' of model wmh-acu"):
        create_engine(load_bundle("wmh-acu", root=models), engine="pytorch", device="cpu")


def test_a_bundle_without_self_test_is_told(models: Path) -> None:
    path = models / "wmh-acu" / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8"))
    del metadata["lightseg"]["self_test"]
    path.write_text(json.dumps(metadata), encoding="utf-8")
    bundle = load_bundle("wmh-acu", root=models)
    with pytest.raises(BundleError, match="wmh-acu in .* has no self-test: export the bundle again"):
        check_engine(bundle, create_engine(bundle, engine="openvino"))


def test_the_self_test_input_never_changes() -> None:
    # NumPy promises that RandomState's stream stays the same; the stored answers depend on it.
    np.testing.assert_allclose(make_input((1, 3)), [[1.7640524, 0.4001572, 0.978738]], rtol=1e-6)


def test_devices_of_this_machine_are_listed() -> None:
    devices = available_devices()
    assert devices["openvino"] == ("cpu",)
    assert "cpu" in devices["pytorch"]
