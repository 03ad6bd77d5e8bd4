"""Versions of installed libraries, for caches, cards and run descriptions."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

SLIM: Final[dict[str, str]] = {"xgboost": "xgboost-cpu"}
"""Package → the one that holds the same library without what graphics cards need."""


def version_of(package: str) -> str:
    """Version of an installed package; of its slim form where that is installed in its place.

    Raises
    ------
    PackageNotFoundError
        If neither is installed.
    """
    try:
        return version(package)
    except PackageNotFoundError:
        if package not in SLIM:
            raise
        return version(SLIM[package])
