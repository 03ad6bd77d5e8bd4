"""The host: the crystal without its mobile ions, in its own smallest cell.

What a mobile ion sees (its environment, its energy landscape) is a function of the host alone
and has the host's translations, which may be more than the crystal's. Working in the host's
primitive, reduced cell makes every number the same for a supercell, and cheaper.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from weakref import WeakKeyDictionary

import numpy as np

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from ..core.prepared import PreparedStructure
from ..core.primitive import finer_lattice, merge_coincident, minkowski_reduced, pure_translations
from .reduction import SAME_ATOM_A, CellSymmetry, canonical_frame, cell_symmetry


@dataclass(frozen=True, kw_only=True, eq=False)
class Host:
    """Host atoms and folded mobile ions in the host's primitive cell.

    Attributes
    ----------
    lattice : array (3, 3), Å
        Minkowski-reduced rows; right- or left-handed, whichever the crystal prefers.
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
    symmetry : CellSymmetry
        Of the host atoms with their elements, occupancies and charges.
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
    symmetry: CellSymmetry

    @cached_property
    def volume_A3(self) -> float:
        """Volume of the host cell, Å³."""
        return abs(float(np.linalg.det(self.lattice)))


_KNOWN: WeakKeyDictionary[PreparedStructure, Host] = WeakKeyDictionary()


def host_of(prepared: PreparedStructure) -> Host:
    """The host of a prepared structure, found once and shared by the families that use it.

    Raises
    ------
    FeatureError
        If nothing but mobile ions is there.
    """
    host = _KNOWN.get(prepared)
    if host is None:
        host = _KNOWN[prepared] = find_host(prepared)
    return host


def find_host(prepared: PreparedStructure) -> Host:
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
    translations = pure_translations(atoms.lattice, frac, kind, SAME_ATOM_A)
    lattice = minkowski_reduced(finer_lattice(atoms.lattice, translations))
    folded = frac @ atoms.lattice @ np.linalg.inv(lattice)
    first, host_of_member = merge_coincident(lattice, folded, kind, 2 * SAME_ATOM_A)
    frame = canonical_frame(lattice, folded[first], atoms.z[members][first])
    lattice, origin_A = frame.lattice, frame.origin_A
    to_host = np.linalg.inv(lattice)
    own = _wrapped((frac[first] @ atoms.lattice - origin_A) @ to_host)
    mobile = (atoms.frac[is_mobile] @ atoms.lattice - origin_A) @ to_host
    host_of_atom = np.full(len(is_mobile), -1, dtype=np.int64)
    host_of_atom[members] = host_of_member
    chosen = members[first]
    return Host(
        lattice=lattice,
        frac=own,
        z=atoms.z[chosen],
        occupancy=atoms.occupancy[chosen],
        oxidation=roles.oxidation[chosen],
        is_anion=roles.is_anion[chosen],
        host_of_atom=host_of_atom,
        mobile_frac=_wrapped(mobile),
        mobile_occupancy=atoms.occupancy[is_mobile],
        n_cells=len(translations),
        symmetry=cell_symmetry(lattice, own, kind[first], frame.origin),
    )


def _kinds(z: IntArray, occupancy: FloatArray, oxidation: FloatArray) -> IntArray:
    """One integer per distinct (element, occupancy, charge)."""
    columns = z.tolist(), occupancy.round(4).tolist(), oxidation.round(4).tolist()
    return numbered(zip(*columns, strict=True))[1]


def numbered(keys: Iterable[tuple[float, ...]]) -> tuple[list[tuple[float, ...]], IntArray]:
    """Distinct keys in order, and the number of each key among them.

    On the few atoms of a cell a tenth of the cost of ``np.unique`` along an axis.
    """
    given = list(keys)
    distinct = sorted(set(given))
    number = {key: k for k, key in enumerate(distinct)}
    return distinct, np.array([number[key] for key in given], dtype=np.int64)


def _wrapped(frac: FloatArray) -> FloatArray:
    wrapped = frac - np.floor(frac)
    wrapped[wrapped > 1.0 - 1e-9] = 0.0
    return np.ascontiguousarray(wrapped)
