"""Everything that a screen can be told: one checked table, read by the API, by settings files and
by the command line, which takes its defaults, limits and help texts from here.

Imports little: ``ionsieve screen --help`` reads this module.
"""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from ...data.disorder.policy import DisorderMode, DisorderPolicy
from ...data.errors import InputError
from ...data.settings import check_limits, setting
from ...data.store.options import IngestOptions
from ..batch.limits import MAX_WORKERS, TIMEOUT_S
from .flag_rules import FlagRules

if TYPE_CHECKING:
    from .filters import Filter

RANKED_BY: Final[str] = "isolated_anions"
"""The family whose columns stand in the ranking."""


@dataclass(frozen=True)
class PolicyLimits:
    """Limits of disorder, see :class:`ionsieve.data.disorder.policy.DisorderPolicy`."""

    min_full_framework: float = DisorderPolicy.min_full_framework
    max_mixed_mobile: float = DisorderPolicy.max_mixed_mobile


@dataclass(frozen=True, kw_only=True)
class ScreenSettings:
    """What a screen does, saved beside its results as ``settings.yaml``.

    Every field says in its metadata what it means; :meth:`settled` fills in what depends on
    the machine and on files of filters.

    Raises
    ------
    InputError
        If a value is outside its limits.
    """

    mobile: str = setting("Li", "Mobile species: Li, Na, K, Ag or Cu.")
    threshold_mS_cm: float = setting(1.0, "Conductivity at 300 K that counts as fast, mS/cm.")
    seed: int = setting(0, "Same seed, same ranking.", low=0, high=2**32 - 1)
    families: tuple[str, ...] | None = setting(None, "Descriptor families; all by default.")
    model: str | None = setting(
        None, "Folder of a model of your own, from 'ionsieve train': ranking and page are its."
    )
    disorder: DisorderMode = setting(  # noqa: RUF009 (a field, not a value)
        "occupancy",
        "Disordered structures: 'occupancy' uses them, and an ordered cell for those beyond the "
        "limits; 'enumerate' an ordered cell for each; 'ordered' refuses them.",
    )
    policy: PolicyLimits = field(default_factory=PolicyLimits)
    filters: str | tuple[Any, ...] | None = setting(
        None,
        "YAML or TOML table of filters, 'default' for those of Yang 2025, or 'none'. None by "
        "default: every structure given is ranked, whatever it comes from.",
    )
    flags: FlagRules = field(default_factory=FlagRules)
    entries: str | None = setting(
        None,
        "JSON of computed entries (pymatgen): energies above hull and Li windows are computed "
        "from them. The inputs are ingested into DIR/store first.",
    )
    ingest: IngestOptions = field(default_factory=IngestOptions)
    workers: int = setting(
        0,
        f"Processes for descriptors; 0 takes as many as there are cores, at most {MAX_WORKERS}.",
        low=0,
        high=1024,
    )
    timeout_s: float = setting(
        TIMEOUT_S, "Longest time for the descriptors of one structure, s.", low=1e-3, high=1e6
    )
    cache: bool = setting(True, "Keep the trained model and descriptors between runs.")
    follow_up: int = setting(
        10, "How many new candidates the shortlist holds: what to compute next.", low=0, high=10**4
    )
    top: int = setting(10, "How many of the ranking to show on the terminal.", low=1, high=10**6)
    top_structures: int = setting(
        20, "How many of the best the report draws as pictures.", low=0, high=200
    )

    def __post_init__(self) -> None:
        from ...features.core.roles import MOBILE_SPECIES

        if self.mobile not in MOBILE_SPECIES:
            raise InputError(
                f"mobile species {self.mobile!r} is not supported; use one of "
                f"{', '.join(MOBILE_SPECIES)}"
            )
        _check_families(self.families)
        check_limits(self)
        if not 0 < self.threshold_mS_cm < float("inf"):
            raise InputError(
                f"threshold_mS_cm {self.threshold_mS_cm:g}: must be positive and finite"
            )
        _ = self.disorder_policy

    @property
    def threshold_S_cm(self) -> float:
        """Conductivity at 300 K that counts as fast, S/cm."""
        return 1e-3 * self.threshold_mS_cm

    @property
    def disorder_policy(self) -> DisorderPolicy:
        """How much disorder descriptors may see."""
        limits = self.policy
        return DisorderPolicy(self.disorder, limits.min_full_framework, limits.max_mixed_mobile)

    @property
    def chosen_filters(self) -> tuple[Filter, ...]:
        """The filters themselves; after :meth:`settled`."""
        return _chosen_filters(self.filters, self.mobile)

    def settled(self) -> ScreenSettings:
        """Nothing left open: the filters themselves, and the number of workers.

        Raises
        ------
        InputError
            If a table of filters cannot be read.
        """
        chosen = self.chosen_filters
        cores = len(os.sched_getaffinity(0))
        return replace(
            self,
            filters=tuple(one.as_dict() for one in chosen),
            workers=self.workers or min(MAX_WORKERS, cores),
        )

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with the threshold in S/cm beside that in mS/cm."""
        return {**asdict(self), "threshold_S_cm": self.threshold_S_cm}


def _check_families(families: tuple[str, ...] | None) -> None:
    if families is None:
        return
    from ...features.catalogue import FAMILY_NAMES

    if unknown := [name for name in families if name not in FAMILY_NAMES]:
        raise InputError(
            f"families: no descriptor family {unknown[0]!r}; choose from {', '.join(FAMILY_NAMES)}"
        )
    if RANKED_BY not in families:
        raise InputError(f"families: the ranking needs {RANKED_BY!r} among them")


def _chosen_filters(chosen: str | tuple[Any, ...] | None, mobile: str) -> tuple[Filter, ...]:
    """None unless asked for: the same structures rank alike as files, as a folder, as a store."""
    from .filters import Filter, default_filters, load_filters, parse_filters

    if isinstance(chosen, tuple):
        if all(isinstance(one, Filter) for one in chosen):
            return chosen
        return parse_filters({"filters": list(chosen)}, "filters", mobile)
    if chosen is None or chosen == "none":
        return ()
    return default_filters(mobile) if chosen == "default" else load_filters(chosen, mobile)
