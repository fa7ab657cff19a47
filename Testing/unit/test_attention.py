"""Attention maps of gated skip connections: values, sizes, order, and the command that writes them."""

from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

torch = pytest.importorskip("torch", reason="networks need PyTorch: pip install lightseg[pytorch]")

from LightSegLib.attention import attention_maps, gate_maps  # noqa: E402
from LightSegLib.bundles import Bundle  # noqa: E402
from LightSegLib.cli.main import main  # noqa: E402
from LightSegLib.errors import BundleError  # noqa: E402
from LightSegLib.networks import build_network  # noqa: E402
from LightSegLib.training.bundle_card import read_card  # noqa: E402
from LightSegLib.training.export import export_bundle  # noqa: E402

from .ct_toys import make_ct  # noqa: E402

SETTINGS = {"in_channels": 3, "out_channels": 1, "dimensions": 2, "width": 4, "depth": 2}


def toy(folder: Path, name: str, arguments: dict) -> Bundle:
    torch.manual_seed(0)
    card = read_card("liver-pocket", network={"name": name, "arguments": arguments})
    del card["lightseg"]["preprocessing"]["box"]  # all of the scan
    network = build_network(name, **arguments).eval()
    return export_bundle(network, card, folder, example_shape=(2, 3, 144, 160), model_card="Toy.\n")


@pytest.fixture(scope="module")
def gated(tmp_path_factory) -> Bundle:
    return toy(tmp_path_factory.mktemp("models") / "gated", "sat_unet", SETTINGS)


@pytest.mark.parametrize("dimensions", [2, 3])
def test_each_gate_gives_a_map_finest_first(dimensions: int) -> None:
    torch.manual_seed(1)
    network = build_network("sat_unet", **{**SETTINGS, "dimensions": dimensions}).eval()
    shape = (2, 3, 16, 32, 24)[: dimensions + 2]
    batch = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    maps = gate_maps(network, batch)
    assert maps.shape == (2, 2, *shape[2:]) and maps.dtype == np.float32
    with torch.inference_mode():
        finest = network.gates[0](network.encoders[0](torch.from_numpy(batch)))
    assert np.allclose(maps[:, :1], finest.numpy(), atol=1e-6)
    assert 0 <= maps.min() < maps.max() <= 1


def test_maps_have_the_grid_of_the_input(gated: Bundle) -> None:
    image, _ = make_ct(size=(40, 36, 20), spacing=(4.5, 4.8, 6.0))
    image = sitk.DICOMOrient(image, "RAS")
    maps = attention_maps(gated, {"CT": image})
    assert len(maps) == 2
    for one in maps:
        assert one.GetSize() == image.GetSize() and one.GetDirection() == image.GetDirection()
        assert 0 <= sitk.GetArrayViewFromImage(one).min() <= sitk.GetArrayViewFromImage(one).max() <= 1


def test_a_model_without_gates_is_refused(tmp_path: Path) -> None:
    plain = toy(tmp_path / "plain", "pocket_unet", SETTINGS)
    with pytest.raises(BundleError, match=r"liver-pocket \(pocket_unet\) has no gates that attend"):
        attention_maps(plain, {"CT": make_ct()[0]})


def test_the_command_writes_a_file_a_gate(gated: Bundle, tmp_path: Path, capsys) -> None:
    sitk.WriteImage(make_ct(size=(40, 36, 20), spacing=(4.5, 4.8, 6.0))[0], str(tmp_path / "ct.nii.gz"))
    command = ["attention", "--model", str(gated.folder), "--input", f"CT={tmp_path / 'ct.nii.gz'}"]
    assert main([*command, "--output", str(tmp_path / "maps")]) == 0
    assert sorted(path.name for path in (tmp_path / "maps").iterdir()) == ["attention_1.nii.gz", "attention_2.nii.gz"]
    assert "attention_2.nii.gz" in capsys.readouterr().out
    assert main(["attention", "--model", str(gated.folder), "--input", "MR=x.nii.gz", "--output", str(tmp_path)]) == 2
