"""The host: the crystal without its mobile ions, in its own smallest cell.

What a mobile ion sees (its environment, its energy landscape) is a function of the host alone
and has the host's translations, which may be more than the crystal's. Working in the host's
primitive, reduced cell makes every number the same for a supercell, and cheaper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numba import njit

from ..data.errors import FeatureError
from ..data.records import FloatArray, IntArray
from .prepared import PreparedStructure

TRANSLATION_TOLERANCE_A: Final[float] = 1e-3
"""Two host atoms closer than this after a translation are the same atom."""


@dataclass(frozen=True, eq=False)
class Host:
    """Host atoms and folded mobile ions in the host's primitive cell.

    Attributes
    ----------
    lattice : array (3, 3), Å
        Minkowski-reduced rows, right-handed.
    frac : array (n_host, 3)
        Host atoms; the origin lies on a host atom.
    z, occupancy, oxidation : arrays (n_host,)
    is_anion : bool array (n_host,)
    host_of_atom : array (n_atoms,)
        For each atom of the structure its host atom; −1 for mobile ions.
    mobile_frac : array (n_mobile, 3)
        Mobile ions of the whole structure, folded into the host cell.
    mobile_occupancy : array (n_mobile,)
    n_cells : int
        Host cells per cell of the structure.
    """

    lattice: FloatArray
    frac: FloatArray
    z: IntArray
    occupancy: FloatArray
    oxidation: FloatArray
    is_anion: np.ndarray
    host_of_atom: IntArray
    mobile_frac: FloatArray
    mobile_occupancy: FloatArray
    n_cells: int

    @property
    def volume_A3(self) -> float:
        """Volume of the host cell, Å³."""
        return abs(float(np.linalg.det(self.lattice)))


def host_of(prepared: PreparedStructure) -> Host:
    """Remove the mobile ions and reduce what is left to its primitive cell.

    Raises
    ------
    FeatureError
        If nothing but mobile ions is there.
    """
    atoms, roles = prepared.atoms, prepared.roles
    is_mobile = roles.is_mobile
    members = np.flatnonzero(~is_mobile)
    if len(members) == 0:
        raise FeatureError(f"{atoms.id}: only mobile ions; there is no host")
    frac = atoms.frac[members]
    kind = _kinds(atoms.z[members], atoms.occupancy[members], roles.oxidation[members])
    translations = host_translations(atoms.lattice, frac, kind)
    lattice = minkowski_reduced(_finer_lattice(atoms.lattice, translations))
    to_host = atoms.lattice @ np.linalg.inv(lattice)
    folded = frac @ to_host
    first, host_of_member = _merge(lattice, folded, kind)
    origin = folded[first[_anchor(lattice, folded[first], atoms.z[members][first])]]
    host_of_atom = np.full(len(is_mobile), -1, dtype=np.int64)
    host_of_atom[members] = host_of_member
    chosen = members[first]
    return Host(
        lattice,
        _wrapped(folded[first] - origin),
        atoms.z[chosen],
        atoms.occupancy[chosen],
        roles.oxidation[chosen],
        roles.is_anion[chosen],
        host_of_atom,
        _wrapped(atoms.frac[is_mobile] @ to_host - origin),
        atoms.occupancy[is_mobile],
        len(translations),
    )


def _wrapped(frac: FloatArray) -> FloatArray:
    wrapped = frac - np.floor(frac)
    wrapped[wrapped > 1.0 - 1e-9] = 0.0
    return np.ascontiguousarray(wrapped)


def _kinds(z: IntArray, occupancy: FloatArray, oxidation: FloatArray) -> IntArray:
    """One integer per distinct (element, occupancy, charge)."""
    key = np.column_stack([z, np.round(occupancy, 4), np.round(oxidation, 4)])
    return np.unique(key, axis=0, return_inverse=True)[1].reshape(-1).astype(np.int64)


def host_translations(lattice: FloatArray, frac: FloatArray, kind: IntArray) -> FloatArray:
    """Fractional translations that map the atoms onto themselves, the zero one included.

    Parameters
    ----------
    lattice : array (3, 3), Å
    frac : array (n, 3)
    kind : array (n,)
        Atoms of different kinds never coincide.

    Returns
    -------
    array (n_translations, 3)
    """
    counts = np.bincount(kind)
    rarest = np.flatnonzero(kind == int(np.argmin(counts)))
    # The number of translations divides every count: a common divisor of 1 ends the search.
    if np.gcd.reduce(counts) == 1:
        return np.zeros((1, 3))
    candidates = frac[rarest] - frac[rarest[0]]
    found = _self_translations(lattice, frac, kind, candidates, TRANSLATION_TOLERANCE_A)
    return candidates[found] - np.rint(candidates[found])


@njit(cache=True)
def _self_translations(lattice, frac, kind, candidates, tolerance):  # type: ignore[no-untyped-def]
    n = len(frac)
    found = np.zeros(len(candidates), dtype=np.bool_)
    for c in range(len(candidates)):
        complete = True
        for a in range(n):
            hit = False
            for b in range(n):
                if kind[a] == kind[b]:
                    u = frac[a, 0] + candidates[c, 0] - frac[b, 0]
                    v = frac[a, 1] + candidates[c, 1] - frac[b, 1]
                    w = frac[a, 2] + candidates[c, 2] - frac[b, 2]
                    u -= np.rint(u)
                    v -= np.rint(v)
                    w -= np.rint(w)
                    distance2 = 0.0
                    for k in range(3):
                        x = u * lattice[0, k] + v * lattice[1, k] + w * lattice[2, k]
                        distance2 += x * x
                    if distance2 < tolerance * tolerance:
                        hit = True
                        break
            if not hit:
                complete = False
                break
        found[c] = complete
    return found


def _finer_lattice(lattice: FloatArray, translations: FloatArray) -> FloatArray:
    """Lattice spanned by the cell and the translations found in it."""
    n = len(translations)
    if n == 1:
        return lattice
    # Translations form a group of order n, so n times each is an integer vector.
    rows = [[int(x) for x in row] for row in np.rint(translations * n)]
    rows += [[n if i == j else 0 for j in range(3)] for i in range(3)]
    basis = np.array(_integer_basis(rows), dtype=np.float64) / n
    return basis @ lattice


def _integer_basis(rows: list[list[int]]) -> list[list[int]]:
    """Basis of the lattice spanned by integer rows (Hermite normal form, three columns)."""
    basis = []
    for column in range(3):
        while True:
            active = [r for r in rows if r[column] != 0]
            if len(active) <= 1:
                break
            pivot = min(active, key=lambda r: abs(r[column]))
            for row in active:
                if row is not pivot:
                    factor = row[column] // pivot[column]
                    for k in range(3):
                        row[k] -= factor * pivot[k]
        basis.append(active[0])
        rows = [r for r in rows if r is not active[0]]
    return basis


def minkowski_reduced(lattice: FloatArray) -> FloatArray:
    """Right-handed basis of the same lattice with the shortest possible vectors.

    Parameters
    ----------
    lattice : array (3, 3), Å

    Notes
    -----
    Greedy reduction in three dimensions: Nguyen & Stehlé 2004, 10.1007/978-3-540-24847-7_26.
    """
    basis = np.array(lattice, dtype=np.float64)
    for _ in range(200):
        basis = basis[np.argsort((basis**2).sum(axis=1).round(9), kind="stable")]
        shorter = basis[2] - _closest_in_plane(basis[0], basis[1], basis[2])
        if (
            basis[1] @ basis[1] > 0
            and abs(basis[0] @ basis[1]) * 2 > basis[0] @ basis[0] * 1.0000001
        ):
            basis[1] -= np.rint(basis[0] @ basis[1] / (basis[0] @ basis[0])) * basis[0]
            continue
        if shorter @ shorter >= basis[2] @ basis[2] * (1 - 1e-9):
            break
        basis[2] = shorter
    if np.linalg.det(basis) < 0:
        basis = -basis
    return np.ascontiguousarray(basis)


def _closest_in_plane(a: FloatArray, b: FloatArray, point: FloatArray) -> FloatArray:
    """Vector of the lattice spanned by a and b that is closest to a point."""
    gram = np.array([[a @ a, a @ b], [a @ b, b @ b]])
    start = np.floor(np.linalg.solve(gram, np.array([a @ point, b @ point])))
    best, smallest = np.zeros(3), np.inf
    for i in (-1, 0, 1, 2):
        for j in (-1, 0, 1, 2):
            candidate = (start[0] + i) * a + (start[1] + j) * b
            distance = float(((point - candidate) ** 2).sum())
            if distance < smallest * (1 - 1e-12):
                best, smallest = candidate, distance
    return best


def _merge(lattice: FloatArray, frac: FloatArray, kind: IntArray) -> tuple[IntArray, IntArray]:
    """First of each set of coinciding atoms, and to which of them each atom belongs."""
    first, belongs = _coincident(lattice, frac, kind, 2 * TRANSLATION_TOLERANCE_A)
    return first, belongs


@njit(cache=True)
def _coincident(lattice, frac, kind, tolerance):  # type: ignore[no-untyped-def]
    n = len(frac)
    belongs = np.empty(n, dtype=np.int64)
    first = np.empty(n, dtype=np.int64)
    count = 0
    for a in range(n):
        belongs[a] = -1
        for c in range(count):
            b = first[c]
            if kind[a] == kind[b]:
                distance2 = 0.0
                u = frac[a] - frac[b]
                u = u - np.rint(u)
                for k in range(3):
                    x = u[0] * lattice[0, k] + u[1] * lattice[1, k] + u[2] * lattice[2, k]
                    distance2 += x * x
                if distance2 < tolerance * tolerance:
                    belongs[a] = c
                    break
        if belongs[a] < 0:
            belongs[a] = count
            first[count] = a
            count += 1
    return first[:count].copy(), belongs


def _anchor(lattice: FloatArray, frac: FloatArray, z: IntArray) -> int:
    """Atom to put the origin on: of the rarest element, the one with the densest surroundings.

    The choice does not depend on the order or origin of the atoms, so neither does a grid that
    starts there.
    """
    counts = np.bincount(z)
    candidates = np.flatnonzero(counts[z] == counts[counts > 0].min())
    candidates = candidates[z[candidates] == z[candidates].min()]
    if len(candidates) == 1:
        return int(candidates[0])
    crowding = _crowding(lattice, frac, z, candidates)
    return int(candidates[int(np.argmax(crowding.round(6)))])


@njit(cache=True)
def _crowding(lattice, frac, z, candidates):  # type: ignore[no-untyped-def]
    crowding = np.zeros(len(candidates))
    for c in range(len(candidates)):
        for b in range(len(frac)):
            for i in range(-1, 2):
                for j in range(-1, 2):
                    for k in range(-1, 2):
                        u = frac[b] - frac[candidates[c]]
                        distance2 = 0.0
                        for m in range(3):
                            x = (
                                (u[0] - np.rint(u[0]) + i) * lattice[0, m]
                                + (u[1] - np.rint(u[1]) + j) * lattice[1, m]
                                + (u[2] - np.rint(u[2]) + k) * lattice[2, m]
                            )
                            distance2 += x * x
                        crowding[c] += z[b] * np.exp(-distance2 / 8.0)
    return crowding
