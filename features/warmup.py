"""Warm-up: compile or load every kernel before the first real structure pays for it."""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import permutations

import numpy as np

from ..data.records import Provenance, SiteSpecies, StructureRecord
from .catalogue import families
from .rows import featurize_one

_ORIGIN = Provenance(source="warm-up", reference="cell: Morgan 2021, 10.1021/acs.chemmater.0c03738")


@lru_cache(maxsize=1)
def warm_up_crystals() -> tuple[StructureRecord, ...]:
    """Li6PS5Cl, primitive cell: ordered, and with S and Cl mixed on two sites."""
    lattice = 5.078 * (1.0 - np.eye(3))
    u, v, s, t = 0.97635, 0.52365, 0.38289, 0.85132
    lithium = sorted({*permutations((u, u, v)), *permutations((v, v, u))})
    sulfur = [*sorted(set(permutations((s, s, t)))), (s, s, s), (0.75, 0.75, 0.75)]
    frac = np.array([*lithium, (0.5, 0.5, 0.5), *sulfur, (0.0, 0.0, 0.0)])
    elements = ["Li"] * 6 + ["P"] + ["S"] * 5 + ["Cl"]
    ordered = StructureRecord.ordered("Li6PS5Cl", lattice, elements, frac, _ORIGIN)
    # Inversion disorder: the last sulfur and the chlorine exchange half their sites.
    mixed = (SiteSpecies("S", 0.5), SiteSpecies("Cl", 0.5))
    contents = (*ordered.species[:-2], mixed, mixed)
    return ordered, StructureRecord(
        id="Li6PS5Cl-mixed", lattice=lattice, species=contents, frac=frac, provenance=_ORIGIN
    )


def warm_up(names: Iterable[str] | None = None) -> None:
    """Run the chosen families (all by default) once on small crystals."""
    chosen = families(names)
    with _few_collections():
        for crystal in warm_up_crystals():
            featurize_one(crystal, chosen)


@contextmanager
def _few_collections() -> Iterator[None]:
    """Let the collector of garbage come seldom, for compilers make millions of objects that stay.

    A sixth of the first compilation went into looking at them again; 23 MB more are used.
    """
    before = gc.get_threshold()
    gc.set_threshold(50_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
