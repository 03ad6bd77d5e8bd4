"""Learner files that unpack to more than they should."""

import io
import zipfile

import numpy as np
import pytest

from ionsieve.data import ModelError
from ionsieve.models.learners.archive_checks import check_archive


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as writer:
        for name, content in members.items():
            writer.writestr(name.replace("__", "."), content)
    return buffer.getvalue()


def array(numbers: object, **options: bool) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(numbers, dtype=object if options else None), **options)
    return buffer.getvalue()


def announced(shape: tuple[int, ...], dtype: str) -> bytes:
    buffer = io.BytesIO()
    header = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(buffer, header)
    return buffer.getvalue() + b"\0" * 16


def test_description_and_arrays_pass() -> None:
    check_archive(archive(schema__json=b"{}", **{"0__npy": array([1.0, 2.0])}), "x")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"PK no archive", "not a skops file"),
        (archive(other=b""), "not one schema.json"),
        (archive(schema__json=b" " * 50_000_000), "unpacks to 50 MB"),
        (archive(schema__json=b"{}", **{"0__npy": b"\0" * 401_000_000}), "more than 400 MB"),
        (archive(schema__json=b"{}", **{"../evil": b"1"}), "which is no array"),
        (
            archive(schema__json=b"{}", **{"0__npy": announced((10**12,), "<f8")}),
            "which it does not hold",
        ),
        (
            archive(schema__json=b"{}", **{"0__npy": announced((-1, -16), "|u1")}),
            "which it does not hold",
        ),
        (
            archive(schema__json=b"{}", **{"0__npy": array(["a"], allow_pickle=True)}),
            "which it does not hold",
        ),
    ],
)
def test_refused_unread(content: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        check_archive(content, "extra_trees.skops")
