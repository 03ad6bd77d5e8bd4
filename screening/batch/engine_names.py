"""Which engines there are and which options go together; imports little, for help texts."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

from ...data.errors import InputError

EngineName = Literal["local", "dask"]


def check_engine(name: str, scheduler: str | None, cluster: Path | None) -> None:
    """Refuse options that do not go together.

    Parameters
    ----------
    name : str
    scheduler : str, optional
        Address of a Dask scheduler.
    cluster : path, optional
        File of a cluster to start.

    Raises
    ------
    InputError
        If there is no such engine, or one has what belongs to another.
    """
    if name not in get_args(EngineName):
        raise InputError(f"engine {name!r}: use one of {', '.join(get_args(EngineName))}")
    if name == "local" and (scheduler or cluster):
        raise InputError("--scheduler and --cluster belong to --engine dask")
    if scheduler and cluster:
        raise InputError("give --scheduler or --cluster, not both")
