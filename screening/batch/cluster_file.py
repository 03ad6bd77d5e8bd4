"""A cluster file: which scheduler, which jobs. It is read as data; nothing in it is executed here.

    kind: slurm            # slurm, pbs, sge, lsf, htcondor, oar, moab
    jobs: 64               # how many to keep running
    cores: 1               # everything else goes to dask-jobqueue's class as it is
    processes: 1
    memory: 4GB
    walltime: "04:00:00"
    queue: normal
    account: my-project
    job_script_prologue: ["module load python"]

See https://jobqueue.dask.org for the options of each kind.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from ...data.errors import InputError, MissingDependencyError

KINDS: Final[dict[str, str]] = {
    "slurm": "SLURMCluster",
    "pbs": "PBSCluster",
    "sge": "SGECluster",
    "lsf": "LSFCluster",
    "htcondor": "HTCondorCluster",
    "oar": "OARCluster",
    "moab": "MoabCluster",
}


@dataclass(frozen=True)
class ClusterFile:
    """A cluster to start.

    Parameters
    ----------
    kind : str
        Scheduler, a key of :data:`KINDS`.
    jobs : int
        Jobs to keep running.
    options : dict
        For the class of dask-jobqueue.
    """

    kind: str
    jobs: int
    options: dict[str, Any] = field(default_factory=dict)


def read_cluster_file(path: Path) -> ClusterFile:
    """Read and check a cluster file.

    Raises
    ------
    InputError
        If it is absent, no YAML mapping, or says too little; the message names the key.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from None
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: not YAML: {' '.join(str(error).split())[:200]}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: give keys and values, such as 'kind: slurm'")
    kind, jobs = content.pop("kind", None), content.pop("jobs", None)
    if kind not in KINDS:
        raise InputError(f"{path}: kind {kind!r}: use one of {', '.join(KINDS)}")
    if not isinstance(jobs, int) or isinstance(jobs, bool) or jobs < 1:
        raise InputError(f"{path}: jobs {jobs!r}: give a whole number of at least 1")
    for name in ("cores", "memory"):
        if name not in content:
            raise InputError(f"{path}: {name} is missing; say what one job needs")
    return ClusterFile(kind, jobs, {"processes": content["cores"], **content})


def made_cluster(path: Path) -> tuple[Any, ClusterFile]:
    """The cluster of a file, without jobs yet.

    Raises
    ------
    InputError
        If the file is wrong or has an option that dask-jobqueue does not know.
    MissingDependencyError
        If dask-jobqueue is not installed.
    """
    wanted = read_cluster_file(path)
    try:
        import dask_jobqueue
    except ImportError:
        raise MissingDependencyError(
            "--cluster needs dask-jobqueue: pip install 'dask-jobqueue>=0.9'"
        ) from None
    kind = getattr(dask_jobqueue, KINDS[wanted.kind])
    unknown = set(wanted.options) - _options_of(kind)
    if unknown:
        raise InputError(
            f"{path}: {min(unknown)}: not an option of dask-jobqueue's {kind.__name__}"
        )
    try:
        return kind(**wanted.options), wanted
    except (TypeError, ValueError) as error:
        raise InputError(f"{path}: {error}") from None


def _options_of(kind: Any) -> set[str]:
    """Names of the options of a cluster class, of its jobs included."""
    classes = [*kind.__mro__, *kind.job_cls.__mro__]
    found: set[str] = set()
    for one in classes:
        if one is not object and "__init__" in vars(one):
            found |= set(inspect.signature(one.__init__).parameters)
    return found - {"self", "args", "kwargs"}


@contextlib.contextmanager
def started_cluster(path: Path) -> Iterator[Any]:
    """The cluster of a file with its jobs, until the end of the context.

    One job first: where nothing is compiled yet, the others find its work on the common disk.
    """
    cluster, wanted = made_cluster(path)
    with cluster:
        cluster.scale(jobs=1)
        cluster.adapt(minimum_jobs=1, maximum_jobs=wanted.jobs)
        yield cluster
