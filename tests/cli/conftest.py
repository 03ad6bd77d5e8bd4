"""One model cache for all commands under test: the embedded table is trained on once."""

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _model_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IONSIEVE_CACHE", str(tmp_path_factory.mktemp("models")))
        yield
