"""Fixtures of the unit tests that need more than Testing/conftest.py."""

import shutil
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def exported_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small bundles, one of each card; not to be changed."""
    for package in ("torch", "safetensors", "openvino"):
        pytest.importorskip(package, reason=f"bundles are exported with {package}: pip install lightseg[pytorch]")
    from .bundle_toys import TOYS, export_toy

    root = tmp_path_factory.mktemp("exported") / "Models"
    for name in TOYS:
        export_toy(name, root / name)
    return root


@pytest.fixture
def models(exported_models: Path, tmp_path: Path) -> Path:
    """A copy of the folder of small bundles, to be damaged at will."""
    return Path(shutil.copytree(exported_models, tmp_path / "Models"))
