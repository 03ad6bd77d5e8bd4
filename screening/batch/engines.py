"""Where parts are computed: in processes of this machine, or on a Dask cluster.

Both call :func:`.store_parts.compute_part` and nothing else, so that their files are equal to the
byte. A part whose process died comes back as a failure and is handed out again: the part itself
remembers at which structure that was.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from ...data.errors import FeatureError, InputError, MissingDependencyError
from ...features.catalogue import family_modules
from ...features.warmup import warm_up
from .engine_names import check_engine
from .store_parts import ALLOWED_DEATHS, PartResult, PartTask, compute_part
from .workers import run_isolated

IN_FLIGHT: Final[int] = 3
"""Parts sent to each worker ahead."""
_WAIT_S: Final[float] = 60.0
_ERROR: Final = re.compile(r"\w*(Error|Exception): ")


class PartRunner(Protocol):
    """Computes parts, in any order.

    Every task comes out once, with its result or with why its process ended.
    """

    def run(self, tasks: Sequence[PartTask]) -> Iterator[tuple[PartTask, PartResult | str]]:
        """Compute parts; a failure is told by a text."""


@dataclass(frozen=True)
class PartJob:
    """What a process of this machine runs."""

    families: tuple[str, ...]

    @property
    def preload(self) -> tuple[str, ...]:
        """Modules of the chosen families."""
        return (warm_up.__module__, *family_modules(self.families))

    def warm_up(self) -> None:
        """Compile or load every kernel of the chosen families."""
        warm_up(self.families)

    def __call__(self, item: PartTask) -> PartResult:
        """Compute one part."""
        return compute_part(item)


@dataclass(frozen=True)
class LocalEngine:
    """Processes of this machine."""

    workers: int = 1

    def run(
        self, tasks: Sequence[PartTask]
    ) -> Generator[tuple[PartTask, PartResult | str], None, None]:
        """Compute parts, see :class:`PartRunner`."""
        if not tasks:
            return
        # Structures have their own watchdog in the part; this one is for what no structure does.
        longest = 3600.0 + 1000.0 * tasks[0].timeout_s
        job = PartJob(tasks[0].families)
        for outcome in run_isolated(job, enumerate(tasks), self.workers, longest):
            yield tasks[outcome.index], outcome.result or outcome.failure


@dataclass(frozen=True)
class DaskEngine:
    """A Dask cluster: one that runs already, or one that is made for this run.

    Parameters
    ----------
    client : distributed.Client
        Workers must see the folders of the tasks under the same names, and have ionsieve.
    """

    client: Any

    def run(
        self, tasks: Sequence[PartTask]
    ) -> Generator[tuple[PartTask, PartResult | str], None, None]:
        """Compute parts, see :class:`PartRunner`.

        Raises
        ------
        FeatureError
            If the scheduler is gone.
        """
        if not tasks:
            return
        with _scheduler_alive(self.client):
            # One worker compiles, all others find what it left on disk.
            self.client.submit(warm_up, tasks[0].families, pure=False).result()
            yield from self._run(list(reversed(tasks)))

    def _run(self, waiting: list[PartTask]) -> Iterator[tuple[PartTask, PartResult | str]]:
        from distributed import as_completed

        running: dict[Any, PartTask] = {}
        done = as_completed(loop=self.client.loop)
        while waiting or running:
            while waiting and len(running) < IN_FLIGHT * self._n_workers():
                task = waiting.pop()
                future = self.client.submit(compute_part, task, pure=False)
                running[future] = task
                done.add(future)
            future = next(done)
            yield running.pop(future), _outcome(future)

    def _n_workers(self) -> int:
        information = self.client.scheduler_info()
        if "workers" not in information:
            raise OSError("not connected")
        return max(1, len(information["workers"]))


def _outcome(future: Any) -> PartResult | str:
    """The result of a future; a text if its workers died, errors of the store are raised."""
    from distributed.scheduler import KilledWorker

    try:
        result: PartResult = future.result()
    except KilledWorker:
        return "the worker processes that computed it ended"
    return result


@contextlib.contextmanager
def _scheduler_alive(client: Any) -> Iterator[None]:
    """Tell the loss of the scheduler in one line: what is finished is on disk."""
    from asyncio import CancelledError as AsyncCancelled
    from concurrent.futures import CancelledError

    from distributed.comm.core import CommClosedError

    try:
        yield
    except (CommClosedError, CancelledError, AsyncCancelled, TimeoutError, OSError) as error:
        raise FeatureError(
            f"the Dask scheduler does not answer any more ({type(error).__name__}); finished parts "
            "are kept: run the same command again"
        ) from error


@contextlib.contextmanager
def opened_engine(
    name: str, workers: int, scheduler: str | None = None, cluster: Path | None = None
) -> Iterator[PartRunner]:
    """The engine that options ask for; what was started for it ends with it.

    Parameters
    ----------
    name : {'local', 'dask'}
    workers : int
        Processes of this machine; with a cluster file, its own number of jobs.
    scheduler : str, optional
        Address of a Dask scheduler that runs, such as ``tcp://login:8786``.
    cluster : Path, optional
        YAML file of a cluster to start, see :func:`.cluster_file.started_cluster`.

    Raises
    ------
    InputError
        If the options do not go together, or the scheduler does not answer.
    MissingDependencyError
        If Dask is not installed.
    """
    check_engine(name, scheduler, cluster)
    if name == "local":
        yield LocalEngine(workers)
        return
    try:
        import distributed
    except ImportError:
        raise MissingDependencyError(
            "--engine dask needs Dask: pip install 'distributed>=2024.8'"
        ) from None
    with contextlib.ExitStack() as stack:
        if scheduler:
            target: Any = scheduler
        elif cluster:
            from .cluster_file import started_cluster

            target = stack.enter_context(started_cluster(cluster))
        else:
            target = stack.enter_context(local_cluster(workers))
        try:
            client = distributed.Client(target, timeout=_WAIT_S, set_as_default=False)
        except (OSError, ValueError) as error:
            raise InputError(f"no Dask scheduler answers at {scheduler}: {error}") from None
        yield DaskEngine(stack.enter_context(client))


def local_cluster(workers: int, **more: Any) -> Any:
    """A Dask cluster of processes of this machine, which nobody reaches from another one.

    Any number of them run side by side: the scheduler's pages, which Dask puts on port 8787 of all
    addresses even where no dashboard is asked for, get a free port of this machine alone.

    Parameters
    ----------
    workers : int
    **more
        Further arguments of Dask's ``LocalCluster``.
    """
    import distributed

    return distributed.LocalCluster(
        n_workers=workers,
        threads_per_worker=1,
        dashboard_address="127.0.0.1:0",
        scheduler_kwargs={"dashboard": False},
        **more,
    )


def compute_parts(
    engine: PartRunner, tasks: Sequence[PartTask], structures_of: int
) -> Iterator[PartResult]:
    """Compute parts, each as often as its processes die, until all are there.

    Parameters
    ----------
    engine : PartRunner
    tasks : sequence of PartTask
    structures_of : int
        Most structures a part has: so many of them may kill.

    Raises
    ------
    FeatureError
        If a part gets nowhere: its processes die before it begins, or an error that is of no
        structure comes back again and again, such as a full disk or a damaged store.
    """
    attempts: dict[tuple[int, bool], int] = {}
    left = list(tasks)
    while left:
        again: list[PartTask] = []
        for task, outcome in engine.run(left):
            if isinstance(outcome, PartResult):
                yield outcome
                continue
            # Each structure may end its process; an error of the part itself stays what it is.
            is_error = _ERROR.match(outcome) is not None
            attempts[task.block, is_error] = attempts.get((task.block, is_error), 0) + 1
            allowed = ALLOWED_DEATHS * (1 if is_error else structures_of + 1)
            if attempts[task.block, is_error] > allowed:
                raise FeatureError(f"{task.path}: cannot be computed: {outcome}")
            again.append(task)
        left = again
