"""Write files so that a reader sees the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import io
import json
import os
import shutil
import stat
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from .csv_text import safe_cell
from .errors import InputError


@contextlib.contextmanager
def open_atomic(path: str | Path) -> Iterator[IO[bytes]]:
    """A stream whose content replaces ``path`` when the block ends well, and is gone otherwise.

    Written to a temporary file beside ``path``, fsync, rename, fsync of the folder.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".tmp", dir=target.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        # mkstemp makes files private; results are meant to be read like any other file.
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    _fsync_folder(target.parent)


def write_bytes_atomic(path: str | Path, content: bytes) -> None:
    """Write to a temporary file beside ``path``, fsync, rename, fsync the folder."""
    with open_atomic(path) as stream:
        stream.write(content)


def write_rows_atomic(path: str | Path, rows: Iterable[Sequence[object]]) -> None:
    """As :func:`write_bytes_atomic`, a CSV row by row: memory holds one."""
    with open_atomic(path) as stream:
        text = io.TextIOWrapper(stream, encoding="utf-8", newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([safe_cell(cell) for cell in row] for row in rows)
        text.flush()
        text.detach()


def write_text_atomic(path: str | Path, content: str) -> None:
    """As :func:`write_bytes_atomic`, for UTF-8 text with Unix line ends."""
    write_bytes_atomic(path, content.encode("utf-8"))


def write_json_atomic(path: str | Path, content: Any) -> None:
    """As :func:`write_text_atomic`, as JSON with sorted keys: equal content gives equal bytes."""
    write_text_atomic(path, json.dumps(content, indent=2, sort_keys=True, allow_nan=False) + "\n")


@contextlib.contextmanager
def only_writer(lock: Path) -> Iterator[None]:
    """Hold a lock file; the system frees it when the process ends, however it ends.

    Raises
    ------
    InputError
        If another process holds it, or a link stands in its place.
    """
    busy = InputError(f"{lock.parent}: another process is writing this part")
    descriptor = _open_lock(lock)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise busy from None
        # Between opening and locking, the holder before may have removed the file.
        if not lock.exists() or lock.stat().st_ino != os.fstat(descriptor).st_ino:
            raise busy
        try:
            yield
        finally:
            lock.unlink(missing_ok=True)
    finally:
        os.close(descriptor)


def _open_lock(path: Path) -> int:
    """Open a lock file, made where it is absent; what a link points to is left alone.

    Raises
    ------
    InputError
        If there is a link, or something else than a file.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(path, flags, 0o666)
    except OSError as error:
        if error.errno == errno.ELOOP or path.is_symlink():
            raise InputError(f"{path}: a link in the place of a lock; remove it") from None
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise InputError(f"{path}: no file, but a lock is needed there; remove it")
    return descriptor


@contextlib.contextmanager
def replaced_folder(target: Path) -> Iterator[Path]:
    """A new folder that takes the place of ``target`` when the block ends well.

    A block that fails, or a process that dies, leaves the old folder as it was; one writer at a
    time. Files of the old folder that the new one does not have are not carried over.

    Parameters
    ----------
    target : Path
        A folder, or nothing yet.

    Yields
    ------
    Path
        The new folder, empty, beside the old one.

    Raises
    ------
    InputError
        If another process writes the same folder, or a file stands there.
    """
    if target.exists() and not target.is_dir():
        raise InputError(f"{target}: is a file; give a folder")
    target = target.resolve()
    target.parent.mkdir(parents=True, exist_ok=True)
    new, old = (target.with_name(f".{target.name}.{word}.tmp") for word in ("new", "old"))
    with only_writer(target.with_name(f".{target.name}.lock")):
        if old.exists() and not target.exists():
            old.rename(target)  # a process died between the two renames below
        for left in (new, old):
            shutil.rmtree(left, ignore_errors=True)
        new.mkdir()
        try:
            yield new
            _fsync_folder(new)
            if target.exists():
                target.rename(old)
            new.rename(target)
            _fsync_folder(target.parent)
        finally:
            for left in (new, old):
                shutil.rmtree(left, ignore_errors=True)


def remove_leftovers(folder: Path) -> None:
    """Remove temporary files of :func:`write_bytes_atomic` that a killed process left."""
    for path in folder.glob(".*.tmp"):
        path.unlink(missing_ok=True)


def _fsync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def file_lock(path: Path, wait: bool) -> Iterator[bool]:
    """Lock a file for as long as this process lives at most; True if the lock was had.

    The system frees the lock when the process dies, however it dies: nothing is left to clean up.
    """
    descriptor = _open_lock(path)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            yield False
            return
        yield True
    finally:
        # Closing frees the lock, also when the body raised.
        with contextlib.suppress(OSError):
            os.close(descriptor)
