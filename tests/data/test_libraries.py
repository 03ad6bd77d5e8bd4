"""Versions of libraries, whole or slim."""

from importlib import metadata

import pytest
import xgboost

from ionsieve.data import libraries


def test_the_version_is_that_of_the_library() -> None:
    assert libraries.version_of("xgboost") == xgboost.__version__


def test_a_slim_package_stands_for_the_whole_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def slim_only(package: str) -> str:
        if package == "xgboost-cpu":
            return "3.2.0"
        raise metadata.PackageNotFoundError(package)

    monkeypatch.setattr(libraries, "version", slim_only)
    assert libraries.version_of("xgboost") == "3.2.0"
    with pytest.raises(metadata.PackageNotFoundError):
        libraries.version_of("scikit-learn")
