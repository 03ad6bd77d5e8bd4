"""Isolated workers: persistent processes that may hang or die and take nothing with them.

``concurrent.futures`` breaks the whole pool when one process dies and cannot stop a call that
hangs. Here every worker has its own pipe, the parent knows which item each one holds, kills a
worker that is late, replaces one that died, and hands out again what it still held.
"""

from __future__ import annotations

import contextlib
import signal
import time
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import Any, Final

from ...data.errors import FeatureError
from .usage import ENDED_WORKERS, Usage
from .worker_process import READY, Limits, WorkerJob, work
from .worker_start import environment_of_children, no_main_module, server_context

START_TIMEOUT_S: Final[float] = 900.0
"""Imports and a first compilation of kernels on a loaded machine; then something is broken."""

MEMORY_GB: Final[float] = 4.0
"""Most that a worker may allocate; what needs more is a defect of the input, not of the machine."""

_MAX_CHUNK = 64
_ATTEMPTS = 2


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
    crew = _Crew(job, iter(items), workers, Limits(timeout_s, memory_GB))
    try:
        yield from crew.run()
    finally:
        crew.stop()


class _Crew:
    """The parent's side: who holds what, and until when."""

    def __init__(
        self, job: WorkerJob, items: Iterator[tuple[int, Any] | None], workers: int, limits: Limits
    ) -> None:
        self.job, self.items, self.n_workers, self.limits = job, items, workers, limits
        self.timeout_s = limits.timeout_s
        self.returned: deque[tuple[int, Any]] = deque()
        self.attempts: dict[int, int] = {}
        self.workers: list[_Worker] = []
        self.failed_starts = 0

    def run(self) -> Iterator[ItemOutcome]:
        with environment_of_children():
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
        if message != READY:
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

    def __init__(self, job: WorkerJob, limits: Limits) -> None:
        context = server_context(job.preload)
        self.connection, theirs = context.Pipe()
        self.process = context.Process(target=work, args=(theirs, job, limits), daemon=True)
        with no_main_module():
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
