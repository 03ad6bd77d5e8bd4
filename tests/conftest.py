"""Shared fixtures."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of reference data beside the checkout; tests that need it skip where it is absent."""
    given = os.environ.get("IONSIEVE_TEST_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("reference data absent: set IONSIEVE_TEST_DATA to its folder")
    return folder
