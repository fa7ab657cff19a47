"""Fixtures of the packaging tests that need more than Testing/conftest.py."""

import subprocess
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tracked_files(repository: Path) -> frozenset[str]:
    """The names of all files that git tracks; what is staged counts."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True)
    if listing.returncode != 0:
        pytest.skip("no git checkout to compare with")
    return frozenset(name for name in listing.stdout.split("\0") if name)
