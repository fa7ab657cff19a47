"""An exported bundle is the network: folded, rounded once, and the same for both engines."""

import copy
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="export needs PyTorch: pip install lightseg[pytorch]")
pytest.importorskip("safetensors", reason="export needs safetensors: pip install lightseg[pytorch]")

from torch import nn  # noqa: E402

from LightSegLib.bundles import file_hash, load_bundle  # noqa: E402
from LightSegLib.engines.pytorch import load_network  # noqa: E402
from LightSegLib.errors import BundleError, EngineError, RecipeError  # noqa: E402
from LightSegLib.training.bundle_card import card_names, read_card  # noqa: E402
from LightSegLib.training.export import export_bundle  # noqa: E402
from LightSegLib.training.fold import fold_batch_norm, round_to_half  # noqa: E402

from .bundle_toys import TOYS, export_toy, trained_network  # noqa: E402


@pytest.mark.parametrize("name", sorted(TOYS))
def test_folding_does_not_change_the_answer(name: str) -> None:
    network, folded = trained_network(name), trained_network(name)
    assert fold_batch_norm(folded) == sum(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in network.modules())
    x = torch.randn(TOYS[name][1], generator=torch.Generator().manual_seed(5))
    with torch.inference_mode():
        expected, found = network(x), folded(x)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5


@pytest.mark.parametrize(
    ("convolution", "norm"),
    [
        (nn.Conv2d(4, 6, 3, groups=2), nn.BatchNorm2d(6)),
        (nn.Conv2d(4, 6, 3, bias=False), nn.BatchNorm2d(6, affine=False)),
        (nn.ConvTranspose2d(4, 6, 2, stride=2), nn.BatchNorm2d(6)),
        (nn.Conv3d(4, 6, 1), nn.BatchNorm3d(6)),
    ],
    ids=["grouped with bias", "no affine", "transposed", "3D"],
)
def test_every_kind_of_convolution_folds(convolution: nn.Module, norm: nn.Module) -> None:
    torch.manual_seed(2)
    network = nn.Sequential(convolution, norm)
    x = torch.randn(3, 4, *[8] * (convolution.weight.ndim - 2))
    for _ in range(5):
        network(2 * x + 3)
    network.eval()
    with torch.inference_mode():
        expected = network(x)
    assert fold_batch_norm(network) == 1
    with torch.inference_mode():
        torch.testing.assert_close(network(x), expected, atol=1e-5, rtol=1e-4)


def test_rounding_leaves_only_half_precision_numbers() -> None:
    network = trained_network("wmh-acu")
    round_to_half(network)
    for parameter in network.parameters():
        assert parameter.dtype == torch.float32
        assert torch.equal(parameter, parameter.half().float())


def test_the_scale_that_folding_leaves_is_one_and_stays_it() -> None:
    network = trained_network("wmh-acu")
    fold_batch_norm(network)
    round_to_half(network)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            assert torch.rsqrt(module.running_var + module.eps).sub(1).abs().max() < 1e-6


@pytest.mark.parametrize("value", [1e6, float("nan")])
def test_weights_beyond_half_precision_are_refused(value: float, tmp_path: Path) -> None:
    network_settings, shape = TOYS["wmh-acu"]
    network = trained_network("wmh-acu")
    network.head.weight.data[0, 0, 0, 0] = value
    with pytest.raises(BundleError, match="wmh-acu cannot be exported: weight head.weight is not finite or too large"):
        export_bundle(
            network,
            read_card("wmh-acu", network=network_settings),
            tmp_path / "wmh-acu",
            example_shape=shape,
            model_card="",
        )


def test_the_bundle_holds_the_networks_answer_within_half_precision(exported_models: Path) -> None:
    network = trained_network("wmh-acu")
    exported = load_network(load_bundle("wmh-acu", root=exported_models))
    x = torch.randn(TOYS["wmh-acu"][1], generator=torch.Generator().manual_seed(6))
    with torch.inference_mode():
        expected, found = network(x), exported(x)
    assert float((found - expected).abs().max() / expected.abs().max()) < 5e-3


def test_export_does_not_change_the_network_or_the_metadata(tmp_path: Path) -> None:
    network_settings, shape = TOYS["brain-pocket"]
    network = trained_network("brain-pocket").train()
    before = copy.deepcopy(network.state_dict())
    metadata = read_card("brain-pocket", network=network_settings)
    export_bundle(network, metadata, tmp_path / "brain-pocket", example_shape=shape, model_card="")
    assert network.training
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())
    assert metadata == read_card("brain-pocket", network=network_settings)


def test_export_is_reproducible_and_replaces_the_old_bundle(exported_models: Path, tmp_path: Path) -> None:
    folder = tmp_path / "brain-pocket"
    folder.mkdir()
    (folder / "stale.txt").write_text("from an older export")
    bundle = export_toy("brain-pocket", folder)
    assert bundle.hashes == load_bundle("brain-pocket", root=exported_models).hashes
    assert not (folder / "stale.txt").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["brain-pocket"]


def test_everyone_may_read_the_files(exported_models: Path) -> None:
    for path in exported_models.glob("*/*"):
        assert path.stat().st_mode & 0o044 == 0o044, path


def test_every_file_has_its_hash(exported_models: Path) -> None:
    folder = exported_models / "wmh-acu"
    hashes = json.loads((folder / "metadata.json").read_text(encoding="utf-8"))["lightseg"]["files"]
    found = {path.name: file_hash(path) for path in folder.iterdir() if path.name != "metadata.json"}
    assert hashes == found


def test_metadata_of_another_network_leave_the_old_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "brain-pocket"
    folder.mkdir()
    (folder / "old.txt").write_text("an older export")
    wrong = read_card("brain-pocket", network={"name": "pocket_unet", "arguments": {"width": 8, "depth": 1}})
    with pytest.raises(EngineError, match="does not fit network 'pocket_unet'"):
        export_bundle(
            trained_network("brain-pocket"), wrong, folder, example_shape=TOYS["brain-pocket"][1], model_card=""
        )
    assert [path.name for path in tmp_path.rglob("*.txt")] == ["old.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["brain-pocket"]


def test_weights_are_half_precision_without_pickle(exported_models: Path) -> None:
    from safetensors.numpy import load_file

    arrays = load_file(exported_models / "wmh-acu" / "model.safetensors")
    weights = {name for name, _ in trained_network("wmh-acu").named_parameters()}
    assert weights < set(arrays)
    assert {arrays[name].dtype for name in weights} == {np.dtype(np.float16)}


@pytest.mark.parametrize("name", card_names())
def test_a_card_is_named_like_its_bundle_and_prepares_its_inputs(name: str) -> None:
    from LightSegLib.preprocess import build_preprocessor

    card = read_card(name, network={"name": "acu", "arguments": {}})
    assert card["name"] == name
    section = card["lightseg"]
    build_preprocessor(section["preprocessing"], [channel["name"] for channel in section["inputs"]])


def test_an_unknown_card_lists_the_known_ones() -> None:
    with pytest.raises(
        RecipeError,
        match=r"No bundle card 'liver' .*known cards: brain-pocket, liver-acu, liver-finder, liver-lowrank, "
        "liver-pocket, liver-sat, tumor-acu, ",
    ):
        read_card("liver", network={"name": "acu", "arguments": {}})


def test_a_malformed_card_is_named(tmp_path: Path) -> None:
    path = tmp_path / "card.toml"
    path.write_text("name = ")
    with pytest.raises(RecipeError, match=r"card\.toml is malformed"):
        read_card("card", network={"name": "acu", "arguments": {}}, path=path)
