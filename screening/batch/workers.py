"""Isolated workers: persistent processes that may hang or die and take nothing with them.

``concurrent.futures`` breaks the whole pool when one process dies and cannot stop a call that
hangs. Here every worker has its own pipe, the parent knows which item each one holds, kills a
worker that is late, replaces one that died, and hands out again what it still held.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
import types
import warnings
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Connection, wait
from typing import Any, Final, Protocol

from ...data.errors import FeatureError
from .usage import ENDED_WORKERS, Usage, own_usage

START_TIMEOUT_S: Final[float] = 900.0
"""Imports and a first compilation of kernels on a loaded machine; then something is broken."""

MEMORY_GB: Final[float] = 4.0
"""Most that a worker may allocate; what needs more is a defect of the input, not of the machine."""

ONE_THREAD: Final[tuple[str, ...]] = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
)
"""Set to 1 for workers: the processes are the parallelism, and sums keep one order."""

_MAX_CHUNK = 64
_ATTEMPTS = 2
_READY = "ready"


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
class ItemOutcome:
    """What became of one item: a result, or the reason why there is none."""

    index: int
    result: Any
    failure: str = ""


def run_isolated(
    job: WorkerJob,
    items: Iterable[tuple[int, Any] | None],
    workers: int,
    timeout_s: float,
    memory_GB: float = MEMORY_GB,
) -> Generator[ItemOutcome, None, None]:
    """Run a job over items in separate processes; one outcome per item, in order of completion.

    Parameters
    ----------
    job : WorkerJob
        Sent to each worker once.
    items : iterable of (index, item) or None
        Read lazily, no further ahead than the workers need. None: what comes next depends on an
        outcome that is still to come.
    workers : int
        Number of processes, at least 1.
    timeout_s : float
        Longest time for one item, s.
    memory_GB : float
        Most that a worker may allocate, 10⁹ bytes (where the system can limit it: not on Windows).

    Raises
    ------
    FeatureError
        If workers cannot start. An item that hangs or kills its worker is an outcome, no error;
        one that kills its worker is tried once more in a fresh one first, because memory may have
        run out through others.
    """
    crew = _Crew(job, iter(items), workers, _Limits(timeout_s, memory_GB))
    try:
        yield from crew.run()
    finally:
        crew.stop()


@dataclass(frozen=True)
class _Limits:
    """What one item may cost."""

    timeout_s: float
    memory_GB: float


class _Crew:
    """The parent's side: who holds what, and until when."""

    def __init__(
        self, job: WorkerJob, items: Iterator[tuple[int, Any] | None], workers: int, limits: _Limits
    ) -> None:
        self.job, self.items, self.n_workers, self.limits = job, items, workers, limits
        self.timeout_s = limits.timeout_s
        self.returned: deque[tuple[int, Any]] = deque()
        self.attempts: dict[int, int] = {}
        self.workers: list[_Worker] = []
        self.failed_starts = 0

    def run(self) -> Iterator[ItemOutcome]:
        with _environment_of_children():
            while True:
                self._hand_out()
                busy = [worker for worker in self.workers if worker.held]
                if not busy:
                    return
                yield from self._collect(busy)

    def stop(self) -> None:
        for worker in self.workers:
            worker.kill()

    def _hand_out(self) -> None:
        for worker in self.workers:
            if not worker.held:
                self._give(worker)
        while len(self.workers) < self.n_workers:
            # A worker is started only for work that exists.
            first = self._take(1)
            if not first:
                return
            self.workers.append(_Worker(self.job, self.limits))
            self.workers[-1].held.extend(first)

    def _give(self, worker: _Worker) -> None:
        chunk = self._take(worker.chunk)
        if chunk:
            worker.held.extend(chunk)
            worker.send(self.timeout_s)

    def _take(self, count: int) -> list[tuple[int, Any]]:
        # What killed a worker before goes alone, so that it can take nothing with it.
        if self.returned:
            return [self.returned.popleft()]
        taken: list[tuple[int, Any]] = []
        while len(taken) < count:
            entry = next(self.items, None)
            if entry is None:
                break
            taken.append(entry)
        return taken

    def _collect(self, busy: list[_Worker]) -> Iterator[ItemOutcome]:
        patience = max(0.0, min(worker.deadline for worker in busy) - time.monotonic())
        readable = set(wait([worker.connection for worker in busy], patience))
        for worker in busy:
            if worker.connection in readable:
                yield from self._receive(worker)
            elif time.monotonic() > worker.deadline and not worker.connection.poll():
                yield from self._give_up(worker)

    def _receive(self, worker: _Worker) -> Iterator[ItemOutcome]:
        try:
            message = worker.connection.recv()
        except (EOFError, OSError):
            yield from self._bury(worker)
            return
        if not worker.is_ready:
            self._started(worker, message)
            return
        result, failure, worker.usage = message
        yield ItemOutcome(worker.done(self.timeout_s), result, failure)

    def _started(self, worker: _Worker, message: str) -> None:
        if message != _READY:
            raise FeatureError(f"a worker cannot start: {message}")
        self.failed_starts = 0
        worker.is_ready = True
        worker.send(self.timeout_s)

    def _give_up(self, worker: _Worker) -> Iterator[ItemOutcome]:
        """End a worker that is late; its item has failed, the rest goes back."""
        if not worker.is_ready:
            raise FeatureError(f"a worker did not start within {START_TIMEOUT_S:g} s")
        index, _ = worker.held.popleft()
        self._replace(worker)
        yield ItemOutcome(index, None, f"timeout: no result within {self.timeout_s:g} s")

    def _bury(self, worker: _Worker) -> Iterator[ItemOutcome]:
        """A worker died; its item gets a second chance in a fresh one, the rest goes back."""
        cause = worker.cause_of_death()
        if not worker.is_ready:
            self.failed_starts += 1
            if self.failed_starts > 2:
                raise FeatureError(f"workers cannot start: {cause} three times in a row")
            self._replace(worker)
            return
        index, item = worker.held.popleft()
        self._replace(worker)
        self.attempts[index] = self.attempts.get(index, 0) + 1
        if self.attempts[index] < _ATTEMPTS:
            self.returned.append((index, item))
        else:
            yield ItemOutcome(index, None, f"crash: {cause}, {_ATTEMPTS} times")

    def _replace(self, worker: _Worker) -> None:
        worker.kill()
        self.workers.remove(worker)
        self.returned.extend(worker.held)


class _Worker:
    """One process, its pipe and what it holds; the first item held is the one it works on."""

    def __init__(self, job: WorkerJob, limits: _Limits) -> None:
        context = _context(job)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=_work, args=(theirs, job, limits), daemon=True)
        with _no_main_module():
            self.process.start()
        # Only the worker may hold its end: its death is then an end of file here.
        theirs.close()
        self.held: deque[tuple[int, Any]] = deque()
        self.is_ready = False
        self.usage = Usage()
        self.chunk = 1
        self.given = time.monotonic()
        self.deadline = self.given + START_TIMEOUT_S

    def send(self, timeout_s: float) -> None:
        """Send what is held to an idle worker: it is reading, so this cannot block."""
        self.given = time.monotonic()
        self.deadline = self.given + timeout_s
        # A worker that died while idle shows as an end of file at the next reading.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.connection.send([item for _, item in self.held])

    def done(self, timeout_s: float) -> int:
        """Take note of a result; return the index it belongs to."""
        index, _ = self.held.popleft()
        now = time.monotonic()
        self.deadline = now + timeout_s
        if not self.held:
            # Quick items travel in larger chunks, slow ones alone.
            quick, slow = now - self.given < 0.2, now - self.given > 1.0
            self.chunk = min(2 * self.chunk, _MAX_CHUNK) if quick else self.chunk
            self.chunk = max(self.chunk // 2, 1) if slow else self.chunk
        return index

    def cause_of_death(self) -> str:
        """Signal or exit code in words."""
        self.process.join(5.0)
        code = self.process.exitcode
        if code is not None and code < 0:
            name = signal.Signals(-code).name
            hint = " (out of memory?)" if name == "SIGKILL" else ""
            return f"the worker process was ended by {name}{hint}"
        return f"the worker process ended with code {code}"

    def kill(self) -> None:
        """End the process now; a hanging kernel listens to nothing less."""
        self.process.kill()
        self.process.join()
        self.connection.close()
        ENDED_WORKERS.add(self.usage)


def _context(job: WorkerJob) -> Any:
    """Fork from a clean server where the system can: replacements then start at once."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(job.preload))
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
def _no_main_module() -> Iterator[None]:
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
def _environment_of_children() -> Iterator[None]:
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


def _work(connection: Connection, job: WorkerJob, limits: _Limits) -> None:
    """Run a worker until its parent closes the pipe."""
    settle_child()
    try:
        job.warm_up()
        limit_memory(limits.memory_GB)
    except Exception as error:
        connection.send(_describe(error))
        return
    with contextlib.suppress(EOFError, BrokenPipeError, ConnectionResetError):
        connection.send(_READY)
        while True:
            for item in connection.recv():
                # If the parent is gone, nobody ends a worker that hangs: the alarm does.
                _alarm(2 * limits.timeout_s + 60)
                outcome = _attempt(job, item, limits)
                _alarm(0)
                connection.send((*outcome, own_usage()))


def _attempt(job: WorkerJob, item: Any, limits: _Limits) -> tuple[Any, str]:
    try:
        return job(item), ""
    except MemoryError:
        return None, f"memory: needs more than {limits.memory_GB:g} GB"
    except Exception as error:
        return None, _describe(error)


def _describe(error: Exception) -> str:
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
