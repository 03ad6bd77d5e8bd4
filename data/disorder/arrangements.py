"""Disorder → the ordered arrangements of lowest electrostatic energy.

Every site of the supercell takes one of its species or stays empty, with whole numbers of atoms
and no net charge. Arrangements are ranked by their Ewald energy with formal charges: all of them
where they are few, by annealing over swaps where they are many. Arrangements that a symmetry of
the disordered crystal maps on each other count once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ..errors import StructureError
from ..records import FloatArray, IntArray

ENUMERATION_LIMIT: Final[int] = 20_000
"""Up to so many arrangements are all ranked; beyond, annealing finds the low ones."""
CLOSEST_A: Final[float] = 1.3
"""Alternatives of one split position lie closer than any two real atoms but those of H."""
_LARGEST_CLUSTER: Final[int] = 16
_OVERLAP_EV: Final[float] = 50.0
_SYMPREC_A: Final[float] = 0.01
_STARTS, _STEPS, _HOT_EV, _COLD_EV = 6, 6000, 2.0, 0.02


@dataclass(frozen=True, eq=False, kw_only=True)
class DisorderedCell:
    """A supercell whose sites may take several species.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)
    options : tuple, length n
        For each site the species it may take, as (element, charge in e); ``None`` is empty.
    orbit : array (n,)
        Sites of one orbit have the same options and share the counts.
    counts : dict
        For each orbit, how many of its sites take each option, in the order of the options.
    permutations : array (m, n)
        Symmetries of the disordered crystal as site permutations; the identity is one.
    """

    lattice: FloatArray
    frac: FloatArray
    options: tuple[tuple[tuple[str, float] | None, ...], ...]
    orbit: IntArray
    counts: dict[int, tuple[int, ...]]
    permutations: IntArray


@dataclass(frozen=True, eq=False)
class Arrangement:
    """One ordered arrangement."""

    choice: IntArray
    """Option taken on each site, shape (n,)."""
    energy_eV: float
    """Ewald energy of the cell with formal charges, eV."""
    method: Literal["ordered", "enumerated", "annealed"]
    n_configurations: float
    """Arrangements before symmetry."""


def rank_arrangements(cell: DisorderedCell, keep: int = 1, seed: int = 0) -> list[Arrangement]:
    """Find the arrangements of lowest energy that are not symmetry copies of each other.

    Parameters
    ----------
    cell : DisorderedCell
    keep : int
        How many to return at most, lowest first.
    seed : int
        For annealing.

    Raises
    ------
    StructureError
        If every arrangement puts two atoms closer than :data:`CLOSEST_A`.
    """
    model = _Energy(cell)
    n = n_configurations(cell)
    method: Literal["ordered", "enumerated", "annealed"]
    if n <= ENUMERATION_LIMIT:
        method = "ordered" if n == 1 else "enumerated"
        choices = _all_choices(cell)
    else:
        method, choices = "annealed", _annealed(cell, model, np.random.default_rng(seed))
    # Attraction can outweigh the penalty: atoms on top of each other are never taken for low.
    choices = choices[model.overlaps(choices) < 0.5]
    if not len(choices):
        raise StructureError(
            f"every arrangement has two atoms closer than {CLOSEST_A} Å: occupancies of split "
            "positions are too high; check the structure"
        )
    # Rounded, so that the order of symmetry copies cannot hang on the last bit.
    order = np.argsort(model.of(choices).round(6), kind="stable")
    kept = _distinct(choices[order], cell.permutations, keep)
    return [Arrangement(c, float(model.of(c[None])[0]), method, n) for c in kept]


def n_configurations(cell: DisorderedCell) -> float:
    """Number of arrangements with the given counts, symmetry copies counted."""
    log_number = 0.0
    for counts in cell.counts.values():
        log_number += math.lgamma(sum(counts) + 1) - sum(math.lgamma(c + 1) for c in counts)
    return float(round(math.exp(log_number))) if log_number < 34 else math.exp(min(log_number, 700))


def ewald_matrix(lattice: FloatArray, frac: FloatArray) -> FloatArray:
    """Matrix M with energy qᵀMq for any neutral set of charges, eV/e².

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)

    Returns
    -------
    array (n, n)
        From pymatgen's Ewald sum over unit charges; the background that makes them neutral
        cancels for neutral q.
    """
    from pymatgen.analysis.ewald import EwaldSummation
    from pymatgen.core import Structure

    structure = Structure(lattice, ["Li+"] * len(frac), frac)
    return np.asarray(EwaldSummation(structure).total_energy_matrix, dtype=np.float64)


class _Energy:
    """Energy of a choice by lookup: pair[(i, a), (j, b)] over sites and options."""

    def __init__(self, cell: DisorderedCell) -> None:
        self.start = np.concatenate([[0], np.cumsum([len(o) for o in cell.options])])
        owner = np.repeat(np.arange(len(cell.options)), [len(o) for o in cell.options])
        flat = [option for options in cell.options for option in options]
        charge = np.array([0.0 if option is None else option[1] for option in flat])
        filled = np.array([option is not None for option in flat], dtype=float)
        electrostatic = ewald_matrix(cell.lattice, cell.frac)[np.ix_(owner, owner)]
        self.clash = _clashes(cell)[np.ix_(owner, owner)] * np.outer(filled, filled)
        self.pair = electrostatic * np.outer(charge, charge) + _OVERLAP_EV * self.clash

    def rows(self, choices: IntArray) -> IntArray:
        return np.asarray(self.start[:-1] + choices, dtype=np.int64)

    def of(self, choices: IntArray) -> FloatArray:
        return self._sum(self.pair, choices)

    def overlaps(self, choices: IntArray) -> FloatArray:
        """Pairs of atoms that are too close, counted from either end."""
        return self._sum(self.clash, choices)

    def _sum(self, matrix: FloatArray, choices: IntArray) -> FloatArray:
        occupied = np.zeros((min(len(choices), 1024), len(matrix)))
        sums = np.empty(len(choices))
        for first in range(0, len(choices), 1024):
            block = self.rows(choices[first : first + 1024])
            used = occupied[: len(block)]
            used[:] = 0.0
            np.put_along_axis(used, block, 1.0, axis=1)
            sums[first : first + len(block)] = ((used @ matrix) * used).sum(axis=1)
        return sums


def _clashes(cell: DisorderedCell) -> FloatArray:
    """1 for positions that exclude each other; two that are never empty do not (C–O, N–O, O–H).

    Where every site of an orbit lies that close to one that is never empty, no arrangement avoids
    it: the coordinates are what they are, and such pairs do not count.
    """
    can_be_empty = np.array([None in options for options in cell.options])
    is_choice = can_be_empty[:, None] | can_be_empty[None, :]
    clash = too_close(cell.lattice, cell.frac) & is_choice
    for orbit in cell.counts:
        own = cell.orbit == orbit
        if clash[np.ix_(own, ~can_be_empty)].any(axis=1).all():
            clash[np.ix_(own, ~can_be_empty)] = False
            clash[np.ix_(~can_be_empty, own)] = False
    return clash.astype(np.float64)


def too_close(lattice: FloatArray, frac: FloatArray) -> NDArray[np.bool_]:
    """Pairs of sites closer than :data:`CLOSEST_A`, shape (n, n); none with itself."""
    from pymatgen.core import Lattice

    distance = Lattice(lattice).get_all_distances(frac, frac)
    np.fill_diagonal(distance, np.inf)
    return np.asarray(distance < CLOSEST_A, dtype=np.bool_)


def capacity(excluded: NDArray[np.bool_]) -> int:
    """Most sites that can be filled together.

    Parameters
    ----------
    excluded : array (n, n) of bool
        Pairs that cannot both be filled, symmetric.

    Returns
    -------
    int
        Exact for clusters of up to 16 sites; a larger cluster counts in full.
    """
    from scipy.sparse.csgraph import connected_components

    n_clusters, label = connected_components(excluded, directed=False)
    total = 0
    for cluster in range(n_clusters):
        sites = np.flatnonzero(label == cluster)
        if len(sites) > _LARGEST_CLUSTER:
            total += len(sites)
            continue
        block = excluded[np.ix_(sites, sites)]
        masks = [sum(1 << int(j) for j in np.flatnonzero(row)) for row in block]
        total += _most_independent((1 << len(sites)) - 1, masks)
    return total


def _most_independent(left: int, masks: Sequence[int]) -> int:
    """Largest set without an excluded pair among the sites whose bits are set in ``left``."""
    if not left:
        return 0
    site = left.bit_length() - 1
    without = left & ~(1 << site)
    taken = 1 + _most_independent(without & ~masks[site], masks)
    return taken if not without & masks[site] else max(taken, _most_independent(without, masks))


def _all_choices(cell: DisorderedCell) -> IntArray:
    choices = np.zeros((1, len(cell.options)), dtype=np.int64)
    for orbit, counts in cell.counts.items():
        sites = np.flatnonzero(cell.orbit == orbit)
        arrangements = _arrangements(len(sites), counts)
        repeated = np.repeat(choices, len(arrangements), axis=0)
        repeated[:, sites] = np.tile(arrangements, (len(choices), 1))
        choices = repeated
    return choices


def _arrangements(n_sites: int, counts: Sequence[int]) -> IntArray:
    """All ways to deal options to sites with given counts, shape (m, n_sites)."""
    if len(counts) == 1:
        return np.zeros((1, n_sites), dtype=np.int64)
    rows = []
    for taken in combinations(range(n_sites), counts[0]):
        rest = np.setdiff1d(np.arange(n_sites), taken)
        for row in _arrangements(len(rest), counts[1:]):
            full = np.zeros(n_sites, dtype=np.int64)
            full[rest] = row + 1
            rows.append(full)
    return np.array(rows, dtype=np.int64).reshape(-1, n_sites)


def _annealed(cell: DisorderedCell, model: _Energy, rng: np.random.Generator) -> IntArray:
    """End points of several annealing runs, each brought to its minimum over single swaps."""
    pairs = _swappable(cell)
    return np.array([_anneal(_random_choice(cell, rng), model, pairs, rng) for _ in range(_STARTS)])


def _swappable(cell: DisorderedCell) -> IntArray:
    pairs = []
    for orbit, counts in cell.counts.items():
        if sum(c > 0 for c in counts) > 1:
            sites = np.flatnonzero(cell.orbit == orbit)
            i, j = np.triu_indices(len(sites), 1)
            pairs.append(np.column_stack([sites[i], sites[j]]))
    return np.concatenate(pairs)


def _random_choice(cell: DisorderedCell, rng: np.random.Generator) -> IntArray:
    choice = np.zeros(len(cell.options), dtype=np.int64)
    for orbit, counts in cell.counts.items():
        dealt = np.repeat(np.arange(len(counts)), counts)
        choice[cell.orbit == orbit] = rng.permutation(dealt)
    return choice


def _anneal(
    choice: IntArray, model: _Energy, pairs: IntArray, rng: np.random.Generator
) -> IntArray:
    # Annealing twice over the pairs of a large cell is cheap beside one Ewald matrix.
    field = model.pair[:, model.rows(choice)].sum(axis=1)
    cooling = np.geomspace(_HOT_EV, _COLD_EV, _STEPS)
    drawn, chance = rng.integers(len(pairs), size=_STEPS), rng.random(_STEPS)
    for temperature, pair, u in zip(cooling, drawn, chance, strict=True):
        i, j = pairs[pair]
        if choice[i] == choice[j]:
            continue
        if _swap_cost(choice, field, model, i, j) < -temperature * math.log(u + 1e-300):
            _swap(choice, field, model, i, j)
    while True:
        costs = _swap_costs(choice, field, model, pairs)
        best = int(np.argmin(costs))
        if costs[best] > -1e-6:
            return choice
        _swap(choice, field, model, *pairs[best])


def _swap_cost(
    choice: IntArray, field: FloatArray, model: _Energy, i: np.int64, j: np.int64
) -> float:
    return float(_swap_costs(choice, field, model, np.array([[i, j]]))[0])


def _swap_costs(choice: IntArray, field: FloatArray, model: _Energy, pairs: IntArray) -> FloatArray:
    """Energy change of each swap, eV, shape (n_pairs,); infinite where nothing would change."""
    i, j = pairs.T
    old_i, old_j = model.start[i] + choice[i], model.start[j] + choice[j]
    new_i, new_j = model.start[i] + choice[j], model.start[j] + choice[i]
    p = model.pair
    # Second-order terms: the moved atoms see each other and themselves at their new places.
    first = 2.0 * (field[new_i] - field[old_i] + field[new_j] - field[old_j])
    own = p[new_i, new_i] + p[old_i, old_i] - 2 * p[new_i, old_i]
    own = own + p[new_j, new_j] + p[old_j, old_j] - 2 * p[new_j, old_j]
    cross = p[new_i, new_j] - p[new_i, old_j] - p[old_i, new_j] + p[old_i, old_j]
    return np.where(choice[i] == choice[j], np.inf, first + own + 2.0 * cross)


def _swap(choice: IntArray, field: FloatArray, model: _Energy, i: np.int64, j: np.int64) -> None:
    for site, new in ((i, choice[j]), (j, choice[i])):
        field -= model.pair[:, model.start[site] + choice[site]]
        field += model.pair[:, model.start[site] + new]
    choice[i], choice[j] = choice[j], choice[i]


def site_permutations(lattice: FloatArray, frac: FloatArray, kinds: IntArray) -> IntArray:
    """Symmetries of a crystal as permutations of its sites.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)
    kinds : array (n,)
        Sites of different kinds never map onto each other; numbers from 0.

    Returns
    -------
    array (m, n)
        The identity is one of them; alone where no symmetry is found (tolerance 0.01 Å).
    """
    import spglib

    found = spglib.get_symmetry((lattice, frac, kinds + 1), symprec=_SYMPREC_A)
    rows = [np.arange(len(kinds))]
    if found is None:
        return np.array(rows)
    for rotation, shift in zip(found["rotations"], found["translations"], strict=True):
        image = frac @ rotation.T + shift
        difference = image[:, None] - frac[None]
        difference -= np.rint(difference)
        distance = np.linalg.norm(difference @ lattice, axis=2)
        row = distance.argmin(axis=1)
        if len(set(row)) == len(row):
            rows.append(row)
    return np.unique(np.array(rows, dtype=np.int64), axis=0)


def _distinct(ordered: IntArray, permutations: IntArray, keep: int) -> list[NDArray[np.int64]]:
    kept: list[IntArray] = []
    seen: set[bytes] = set()
    for choice in ordered:
        if choice.tobytes() in seen:
            continue
        kept.append(choice)
        if len(kept) == keep:
            break
        seen |= {image.tobytes() for image in choice[permutations]}
    return kept


__all__ = [
    "Arrangement",
    "DisorderedCell",
    "capacity",
    "ewald_matrix",
    "n_configurations",
    "rank_arrangements",
    "site_permutations",
    "too_close",
]
