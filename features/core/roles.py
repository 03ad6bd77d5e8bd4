"""Roles: which atoms are mobile, which are framework cations, which are anions.

Oxidation states decide. Their order of trust is: given by the source > bond-valence evidence
among the charge-neutral combinations > composition alone. The bond-valence step scores, for each
neutral combination of one state per element, the bond-valence sums (O'Keeffe & Brese 1991) of the
sites against ICSD statistics, as pymatgen's ``BVAnalyzer`` does site by site; here one state
per element keeps the search bounded (LGPS has 45 neutral combinations) and works on disordered
cells. The share of the best combination in the total probability is reported as confidence.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import prod
from typing import Final, NamedTuple

import numpy as np

from ...data.elements import ATOMIC_NUMBER, SYMBOLS
from ...data.errors import RoleError
from ...data.records import FloatArray, IntArray
from .atoms import Atoms
from .elements import bond_valence_table
from .neighbors import NeighborList, covalent_sums_A

MOBILE_SPECIES: Final[dict[str, tuple[float, ...]]] = {
    "Li": (1.0,),
    "Na": (1.0,),
    "K": (1.0,),
    "Ag": (1.0,),
    "Cu": (1.0, 2.0),
}
"""Supported mobile species with the oxidation states they may have."""

POLYANION_RATIO: Final[float] = 1.15
"""Two anions closer than this times the sum of covalent radii belong to a polyanion."""

NON_METALS: Final[tuple[str, ...]] = ("F", "O", "Cl", "N", "Br", "I", "S", "Se")
"""Anion formers by falling electronegativity (Pauling), down to 2.55: the first one present is an
anion. Below that, metals such as Au (2.54) and carbon interleave."""

_MAX_COMBINATIONS = 100_000
_NEUTRALITY = 0.01
_DISORDERED_NEUTRALITY = 0.10
_LOG_FLOOR = -14.0
_CLEAR_SUM = 0.8
"""A bond-valence sum beyond this, e, leaves no doubt about the sign."""
_PBE_SCALE = 1.015  # cells relaxed with PBE are slightly too large for experimental parameters


@dataclass(frozen=True, eq=False, kw_only=True)
class Roles:
    """What each atom is, and how sure.

    Attributes
    ----------
    mobile : str
        Symbol of the mobile species.
    oxidation : array (n_atoms,)
        Oxidation state, in e; fractional where only an average can be given.
    is_mobile, is_framework_cation, is_anion, in_polyanion : bool arrays (n_atoms,)
    method : str
        ``given``, ``bond_valence``, ``composition`` or one of their ``…_average`` forms.
    confidence : float
        Probability share of the chosen combination among all neutral ones, 0 to 1.
    n_combinations : int
        How many neutral combinations there were (1: unambiguous).
    """

    mobile: str
    oxidation: FloatArray
    is_mobile: np.ndarray
    is_framework_cation: np.ndarray
    is_anion: np.ndarray
    in_polyanion: np.ndarray
    method: str
    confidence: float
    n_combinations: int


def assign_roles(atoms: Atoms, neighbors: NeighborList, mobile: str = "Li") -> Roles:
    """Give each atom its oxidation state and role.

    Parameters
    ----------
    atoms : Atoms
        Expanded atoms of a structure.
    neighbors : NeighborList
        Pairs to at least 4 Å.
    mobile : {'Li', 'Na', 'K', 'Ag', 'Cu'}
        Mobile species.

    Raises
    ------
    RoleError
        If the mobile species is absent or unknown, or no anion can be assigned.
    """
    if mobile not in MOBILE_SPECIES:
        raise RoleError(
            f"mobile species {mobile!r} is not supported; use one of {', '.join(MOBILE_SPECIES)}"
        )
    if not (atoms.z == ATOMIC_NUMBER[mobile]).any():
        raise RoleError(f"{atoms.id}: holds no {mobile}; nothing in it can be the mobile species")
    given = _given_states(atoms)
    if given is not None:
        return _roles(atoms, mobile, neighbors, _Solution(given, "given", 1.0, 1))
    return _roles(atoms, mobile, neighbors, _Assignment(atoms, neighbors, mobile).solve())


class _Solution(NamedTuple):
    oxidation: FloatArray
    method: str
    confidence: float
    n_combinations: int


def _roles(atoms: Atoms, mobile: str, neighbors: NeighborList, solution: _Solution) -> Roles:
    oxidation = solution.oxidation
    is_mobile = atoms.z == ATOMIC_NUMBER[mobile]
    is_anion = (oxidation < 0) & ~is_mobile
    if not is_anion.any():
        raise RoleError(
            f"{atoms.id}: no anion can be assigned; give oxidation states in the input file"
        )
    contact = covalent_contact(atoms, neighbors).nonzero()[0]
    i, j = neighbors.center[contact], neighbors.neighbor[contact]
    in_polyanion = np.zeros(len(atoms.z), dtype=bool)
    in_polyanion[i[is_anion[i] & is_anion[j]]] = True
    return Roles(
        mobile=mobile,
        oxidation=oxidation,
        is_mobile=is_mobile,
        is_framework_cation=(oxidation > 0) & ~is_mobile,
        is_anion=is_anion,
        in_polyanion=in_polyanion,
        method=solution.method,
        confidence=solution.confidence,
        n_combinations=solution.n_combinations,
    )


def _given_states(atoms: Atoms) -> FloatArray | None:
    """Oxidation states from the source, if complete and neutral within rounding."""
    states = atoms.given_oxidation
    if not np.isfinite(states).all() or not (states < 0).any():
        return None
    positive = float((atoms.occupancy * states)[states > 0].sum())
    charge = float((atoms.occupancy * states).sum())
    return states if abs(charge) <= _DISORDERED_NEUTRALITY * max(positive, 1.0) else None


def covalent_contact(atoms: Atoms, neighbors: NeighborList) -> np.ndarray:
    """True for pairs within 1.15 × the covalent radius sum: between anions, a polyanion bond."""
    return neighbors.distance_A < POLYANION_RATIO * covalent_sums_A(atoms.z, neighbors)


def bond_valence_sums(atoms: Atoms, neighbors: NeighborList) -> FloatArray:
    """Signed bond-valence sum of each atom, in e: positive towards more electronegative neighbours.

    O'Keeffe & Brese 1991, b = 0.31 Å here as in pymatgen, distances × 1.015, pairs within 4 Å of
    which at least one is an anion former. Partial occupancies weight the neighbours.
    """
    near = (neighbors.distance_A <= 4.0).nonzero()[0]
    i, j = neighbors.center[near], neighbors.neighbor[near]
    zi, zj = atoms.z[i], atoms.z[j]
    valence = pair_valence_e(zi, zj, neighbors.distance_A[near] * _PBE_SCALE)
    valence *= _pair_signs()[zi, zj]
    weights = valence * atoms.occupancy[j]
    return np.bincount(i, weights=weights, minlength=len(atoms.z)).astype(np.float64)


def pair_valence_e(zi: IntArray, zj: IntArray, distance_A: FloatArray) -> FloatArray:
    """Bond valence of pairs of atomic numbers at a distance (O'Keeffe & Brese 1991), e; b = 0.31 Å.

    Zero for like atoms, for pairs without an anion former and where no parameters exist.
    """
    return np.asarray(np.exp((_bond_lengths_A()[zi, zj] - distance_A) / 0.31))


@lru_cache(maxsize=1)
def _bond_lengths_A() -> FloatArray:
    """Length of a bond of valence 1 e by both atomic numbers, Å; −∞ where there is no bond."""
    table = bond_valence_table()
    ri, rj = np.meshgrid(table.r_A, table.r_A, indexing="ij")
    ci, cj = np.meshgrid(table.c, table.c, indexing="ij")
    length = ri + rj - ri * rj * (np.sqrt(ci) - np.sqrt(cj)) ** 2 / (ci * ri + cj * rj)
    counted = table.is_anion_former[:, None] | table.is_anion_former
    np.fill_diagonal(counted, False)
    return np.where(counted & np.isfinite(length), length, -np.inf)


@lru_cache(maxsize=1)
def _pair_signs() -> IntArray:
    """1 where the first of two atomic numbers is the less electronegative, else −1."""
    x = bond_valence_table().electronegativity
    return np.where(x[:, None] < x, 1, -1)


class _Combinations(NamedTuple):
    """Combinations of oxidation states: log score of each, state of each group in each."""

    score: FloatArray
    states: FloatArray


class _Assignment:
    """The search for the most probable neutral combination of oxidation states."""

    def __init__(self, atoms: Atoms, neighbors: NeighborList, mobile: str) -> None:
        self.atoms, self.mobile = atoms, mobile
        self.sums = bond_valence_sums(atoms, neighbors)
        contact = covalent_contact(atoms, neighbors).nonzero()[0]
        i, j = neighbors.center[contact], neighbors.neighbor[contact]
        self.is_chained = np.zeros(len(atoms.z), dtype=bool)
        self.is_chained[i[atoms.z[i] == atoms.z[j]]] = True
        self.groups = self._groups()
        self.counts = np.array([float(atoms.occupancy[g].sum()) for g in self.groups])
        options = [self._options(g) for g in self.groups]
        self.states = [states for states, _ in options]
        self.scores = [scores for _, scores in options]

    def solve(self) -> _Solution:
        found = self._neutral_combinations(_NEUTRALITY)
        agreeing = self._agreeing(found)
        if len(agreeing.score):
            return self._best(agreeing)
        average = self._average_chain()
        if average is None and not len(found.score):
            average = self._average_polyanion()
            average = self._average_cation() if average is None else average
        if average is not None:
            return _Solution(self._spread(average), "composition_average", 0.5, 1)
        if len(found.score):
            return self._best(found)
        if self.atoms.is_disordered:
            nearly = self._neutral_combinations(_DISORDERED_NEUTRALITY)
            if len(nearly.score):
                best = self._best(nearly)
                return best._replace(
                    method="bond_valence_unbalanced", confidence=min(best.confidence, 0.5)
                )
        raise RoleError(
            f"{self.atoms.id}: no charge-neutral oxidation states found, so no anion can be "
            "assigned; give oxidation states in the input file"
        )

    def _agreeing(self, found: _Combinations) -> _Combinations:
        """Combinations whose signs the bonds do not contradict.

        A non-metal that only has bonds to less electronegative neighbours is no cation, whatever
        neutrality would allow: sulphur in Cu2As4S3Cl2 is not S²⁺ beside As²⁻.
        """
        metal = np.array([SYMBOLS[self.atoms.z[g[0]] - 1] not in NON_METALS for g in self.groups])
        sums = np.array([self.sums[g].mean() for g in self.groups])
        z = np.array([self.atoms.z[g[0]] for g in self.groups])
        # Of an element with two kinds of site, the doubtful one follows the other.
        doubtful = np.array([(z == own).sum() > 1 for own in z]) & (sums < _CLEAR_SUM)
        anionic = ~metal & ((sums < -_CLEAR_SUM) | doubtful)
        wrong = (anionic & (found.states > 0)).any(axis=1)
        return _Combinations(found.score[~wrong], found.states[~wrong])

    def _average_chain(self) -> FloatArray | None:
        """Let one chained element that is no anion (As–As, P–P cages) take what charge is left.

        All others take the state that fits their bonds best; the average must lie between the
        lowest and the highest state of the element.
        """
        former = bond_valence_table().is_anion_former
        chained = [
            k
            for k, g in enumerate(self.groups)
            if self.is_chained[g].any()
            and former[self.atoms.z[g[0]]]
            and SYMBOLS[self.atoms.z[g[0]] - 1] not in NON_METALS
        ]
        if len(chained) != 1 or len(self.groups) < 3:
            return None
        k = chained[0]
        signs = np.array([self.sums[g].mean() for g in self.groups])
        chosen = np.zeros(len(self.groups))
        for i, (states, scores) in enumerate(zip(self.states, self.scores, strict=True)):
            fits = scores if i == k else np.where(states * signs[i] > 0, scores, -np.inf)
            if not np.isfinite(fits).any():
                return None
            chosen[i] = states[int(np.argmax(fits))]
        chosen[k] = 0.0 - float(np.delete(self.counts * chosen, k).sum()) / self.counts[k]
        low, high = float(self.states[k].min()), float(self.states[k].max())
        # A cage of borane alone (B12H12) has no anion but itself, which is for the caller to say.
        non_metal = [SYMBOLS[self.atoms.z[g[0]] - 1] in NON_METALS for g in self.groups]
        is_ionic = any(non_metal) and self._is_ionic(chosen[None])[0]
        return chosen if is_ionic and low <= chosen[k] <= high else None

    def _groups(self) -> list[IntArray]:
        """Atoms that share a state: one group per element, two where its sites clearly differ.

        Sites differ by the sign of their bond-valence sums, or, of a non-metal, by whether they are
        bonded to their own kind: a peroxide ion beside oxide ions is O⁻ beside O²⁻.
        """
        groups: list[IntArray] = []
        for z in np.bincount(self.atoms.z).nonzero()[0]:
            members = (self.atoms.z == z).nonzero()[0]
            sums = self.sums[members]
            high, low = members[sums > _CLEAR_SUM], members[sums < -_CLEAR_SUM]
            split = len(high) > 0 and len(low) > 0 and len(high) + len(low) == len(members)
            own = self.is_chained[members]
            if not split and SYMBOLS[z - 1] in NON_METALS and own.any() and not own.all():
                high, low, split = members[own], members[~own], True
            groups += [high, low] if split else [members]
        return groups

    def _options(self, group: IntArray) -> tuple[FloatArray, FloatArray]:
        z = int(self.atoms.z[group[0]])
        statistics = bond_valence_table().statistics[z]
        if SYMBOLS[z - 1] == self.mobile:
            states = np.array(MOBILE_SPECIES[self.mobile])
            return states, np.zeros(len(states))
        if len(statistics.states) == 0:
            raise RoleError(f"{self.atoms.id}: no oxidation state is known for {SYMBOLS[z - 1]}")
        deviation = (self.sums[group][:, None] - statistics.bvs_mean) / statistics.bvs_std
        log_density = -0.5 * deviation**2 - np.log(statistics.bvs_std)
        # A strained or scaled cell must not veto chemistry: the evidence of one site is capped.
        evidence = np.maximum(log_density, _LOG_FLOOR).mean(axis=0)
        return statistics.states, evidence + statistics.log_prior

    def _neutral_combinations(self, tolerance: float) -> _Combinations:
        """Neutral combinations, the most probable first."""
        found = self._combinations(range(len(self.states)))
        charges = found.states * self.counts
        positive = np.maximum(charges, 0.0).sum(axis=1)
        neutral = self._is_ionic(found.states) & (
            np.abs(charges.sum(axis=1)) <= tolerance * positive
        )
        order = np.argsort(-found.score[neutral], kind="stable")
        return _Combinations(found.score[neutral][order], found.states[neutral][order])

    def _is_ionic(self, states: FloatArray) -> np.ndarray:
        """True for combinations with an anion, the strongest non-metal among the anions.

        Charge balance alone would take CuSe2Br, which is CuBr with neutral selenium, as Br⁺ Se⁻.
        """
        elements = [SYMBOLS[self.atoms.z[g[0]] - 1] for g in self.groups]
        strongest = min(elements, key=lambda e: (*NON_METALS, e).index(e))
        is_strongest = np.array([e == strongest for e in elements])
        if strongest not in NON_METALS:
            is_strongest[:] = True
        return np.asarray((states[:, is_strongest] < 0).any(axis=1))

    def _combinations(self, groups: Sequence[int]) -> _Combinations:
        """All combinations of one state for each of the groups given, the others left at zero."""
        kept = self._probable_states(groups)
        shape = [len(k) for k in kept]
        mesh = np.unravel_index(np.arange(prod(shape)), shape)
        states = np.zeros((prod(shape), len(self.states)))
        score = np.zeros(prod(shape))
        for group, indices, choice in zip(groups, kept, mesh, strict=True):
            states[:, group] = self.states[group][indices[choice]]
            score += self.scores[group][indices[choice]]
        return _Combinations(score, states)

    def _probable_states(self, groups: Sequence[int]) -> list[IntArray]:
        """Bound the search: where combinations are too many, the best-scored states of each."""
        n_states = np.array([len(self.states[g]) for g in groups], dtype=np.float64)
        keep = int(n_states.max(initial=1))
        while np.minimum(n_states, keep).prod() > _MAX_COMBINATIONS:
            keep -= 1
        ranked = [np.argsort(-self.scores[g], kind="stable")[:keep] for g in groups]
        return [np.sort(best).astype(np.int64) for best in ranked]

    def _best(self, found: _Combinations) -> _Solution:
        has_evidence = bool(np.abs(self.sums).max() > 0.1)
        return _Solution(
            self._spread(found.states[0]),
            "bond_valence" if has_evidence else "composition",
            float(1.0 / np.exp(found.score - found.score[0]).sum()),
            len(found.score),
        )

    def _average_polyanion(self) -> FloatArray | None:
        """Let a chained anion (S–S, N3, P chains) take the average charge that is left over."""
        x = bond_valence_table().electronegativity[[self.atoms.z[g[0]] for g in self.groups]]
        anion = int(np.nanargmax(x))
        if not (self.is_chained[self.groups[anion]].any() or len(self.groups) == 2):
            return None
        chosen = np.array([s[int(np.argmax(sc))] for s, sc in self._positive_options()])
        rest = float((np.delete(self.counts, anion) * np.delete(chosen, anion)).sum())
        state = -rest / self.counts[anion]
        # NaN (an element without positive states) fails this comparison too.
        if not float(self.states[anion].min()) <= state < 0:
            return None
        chosen[anion] = state
        return chosen

    def _positive_options(self) -> list[tuple[FloatArray, FloatArray]]:
        kept = []
        for states, scores in zip(self.states, self.scores, strict=True):
            positive = states > 0
            empty = (np.array([np.nan]), np.array([0.0]))
            kept.append((states[positive], scores[positive]) if positive.any() else empty)
        return kept

    def _average_cation(self) -> FloatArray | None:
        """Mixed valence (Fe3O4, Li4Mo3O8-like): one metal takes a state between two of its own."""
        best: tuple[float, FloatArray] | None = None
        for index, states in enumerate(self.states):
            positive = states[states > 0]
            z = int(self.atoms.z[self.groups[index][0]])
            if len(positive) < 2 or bond_valence_table().is_anion_former[z]:
                continue
            candidate = self._with_average(index, float(positive.min()), float(positive.max()))
            if candidate is not None and (best is None or candidate[0] > best[0]):
                best = candidate
        return best[1] if best else None

    def _with_average(self, index: int, low: float, high: float) -> tuple[float, FloatArray] | None:
        found = self._combinations([k for k in range(len(self.states)) if k != index])
        state = -(found.states @ self.counts) / self.counts[index]
        possible = (low < state) & (state < high) & self._is_ionic(found.states)
        if not possible.any():
            return None
        best = int(np.argmax(np.where(possible, found.score, -np.inf)))
        states = found.states[best]
        states[index] = state[best]
        return float(found.score[best]), states

    def _spread(self, states: FloatArray) -> FloatArray:
        oxidation = np.zeros(len(self.atoms.z))
        for group, state in zip(self.groups, states, strict=True):
            oxidation[group] = state
        return oxidation
