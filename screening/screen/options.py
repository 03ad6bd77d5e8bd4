"""Everything that a screen can be told, as one checked table: the schema of its settings file."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ...data.disorder.policy import DisorderMode
from ...data.errors import InputError
from ...data.store.open import is_plain
from ...data.store.options import IngestOptions
from ...features.catalogue import FAMILY_NAMES
from ...features.core.roles import MOBILE_SPECIES
from .filters import Filter, default_filters, load_filters, parse_filters
from .flags import FlagRules
from .pipeline import ScreenSettings

RANKED_BY: Final[str] = "isolated_anions"
"""The family whose columns stand in the ranking."""
MAX_WORKERS: Final[int] = 8
"""Taken by default where a machine has more cores."""


@dataclass(frozen=True)
class PolicyLimits:
    """Limits of disorder, see :class:`ionsieve.data.policy.DisorderPolicy`."""

    min_full_framework: float = 0.5
    max_mixed_mobile: float = 0.5


@dataclass(frozen=True)
class ScreenOptions:
    """Settings of ``ionsieve screen``, as in its settings file.

    Parameters
    ----------
    filters : str or tuple, optional
        ``default``, ``none``, a file, or the filters themselves. By default those of Yang 2025
        for stores and databases, none for files.
    entries : str, optional
        JSON of computed entries, for energies above hull and windows against Li metal; the inputs
        are ingested first.
    workers : int
        0: as many as there are cores, at most 8.
    """

    mobile: str = "Li"
    threshold_mS_cm: float = 1.0
    seed: int = 0
    families: tuple[str, ...] | None = None
    disorder: DisorderMode = "occupancy"
    policy: PolicyLimits = field(default_factory=PolicyLimits)
    filters: str | tuple[Any, ...] | None = None
    flags: FlagRules = field(default_factory=FlagRules)
    entries: str | None = None
    ingest: IngestOptions = field(default_factory=IngestOptions)
    workers: int = 0
    timeout_s: float = 120.0
    cache: bool = True
    top: int = 10
    top_structures: int = 20

    def __post_init__(self) -> None:
        if self.mobile not in MOBILE_SPECIES:
            raise InputError(
                f"mobile species {self.mobile!r} is not supported; use one of "
                f"{', '.join(MOBILE_SPECIES)}"
            )
        _check_families(self.families)
        for name, low, high in (
            ("seed", 0, 2**32 - 1),
            ("workers", 0, 1024),
            ("top", 1, 10**6),
            ("top_structures", 0, 200),
            ("timeout_s", 1e-3, 1e6),
        ):
            if not low <= getattr(self, name) <= high:
                raise InputError(f"{name} {getattr(self, name)}: must be from {low} to {high}")
        if not 0 < self.threshold_mS_cm < float("inf"):
            raise InputError(
                f"threshold_mS_cm {self.threshold_mS_cm:g}: must be positive and finite"
            )

    def with_inputs(self, inputs: Sequence[str]) -> ScreenOptions:
        """Nothing left open: the filters themselves, and the number of workers.

        Raises
        ------
        InputError
            If a table of filters cannot be read.
        """
        chosen = _chosen_filters(self.filters, inputs, self.mobile)
        cores = len(os.sched_getaffinity(0))
        return replace(
            self,
            filters=tuple(one.as_dict() for one in chosen),
            workers=self.workers or min(MAX_WORKERS, cores),
        )

    def settings(self) -> ScreenSettings:
        """What the pipeline takes; after :meth:`with_inputs`."""
        return ScreenSettings(
            mobile=self.mobile,
            threshold_S_cm=1e-3 * self.threshold_mS_cm,
            seed=self.seed,
            families=self.families,
            disorder=self.disorder,
            min_full_framework=self.policy.min_full_framework,
            max_mixed_mobile=self.policy.max_mixed_mobile,
            workers=self.workers,
            timeout_s=self.timeout_s,
            flags=self.flags,
            filters=_chosen_filters(self.filters, (), self.mobile),
        )


def _check_families(families: tuple[str, ...] | None) -> None:
    if families is None:
        return
    if unknown := [name for name in families if name not in FAMILY_NAMES]:
        raise InputError(
            f"families: no descriptor family {unknown[0]!r}; choose from {', '.join(FAMILY_NAMES)}"
        )
    if RANKED_BY not in families:
        raise InputError(f"families: the ranking needs {RANKED_BY!r} among them")


def _chosen_filters(
    chosen: str | tuple[Any, ...] | None, inputs: Sequence[str], mobile: str
) -> tuple[Filter, ...]:
    """Files that a user names are ranked as they are; databases are filtered."""
    if isinstance(chosen, tuple):
        return parse_filters({"filters": list(chosen)}, "filters", mobile)
    if chosen is None:
        chosen = "none" if all(map(is_plain, inputs)) else "default"
    if chosen == "none":
        return ()
    return default_filters(mobile) if chosen == "default" else load_filters(chosen, mobile)
