"""The resources are found in the source tree, in Slicer's install tree and in a wheel."""

from pathlib import Path

import pytest

from LightSegLib import resources
from LightSegLib.errors import BundleError


def test_the_source_tree_has_the_resources_beside_the_library(repository: Path) -> None:
    assert resources.resources_root() == repository / "Resources"
    assert resources.models_root() == repository / "Resources" / "Models"


@pytest.mark.parametrize("place", ["LightSegLib/Resources", "Resources"], ids=["wheel", "slicer"])
def test_installed_resources_are_found(place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / place / "Models").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "LightSegLib")
    assert resources.resources_root() == tmp_path / place


def test_the_wheels_own_resources_win_over_a_strangers_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "LightSegLib" / "Resources" / "Models").mkdir(parents=True)
    (tmp_path / "Resources" / "Models").mkdir(parents=True)
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "LightSegLib")
    assert resources.resources_root() == tmp_path / "LightSegLib" / "Resources"


def test_missing_resources_say_to_reinstall(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "_PACKAGE", tmp_path / "LightSegLib")
    with pytest.raises(BundleError, match="No folder Resources/Models in or beside .*: reinstall LightSeg"):
        resources.resources_root()
