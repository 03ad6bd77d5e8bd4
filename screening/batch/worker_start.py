"""How worker processes start: from a clean server, without the user's script, on one thread."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import threading
import types
from collections.abc import Iterator, Sequence
from typing import Any, Final

ONE_THREAD: Final[tuple[str, ...]] = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Set to 1 for workers: the processes are the parallelism, and sums keep one order."""


def server_context(preload: Sequence[str]) -> Any:
    """Fork from a clean server where the system can: replacements then start at once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(preload))
    return context


def _forget_inherited_server() -> None:
    """Let a fork of this process start a fork server of its own.

    ``multiprocessing`` keeps the server's process number over a fork, and waits for it: in the
    forked process, whose child it is not, no worker could start ("No child processes").
    """
    forkserver = sys.modules.get("multiprocessing.forkserver")
    server: Any = getattr(forkserver, "_forkserver", None)
    if server is None or server._forkserver_pid is None:
        return
    # Our copy of the pipe would keep the other process's server alive after its end.
    with contextlib.suppress(OSError):
        os.close(server._forkserver_alive_fd)
    server._forkserver_pid = server._forkserver_alive_fd = server._forkserver_address = None


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited_server)


_HIDING_MAIN = threading.Lock()


@contextlib.contextmanager
def no_main_module() -> Iterator[None]:
    """Start processes that do not run the user's script again.

    ``multiprocessing`` makes every child import the file of ``__main__``, so that a script without
    a main guard would start workers that start workers. A job comes from a module that can be
    imported by its name; nothing of the script is needed.
    """
    with _HIDING_MAIN:
        script = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = script


@contextlib.contextmanager
def environment_of_children() -> Iterator[None]:
    """One thread each, and the modules that this process uses.

    The fork server of Python 3.11 does not get ``sys.path``: without it, it may preload another
    copy of a package than the one running here.
    """
    path = os.pathsep.join(entry for entry in sys.path if entry)
    wanted = {**dict.fromkeys(ONE_THREAD, "1"), "PYTHONPATH": path}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
