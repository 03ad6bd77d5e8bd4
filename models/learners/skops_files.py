"""Scikit-learn learners as files that cannot run code when read."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Any, Final

from ...data.errors import ModelError
from .archive_checks import check_archive
from .forest_checks import check_forest
from .gaussian_process import BoundedGaussianProcess
from .trees import BoundedExtraTrees

ALLOWED_TYPES: Final[frozenset[str]] = frozenset(
    {
        "ionsieve.models.learners.trees.BoundedExtraTrees",
        "ionsieve.models.learners.filling.Filling",
        "ionsieve.models.learners.forest.Forest",
        "ionsieve.models.learners.gaussian_process.BoundedGaussianProcess",
        "numpy.dtype",
    }
)
"""Types beyond skops' own defaults that a learner file may hold. Compiled code trusts the node
table of a ``Forest``, so :func:`read_learner` checks every node before a tree is asked."""


def write_learner(learner: Any) -> bytes:
    """A fitted learner as a skops archive; equal learners give equal bytes."""
    import skops.io

    return _canonical_skops(skops.io.dumps(learner))


def read_learner(content: bytes, name: str, expected: type) -> Any:
    """Read a learner file from a stranger: unknown types are refused before anything is built.

    Raises
    ------
    ModelError
        If it is no skops file, holds a type that is not allowed, or not the expected learner.
    """
    import skops.io

    check_archive(content, name)
    try:
        untrusted = skops.io.get_untrusted_types(data=content)
    except Exception as error:  # skops passes on what zipfile, json and its own nodes raise
        raise ModelError(f"{name} is not a skops file ({type(error).__name__})") from error
    unknown = sorted(set(untrusted) - ALLOWED_TYPES)
    if unknown:
        raise ModelError(f"{name} holds the type {unknown[0]}, which is not allowed; not loaded")
    try:
        learner = skops.io.loads(content, trusted=sorted(ALLOWED_TYPES))
    except Exception as error:  # a damaged array inside the archive
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(f"{name} is damaged ({reason[:200]})") from error
    if not isinstance(learner, expected):
        raise ModelError(f"{name} holds a {type(learner).__name__}, not a {expected.__name__}")
    if isinstance(learner, BoundedExtraTrees):
        check_forest(learner, name)
    if isinstance(learner, BoundedGaussianProcess):
        _check_process(learner, name)
    return learner


def _check_process(learner: BoundedGaussianProcess, name: str) -> None:
    """Compiled code trusts that the columns exist."""
    try:
        fits = learner.filling_.fits(learner.n_features_in_)
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelError(f"{name} is damaged ({error}); not loaded") from None
    if not fits:
        raise ModelError(f"{name} uses features that it does not have; not loaded")


def _canonical_skops(content: bytes) -> bytes:
    """The same archive without memory addresses and time stamps: equal models give equal bytes.

    skops names arrays and marks shared objects by their address; here they are numbered instead.
    """
    with zipfile.ZipFile(io.BytesIO(content)) as source:
        schema = source.read("schema.json").decode()
        members = {name: source.read(name) for name in source.namelist()}
    number: dict[str, str] = {}
    pattern = re.compile(r'(?<="__id__": )\d+|(?<=")\d+(?=\.npy")')
    schema = pattern.sub(lambda m: number.setdefault(m[0], str(len(number))), schema)
    members["schema.json"] = schema.encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name, data in sorted((_renumbered(n, number), d) for n, d in members.items()):
            entry = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, data)
    return buffer.getvalue()


def _renumbered(name: str, number: dict[str, str]) -> str:
    stem, dot, suffix = name.partition(".")
    return number.get(stem, stem) + dot + suffix
