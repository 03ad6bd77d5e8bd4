"""Shared fixtures."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# The same examples on every run and machine; a loaded machine is no failure.
settings.register_profile("ionsieve", derandomize=True, deadline=None)
settings.load_profile("ionsieve")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of reference data beside the checkout; tests that need it skip where it is absent."""
    given = os.environ.get("IONSIEVE_TEST_DATA")
    folder = Path(given) if given else Path(__file__).parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("reference data absent: set IONSIEVE_TEST_DATA to its folder")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _one_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """One cache of models and descriptors for all tests, and for all processes that run them."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / "cache"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IONSIEVE_CACHE", str(folder))
        yield
