"""The child's side of isolated workers: what runs in the process that may hang or die."""

from __future__ import annotations

import contextlib
import os
import signal
import warnings
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any, Final, Protocol

from .usage import own_usage

READY: Final[str] = "ready"
"""What a worker says once it is warm; anything else is why it cannot start."""


class WorkerJob(Protocol):
    """What workers run: picklable, deterministic, and free of state between items.

    Its class stands in a module that a worker can import, not in the user's script.
    """

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules imported once, before workers are forked."""

    def warm_up(self) -> None:
        """Load and compile everything, so that no item pays for it."""

    def __call__(self, item: Any) -> Any:
        """Result for one item; must pickle."""


@dataclass(frozen=True)
class Limits:
    """What one item may cost: time (s) and memory (10⁹ bytes)."""

    timeout_s: float
    memory_GB: float


def work(connection: Connection, job: WorkerJob, limits: Limits) -> None:
    """Run a worker until its parent closes the pipe.

    Parameters
    ----------
    connection : Connection
        Items come as lists; for each goes back (result, failure, usage).
    job : WorkerJob
    limits : Limits
    """
    settle_child()
    try:
        job.warm_up()
        limit_memory(limits.memory_GB)
    except Exception as error:
        connection.send(described(error))
        return
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(READY)
        while True:
            for item in connection.recv():
                # If the parent is gone, nobody ends a worker that hangs: the alarm does.
                _alarm(2 * limits.timeout_s + 60)
                outcome = _attempt(job, item, limits)
                _alarm(0)
                connection.send((*outcome, own_usage()))


def _attempt(job: WorkerJob, item: Any, limits: Limits) -> tuple[Any, str]:
    try:
        return job(item), ""
    except MemoryError:
        return None, f"memory: needs more than {limits.memory_GB:g} GB"
    except Exception as error:
        return None, described(error)


def described(error: Exception) -> str:
    """An error in one line, with its type."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def settle_child() -> None:
    """Leave interrupts to the parent, keep libraries from writing into its standard output."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.dup2(2, 1)
    warnings.simplefilter("ignore")
    # When memory runs out the kernel shall choose a worker, whose loss is repaired.
    with contextlib.suppress(OSError), open("/proc/self/oom_score_adj", "w") as file:  # noqa: PTH123
        file.write("1000")


def limit_memory(memory_GB: float) -> None:
    """Let allocations beyond this many 10⁹ bytes fail in this process, where the system can."""
    try:
        import resource
    except ImportError:
        return
    wanted = int(memory_GB * 1e9)
    # A limit of the system or of the scheduler that is lower stays.
    _, hard = resource.getrlimit(resource.RLIMIT_DATA)
    if hard == resource.RLIM_INFINITY or wanted < hard:
        resource.setrlimit(resource.RLIMIT_DATA, (wanted, hard))


def _alarm(seconds: float) -> None:
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
