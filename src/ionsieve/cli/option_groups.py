"""Options that several verbs share: said once in a dataclass, given to a verb by a decorator."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_type_hints

import typer

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from ..screening.batch.shared_rows import SharedEngine

Verb = TypeVar("Verb", bound=Callable[..., None])


@dataclass(frozen=True, kw_only=True)
class EngineOptions:
    """Where descriptors are computed."""

    engine: Annotated[
        str,
        typer.Option(
            "--engine", help="'local': processes of this machine; 'dask': a Dask cluster."
        ),
    ] = "local"
    scheduler: Annotated[
        str | None,
        typer.Option(
            "--scheduler",
            metavar="ADDRESS",
            help="With dask: a scheduler that runs, such as tcp://login:8786.",
        ),
    ] = None
    cluster: Annotated[
        Path | None,
        typer.Option(
            "--cluster",
            metavar="FILE",
            help="With dask: YAML file of a cluster to start by SLURM, PBS, … (see docs/speed.md).",
        ),
    ] = None

    def __post_init__(self) -> None:
        if not self.is_plain_local:
            from ..screening.batch.engine_names import check_engine

            check_engine(self.engine, self.scheduler, self.cluster)

    @property
    def is_plain_local(self) -> bool:
        """Nothing is said of a cluster."""
        return self.engine == "local" and not self.scheduler and not self.cluster

    def opened(self, workers: int, folder: Path) -> AbstractContextManager[SharedEngine | None]:
        """The engine, with a folder through which it gives its results; None for this machine."""
        from ..screening.batch.shared_rows import opened_shared

        return opened_shared(self.engine, workers, self.scheduler, self.cluster, folder)


@dataclass(frozen=True, kw_only=True)
class WorkerOptions(EngineOptions):
    """Where descriptors are computed, and by how many processes of this machine."""

    workers: Annotated[
        int, typer.Option("--workers", min=1, help="Worker processes of this machine.")
    ] = 1

    def beside(self, out: Path) -> AbstractContextManager[SharedEngine | None]:
        """As :meth:`opened`, with a hidden folder beside the output."""
        return self.opened(self.workers, out.with_name(f".{out.name}.work"))


def takes_options(verb: Verb) -> Verb:
    """A verb with one parameter that is a dataclass: it is filled from an option for each field.

    The verb's own parameters stay as they are; the command line shows those of the dataclass after
    them.
    """
    own = dict(inspect.signature(verb, eval_str=True).parameters)
    (place,) = [name for name, one in own.items() if is_dataclass(one.annotation)]
    group: Any = own.pop(place).annotation
    shared = get_type_hints(group, include_extras=True)

    @wraps(verb)
    def call(**given: Any) -> None:
        given[place] = group(**{name: given.pop(name) for name in shared})
        verb(**given)

    kinds = inspect.Parameter
    parameters = [one.replace(kind=kinds.KEYWORD_ONLY) for one in own.values()]
    # What the group says itself comes before what it takes over.
    for one in sorted(
        fields(group), key=lambda field: field.name not in vars(group)["__annotations__"]
    ):
        default = kinds.empty if one.default is MISSING else one.default
        parameters.append(
            kinds(one.name, kinds.KEYWORD_ONLY, annotation=shared[one.name], default=default)
        )
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    call.__annotations__ = {one.name: one.annotation for one in parameters}
    return call  # type: ignore[return-value]
