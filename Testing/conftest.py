"""Fixtures that every test may use; imports only what each of the test environments has."""

from pathlib import Path

import numpy as np
import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def repository() -> Path:
    """The repository's root folder."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real cases beside the repository; tests that need it are skipped where it is absent."""
    folder = REPOSITORY.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("real cases are absent: no folder ../shared/data beside the repository")
    return folder


@pytest.fixture
def rng() -> np.random.Generator:
    """A random generator that starts the same in every test."""
    return np.random.default_rng(20240229)
