"""A skops file of a stranger: sizes are looked at before anything is unpacked.

A file of a few kilobytes may unpack to gigabytes, and an array may announce more than it holds;
both are refused from the table of contents and the headers alone.
"""

from __future__ import annotations

import io
import math
import re
import zipfile
from typing import Any, Final

import numpy as np

from ...data.errors import ModelError

MAX_DESCRIPTION_BYTES: Final = 1_000_000
"""Of the description of a learner, which takes some kilobytes: trees are arrays."""
MAX_ARRAYS_BYTES: Final = 400_000_000
_HEADER_BYTES: Final = 1024
_DESCRIPTION: Final = "schema.json"
_ARRAY: Final = re.compile(r"\d{1,20}\.npy")


def check_archive(content: bytes, name: str) -> None:
    """Look at a learner file before skops reads it.

    Parameters
    ----------
    content : bytes
    name : str
        Of the file, for messages.

    Raises
    ------
    ModelError
        If it is no archive of one description and arrays, or holds more than a learner needs.
    """
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            _check_members(archive, archive.infolist())
    except ModelError as error:
        raise ModelError(f"{name} is damaged ({error}); not loaded") from None
    except Exception as error:  # zipfile and NumPy pass on what they meet
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        raise ModelError(f"{name} is not a skops file ({reason[:200]})") from error


def _check_members(archive: zipfile.ZipFile, members: list[zipfile.ZipInfo]) -> None:
    names = [member.filename for member in members]
    if len(set(names)) < len(names) or _DESCRIPTION not in names:
        raise ModelError(f"not one {_DESCRIPTION} and arrays")
    total = 0
    for member in members:
        if member.filename == _DESCRIPTION:
            if member.file_size > MAX_DESCRIPTION_BYTES:
                raise ModelError(f"{_DESCRIPTION} unpacks to {member.file_size / 1e6:,.0f} MB")
            continue
        if not _ARRAY.fullmatch(member.filename):
            raise ModelError(f"it holds {member.filename[:60]!r}, which is no array")
        total += member.file_size
        if total > MAX_ARRAYS_BYTES:
            raise ModelError(f"its arrays unpack to more than {MAX_ARRAYS_BYTES / 1e6:,.0f} MB")
        _check_array(archive, member)


def _check_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> None:
    """The array announces as many numbers as there are, and no Python objects."""
    with archive.open(member) as stream:
        head = io.BytesIO(stream.read(_HEADER_BYTES))
    shape, dtype = _header(head)
    needed = head.tell() + math.prod(shape) * dtype.itemsize
    if dtype.hasobject or min(shape, default=0) < 0 or needed != member.file_size:
        raise ModelError(f"{member.filename} announces {dtype.str} {shape}, which it does not hold")


def _header(head: io.BytesIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
    version = np.lib.format.read_magic(head)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }.get(version)
    if read is None:
        raise ModelError(f"an array of version {version}")
    shape, _, dtype = read(head)
    return shape, dtype
