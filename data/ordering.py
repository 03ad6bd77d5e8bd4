"""Disordered structure → ordered cells of low electrostatic energy (policy ``enumerate``).

Sites of equal content form a group; its species and vacancies are distributed over the sites of
the smallest supercell that holds whole numbers of them. Arrangements are sought by annealing
swaps inside the groups on the Ewald energy of formal charges (pymatgen's Ewald matrix, computed
once). The search is bounded in time and deterministic; it does not prove that it found the
minimum. Formal charges rank arrangements only roughly: relax what matters.
"""

from __future__ import annotations

import math
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from typing import Final

import numpy as np

from .errors import StructureError
from .records import FloatArray, IntArray, SiteContent, SiteSpecies, StructureRecord

MAX_SUPERCELL_SITES: Final[int] = 160
MAX_MULTIPLE: Final[int] = 8
ROUNDING: Final[float] = 0.05
"""Atoms a group may gain or lose when occupancies become whole numbers, relative to the group."""

_STEPS, _RESTARTS = 4000, 4
_TOUCHING_A = 1.0
_PENALTY_EV = 1e3


def ordered_variants(record: StructureRecord, count: int) -> Iterator[StructureRecord]:
    """Ordered cells that stand for a disordered structure, lowest energy first.

    Parameters
    ----------
    record : StructureRecord
    count : int
        How many at most; equivalent arrangements count once.

    Raises
    ------
    StructureError
        If charges cannot be assigned, or no supercell of at most 160 sites holds whole numbers
        of all species and is neutral.
    """
    charges = _charges(record)
    multiples, counts = _supercell(record, charges)
    sites = _expand(record, multiples)
    found = _search(sites, counts, charges, int(record.content_hash[:8], 16))
    shown = "×".join(map(str, multiples))
    for number, chosen in enumerate(found[:count], start=1):
        note = f"ordered cell {number} of disordered {record.id}, supercell {shown}, not relaxed"
        yield _record(record, sites, chosen, f"{record.id}-ord{number}", note)


@dataclass(frozen=True, eq=False)
class _Sites:
    """Sites of the supercell; species are numbered, -1 is a vacancy."""

    lattice: FloatArray
    frac: FloatArray
    group: IntArray
    contents: list[SiteContent]


def _charges(record: StructureRecord) -> dict[str, float]:
    """Charge of each element: as given if there is one, else by pymatgen's composition guess."""
    given: dict[str, set[float]] = defaultdict(set)
    for species in (s for content in record.species for s in content):
        given[species.element].add(math.nan if species.oxidation is None else species.oxidation)
    if all(len(states) == 1 and not math.isnan(min(states)) for states in given.values()):
        return {element: min(states) for element, states in given.items()}
    from pymatgen.core import Composition

    guesses = Composition(record.composition).oxi_state_guesses(max_sites=-1)
    if not guesses:
        raise StructureError(
            f"{record.id}: is disordered, and its charges cannot be guessed; give oxidation states"
        )
    return {str(element): float(state) for element, state in guesses[0].items()}


def _groups(record: StructureRecord) -> dict[SiteContent, list[int]]:
    groups: dict[SiteContent, list[int]] = defaultdict(list)
    for index, content in enumerate(record.species):
        key = tuple(SiteSpecies(s.element, round(s.occupancy, 3)) for s in content)
        groups[key].append(index)
    return groups


def _supercell(
    record: StructureRecord, charges: dict[str, float]
) -> tuple[tuple[int, ...], list[list[int]]]:
    """Smallest supercell with whole numbers of every species and no net charge."""
    limit = min(MAX_MULTIPLE, MAX_SUPERCELL_SITES // record.n_sites)
    lengths = np.linalg.norm(record.lattice, axis=1)
    options = [m for m in product(range(1, MAX_MULTIPLE + 1), repeat=3) if math.prod(m) <= limit]
    options.sort(key=lambda m: (math.prod(m), float((lengths * m).max()), m))
    groups = _groups(record)
    for multiples in options:
        counts = _whole_numbers(groups, math.prod(multiples))
        if counts is not None and _is_neutral(groups, counts, charges):
            return multiples, counts
    raise StructureError(
        f"{record.id}: is disordered, and no supercell of up to {MAX_SUPERCELL_SITES} sites holds "
        "whole numbers of its species without net charge"
    )


def _whole_numbers(groups: dict[SiteContent, list[int]], multiple: int) -> list[list[int]] | None:
    counts = []
    for content, members in groups.items():
        n_sites = multiple * len(members)
        exact = [n_sites * s.occupancy for s in content]
        whole = [round(x) for x in exact]
        off = max(abs(a - b) for a, b in zip(whole, exact, strict=True))
        if off > ROUNDING * n_sites or sum(whole) > n_sites or min(whole) < 1:
            return None
        counts.append(whole)
    return counts


def _is_neutral(
    groups: dict[SiteContent, list[int]], counts: list[list[int]], charges: dict[str, float]
) -> bool:
    total = sum(
        n * charges[s.element]
        for content, numbers in zip(groups, counts, strict=True)
        for s, n in zip(content, numbers, strict=True)
    )
    return abs(total) < 1e-3


def _expand(record: StructureRecord, multiples: tuple[int, ...]) -> _Sites:
    groups = _groups(record)
    group = np.empty(record.n_sites, dtype=np.int64)
    for number, members in enumerate(groups.values()):
        group[members] = number
    shifts = np.array(list(product(*(range(m) for m in multiples))), dtype=np.float64)
    frac = (record.frac[None, :, :] + shifts[:, None, :]).reshape(-1, 3) / multiples
    lattice = record.lattice * np.array(multiples)[:, None]
    return _Sites(lattice, frac, np.tile(group, len(shifts)), list(groups))


def _search(
    sites: _Sites, counts: list[list[int]], charges: dict[str, float], seed: int
) -> list[IntArray]:
    """Species of every site (-1 vacant), distinct arrangements by energy."""
    matrix = _ewald_matrix(sites)
    rng = np.random.default_rng(seed)
    best: dict[float, IntArray] = {}
    for _ in range(_RESTARTS):
        for energy, chosen in _anneal(sites, counts, charges, matrix, rng):
            # Equal energies mean arrangements that symmetry maps onto each other.
            best.setdefault(round(energy, 4), chosen)
    if not best or min(best) > _PENALTY_EV / 2:
        raise StructureError("no arrangement keeps split positions apart")
    return [best[energy] for energy in sorted(best) if energy < _PENALTY_EV / 2]


def _ewald_matrix(sites: _Sites) -> FloatArray:
    """Energy of unit charges, eV: charges q cost q·M·q when they sum to zero."""
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Lattice, Species, Structure

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        unit = [Species("Li", 1)] * len(sites.frac)
        structure = Structure(Lattice(sites.lattice), unit, sites.frac)
        matrix = np.array(EwaldSummation(structure).total_energy_matrix)
    distance = structure.distance_matrix + 10.0 * np.eye(len(unit))
    # Positions that exclude each other: the huge Coulomb terms give way to a penalty.
    return np.where(distance < _TOUCHING_A, np.nan, matrix)


def _anneal(
    sites: _Sites,
    counts: list[list[int]],
    charges: dict[str, float],
    matrix: FloatArray,
    rng: np.random.Generator,
) -> Iterator[tuple[float, IntArray]]:
    touching = np.isnan(matrix)
    coulomb = np.nan_to_num(matrix)
    chosen = _start(sites, counts, rng)
    charge_of = [[charges[s.element] for s in content] + [0.0] for content in sites.contents]

    def energy(assigned: IntArray) -> float:
        q = np.array([charge_of[g][k] for g, k in zip(sites.group, assigned, strict=True)])
        full = (assigned >= 0).astype(np.float64)
        return float(q @ coulomb @ q + _PENALTY_EV / 2 * (full @ touching @ full))

    groups = [np.flatnonzero(sites.group == g) for g in range(len(sites.contents))]
    mixed = [g for g in groups if len(set(chosen[g])) > 1]
    current = energy(chosen)
    yield current, chosen.copy()
    for step in range(_STEPS if mixed else 0):
        temperature = 2.0 * (1.0 - step / _STEPS) ** 2 + 1e-3
        members = mixed[rng.integers(len(mixed))]
        i, j = rng.choice(members, 2, replace=False)
        if chosen[i] == chosen[j]:
            continue
        chosen[[i, j]] = chosen[[j, i]]
        trial = energy(chosen)
        if trial <= current or rng.random() < math.exp((current - trial) / temperature):
            current = trial
            yield current, chosen.copy()
        else:
            chosen[[i, j]] = chosen[[j, i]]


def _start(sites: _Sites, counts: list[list[int]], rng: np.random.Generator) -> IntArray:
    chosen = np.full(len(sites.group), -1)
    for number, numbers in enumerate(counts):
        members = rng.permutation(np.flatnonzero(sites.group == number))
        filling = np.repeat(np.arange(len(numbers)), numbers)
        chosen[members[: len(filling)]] = filling
    return chosen


def _record(
    origin: StructureRecord, sites: _Sites, chosen: IntArray, record_id: str, note: str
) -> StructureRecord:
    occupied = np.flatnonzero(chosen >= 0)
    species = tuple(
        (SiteSpecies(sites.contents[sites.group[i]][chosen[i]].element),) for i in occupied
    )
    # Energies of the source belong to the structure that was computed, not to this cell.
    return replace(
        origin,
        id=record_id,
        lattice=sites.lattice,
        species=species,
        frac=sites.frac[occupied],
        provenance=replace(
            origin.provenance, note="; ".join(filter(None, [origin.provenance.note, note]))
        ),
        e_above_hull_eV_atom=None,
        band_gap_eV=None,
        energy_eV_atom=None,
    )
