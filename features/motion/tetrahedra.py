"""Tetrahedra of an anion lattice as sites of the mobile ion, each with its topological type.

In tetrahedrally close-packed anion lattices (argyrodites, MgCu2 type) space is filled by nearly
regular tetrahedra, and mobile ions sit in them (Morgan 2021, 10.1021/acs.chemmater.0c03738). Types
are told by how tetrahedra and anions are connected, not by distances, so that the vibration of a
run and the mixing of anions over their sites do not split them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray
from .sites import nearest_sites

MARGIN: Final[float] = 0.5
"""Images of anions around the cell, fractions of it."""
SAME_SPHERE: Final[float] = 0.04
"""A fifth anion this near to the sphere about a tetrahedron, of its radius, makes it arbitrary."""
MOST_ARBITRARY: Final[float] = 0.2
ROUNDS: Final[int] = 4
"""Shells of neighbours that tell types apart; two would do for MgCu2."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Tetrahedra:
    """Tetrahedra of one cell.

    Attributes
    ----------
    centre_frac : array (n, 3)
    vertices : int array (n, 4)
        Anions, by their number in the list given.
    holds_cation : bool array (n,)
        Whether a framework cation sits in it.
    kind : int array (n,)
        Topological type, the most numerous first.
    """

    centre_frac: FloatArray
    vertices: IntArray
    holds_cation: np.ndarray
    kind: IntArray
    _mesh: Any
    _index_of_simplex: IntArray

    def locate(self, frac: FloatArray, lattice: FloatArray, allowed: np.ndarray) -> IntArray:
        """Tetrahedron of each point.

        Parameters
        ----------
        frac : array (n_frames, n_ions, 3)
        lattice : array (3, 3), Å
        allowed : bool array (n,)
            A point in any other one goes to the nearest centre among these.

        Returns
        -------
        int array (n_frames, n_ions)
        """
        folded = frac - np.floor(frac)
        found = self._mesh.find_simplex(folded.reshape(-1, 3) @ lattice)
        index = np.where(found >= 0, self._index_of_simplex[found], -1)
        index = index.reshape(frac.shape[:2])
        bad = (index < 0) | ~allowed[np.maximum(index, 0)]
        if bad.any():
            choice = np.flatnonzero(allowed)
            nearest = nearest_sites(folded[bad][None], self.centre_frac[choice], lattice)[0]
            index[bad] = choice[nearest]
        return np.asarray(index, dtype=np.int64)


def find_tetrahedra(
    anions_frac: FloatArray, cations_frac: FloatArray, lattice: FloatArray
) -> Tetrahedra:
    """Divide a cell into the tetrahedra of its anions (Delaunay).

    Parameters
    ----------
    anions_frac : array (n_anions, 3)
        Mean places.
    cations_frac : array (n_cations, 3)
        Framework cations; may be empty.
    lattice : array (3, 3), Å

    Raises
    ------
    FeatureError
        If the anion lattice is not divided into tetrahedra by itself: a close packing with
        octahedra leaves flat ones, whose choice is arbitrary.
    """
    from scipy.spatial import Delaunay

    base = anions_frac - np.floor(anions_frac)
    shifts = np.array(list(np.ndindex(3, 3, 3))) - 1
    images = (base[None] + shifts[:, None]).reshape(-1, 3)
    near = ((images > -MARGIN) & (images < 1.0 + MARGIN)).all(axis=1)
    owner = np.tile(np.arange(len(base)), len(shifts))[near]
    image = np.repeat(shifts, len(base), axis=0)[near]
    mesh = Delaunay(images[near] @ lattice)
    corners = images[near][mesh.simplices]
    centre = corners.mean(axis=1)
    keys = _keys(owner[mesh.simplices], image[mesh.simplices])
    inside = ((centre > -1e-6) & (centre < 1.0 + 1e-6)).all(axis=1)
    # By name: a centre on a face of the cell would count twice, or with rounding not at all.
    once = {keys[k]: k for k in np.flatnonzero(inside).tolist()}
    chosen = np.array(list(once.values()), dtype=np.int64)
    first = {key: n for n, key in enumerate(once)}
    index = np.array([first.get(key, -1) for key in keys], dtype=np.int64)
    _check_unique(mesh, chosen)
    vertices = owner[mesh.simplices][chosen]
    holds = np.zeros(len(chosen), dtype=bool)
    if len(cations_frac):
        where = mesh.find_simplex((cations_frac - np.floor(cations_frac)) @ lattice)
        holds[index[where][index[where] >= 0]] = True
    return Tetrahedra(
        centre_frac=centre[chosen],
        vertices=vertices,
        holds_cation=holds,
        kind=_types(vertices, holds, index[mesh.neighbors[chosen]], len(base)),
        _mesh=mesh,
        _index_of_simplex=index,
    )


def _keys(owner: IntArray, image: IntArray) -> list[tuple[tuple[int, ...], ...]]:
    """Name of each tetrahedron that its periodic images share."""
    out: list[tuple[tuple[int, ...], ...]] = []
    for atoms, cells in zip(owner.tolist(), image.tolist(), strict=True):
        corners = sorted(zip(atoms, map(tuple, cells), strict=True))
        x, y, z = corners[0][1]
        out.append(tuple(sorted((a, i - x, j - y, k - z) for a, (i, j, k) in corners)))
    return out


def _check_unique(mesh: Any, chosen: IntArray) -> None:
    """Refuse a lattice where five or six anions lie on one sphere: its division is arbitrary."""
    corners = mesh.points[mesh.simplices[chosen]]
    edges = corners[:, 1:] - corners[:, :1]
    centre = np.linalg.solve(edges, 0.5 * np.square(edges).sum(axis=2)[..., None])[..., 0]
    radius = np.linalg.norm(centre, axis=1)
    across = mesh.neighbors[chosen]
    # The corner of a neighbour that is not shared is the one it has opposite of this tetrahedron.
    back = np.argmax(mesh.neighbors[across] == chosen[:, None, None], axis=2)
    opposite = mesh.points[np.take_along_axis(mesh.simplices[across], back[..., None], 2)[..., 0]]
    distance = np.linalg.norm(opposite - (centre + corners[:, 0])[:, None], axis=2)
    share = float((distance < (1.0 + SAME_SPHERE) * radius[:, None]).any(axis=1).mean())
    if share > MOST_ARBITRARY:
        raise FeatureError(
            f"{100 * share:.0f} % of the tetrahedra of the anion lattice could be cut otherwise: "
            "it has octahedra; give the sites as a structure"
        )


def _types(vertices: IntArray, holds: np.ndarray, across: IntArray, n_anions: int) -> IntArray:
    """Types by refinement: what touches what, shell by shell (Weisfeiler & Leman 1968).

    ``across`` (n, 4) names the tetrahedra behind the faces of each.
    """
    own: list[object] = [bool(h) for h in holds]
    corner: list[object] = [0] * n_anions
    touching: list[list[int]] = [[] for _ in range(n_anions)]
    for number, atoms in enumerate(vertices.tolist()):
        for atom in atoms:
            touching[atom].append(number)
    for _ in range(ROUNDS):
        corner = _numbered(
            [(corner[a], *sorted(str(own[t]) for t in touching[a])) for a in range(n_anions)]
        )
        own = _numbered(
            [
                (
                    own[t],
                    tuple(sorted(str(corner[a]) for a in atoms)),
                    tuple(sorted(str(own[f]) for f in across[t].tolist())),
                )
                for t, atoms in enumerate(vertices.tolist())
            ]
        )
    count = np.bincount(np.array(own, dtype=np.int64))
    order = np.argsort(np.argsort(-count, kind="stable"))
    return np.asarray(order[np.array(own, dtype=np.int64)])


def _numbered(keys: list[tuple[object, ...]]) -> list[object]:
    names = {key: k for k, key in enumerate(dict.fromkeys(keys))}
    return [names[key] for key in keys]
