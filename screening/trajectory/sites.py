"""Sites of the mobile ion, each with its crystallographic type, in the cell of a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.elements import ATOMIC_NUMBER
from ...data.errors import InputError
from ...data.records import FloatArray, IntArray, StructureRecord
from ...features.core.prepared import PreparedStructure
from ...features.motion.density import density_sites, probability_density
from ...features.motion.groups import Group, bonded_groups, folded
from ...features.motion.sites import nearest_sites, types_by_environment
from ...features.motion.tetrahedra import Tetrahedra, find_tetrahedra
from .framed import FramedRun

CELL_TOLERANCE: Final[float] = 0.08
"""Simulated and measured cell edges differ by a few per cent."""
FIT_TOLERANCE_A: Final[float] = 0.7
"""Mean misfit of the frameworks beyond which the structure is another one, or turned."""
EQUAL_FIT_A: Final[float] = 0.05
"""Fits this close are equally good for the framework; the mobile ions choose among them."""
ORBIT_TOLERANCE_A: Final[float] = 0.05
"""Symmetry tolerance, Å: printed coordinates are rounded, relaxed ones scatter."""


@dataclass(frozen=True, eq=False, kw_only=True)
class SiteSet:
    """Sites of the mobile ion in the cell of a run.

    Attributes
    ----------
    frac : array (n_sites, 3)
    kind : tuple of str, length n_sites
        Crystallographic type of each site.
    source : str
        ``structure``, ``density`` or ``tetrahedra``.
    tetrahedra : Tetrahedra, optional
        Where an ion belongs to the tetrahedron that it is in, not to the nearest site.
    """

    frac: FloatArray
    kind: tuple[str, ...]
    source: str
    tetrahedra: Tetrahedra | None = None

    def __len__(self) -> int:
        return len(self.frac)

    def assign(self, frac: FloatArray, lattice: FloatArray) -> IntArray:
        """Site of every ion in every frame, (n_frames, n_ions)."""
        if self.tetrahedra is None:
            return nearest_sites(frac, self.frac, lattice)
        free = ~self.tetrahedra.holds_cation
        number = np.cumsum(free) - 1
        return np.asarray(number[self.tetrahedra.locate(frac, lattice, free)])


def sites_from_tetrahedra(run: FramedRun, prepared: PreparedStructure) -> SiteSet:
    """Tetrahedra of the anion lattice without a framework cation, by topological type.

    Parameters
    ----------
    run : FramedRun
    prepared : PreparedStructure
        Roles of the atoms of the run.

    Raises
    ------
    FeatureError
        If the anions do not divide space into tetrahedra.
    """
    anion, cation = prepared.roles.is_anion, prepared.roles.is_framework_cation
    mean = run.frac.mean(axis=0)
    found = find_tetrahedra(mean[anion], mean[cation], run.lattice)
    free = ~found.holds_cation
    bonded = np.unique(found.vertices[found.holds_cation])
    n_bonded = np.isin(found.vertices, bonded).sum(axis=1)
    order = {k: n + 1 for n, k in enumerate(dict.fromkeys(np.sort(found.kind[free]).tolist()))}
    kind = tuple(
        f"T{order[k]} ({b} bonded, {4 - b} free anions)"
        for k, b in zip(found.kind[free].tolist(), n_bonded[free].tolist(), strict=True)
    )
    return SiteSet(frac=found.centre_frac[free], kind=kind, source="tetrahedra", tetrahedra=found)


def sites_from_density(run: FramedRun) -> SiteSet:
    """Maxima of the mobile-ion density; those with the same surroundings are of one type."""
    density = probability_density(run.mobile_frac, run.lattice, 0.35, smear_A=0.4)
    frac = density_sites(density, run.lattice, separation_A=1.2)
    number = types_by_environment(frac, run.host_frac, run.host_species, run.lattice)
    kind = tuple(f"{run.mobile}{k + 1}" for k in number.tolist())
    return SiteSet(frac=frac, kind=kind, source="density")


def sites_from_structure(record: StructureRecord, run: FramedRun) -> SiteSet:
    """Lay the mobile sites of a structure into the cell of a run.

    The cell of the run must be a supercell of the structure's, in the same setting; the origin
    (and inversion) is found by fitting the frameworks, by the centres of polyanions where there are
    any, because a turning ligand has no place of its own. Where frameworks fit equally well in
    several ways, the mobile ions choose.

    Parameters
    ----------
    record : StructureRecord
        Structure with (partly occupied) sites of the mobile ion.
    run : FramedRun

    Returns
    -------
    SiteSet
        Types are the crystallographic orbits of the structure.

    Raises
    ------
    InputError
        If cells or frameworks do not fit.
    """
    frac, parent, matrix = _supercell(record, run)
    content = [{species.element for species in site} for site in record.species]
    mobile = np.array([run.mobile in site for site in content])[parent]
    if not mobile.any():
        raise InputError(f"{record.id}: no site of {run.mobile} in it")
    pairs = _centres(frac, parent, content, run) or _atoms(frac, parent, content, run)
    if not pairs:
        raise InputError(f"{record.id}: no framework element in common with the run")
    placed = _best_place(record, run, frac[mobile], pairs, matrix)
    orbits = site_orbits(record, run.mobile)
    return SiteSet(
        frac=placed - np.floor(placed),
        kind=tuple(orbits[p] for p in parent[mobile].tolist()),
        source="structure",
    )


def site_orbits(record: StructureRecord, mobile: str) -> list[str]:
    """Name of the crystallographic orbit of every site, such as ``Li 48h`` or ``Li 16e (2)``.

    Parameters
    ----------
    record : StructureRecord
        In any cell; symmetry is searched at :data:`ORBIT_TOLERANCE_A`.
    mobile : str
        Element that names the orbits.

    Returns
    -------
    list of str, length n_sites
        Every site on its own where no symmetry is found.
    """
    import moyopy

    kinds = {content: k for k, content in enumerate(dict.fromkeys(record.species))}
    numbers = [kinds[content] for content in record.species]
    cell = moyopy.Cell(record.lattice.tolist(), record.frac.tolist(), numbers)
    try:
        found = moyopy.MoyoDataset(cell, symprec=ORBIT_TOLERANCE_A, rotate_basis=False)
    except ValueError:
        return [f"{mobile} site {k + 1}" for k in range(record.n_sites)]
    orbits, wyckoffs = list(found.orbits), list(found.wyckoffs)
    # Multiplicities in the conventional cell, whatever cell was given.
    ratio = len(found.std_cell.numbers) / record.n_sites
    names: dict[int, str] = {}
    used: dict[str, int] = {}
    for site, orbit in enumerate(orbits):
        is_mobile = any(s.element == mobile for s in record.species[site])
        if is_mobile and orbit not in names:
            name = f"{mobile} {round(orbits.count(orbit) * ratio)}{wyckoffs[site]}"
            used[name] = used.get(name, 0) + 1
            names[orbit] = name if used[name] == 1 else f"{name} ({used[name]})"
    return [names.get(orbit, "") for orbit in orbits]


def _supercell(record: StructureRecord, run: FramedRun) -> tuple[FloatArray, IntArray, FloatArray]:
    """Repeat a cell to fill that of the run: places there, the site of each, the multiple."""
    matrix = _multiple(run.lattice, record.lattice)
    if matrix is None:
        # The same cell may be drawn in another Cartesian frame: compare edges and angles.
        matrix = _multiple(_upright(run.lattice), _upright(record.lattice))
    if matrix is None:
        edges = [np.linalg.norm(m, axis=1) for m in (run.lattice, record.lattice)]
        own, other = (", ".join(f"{x:.2f}" for x in e) for e in edges)
        raise InputError(
            f"{record.id}: the cell of the run (edges {own} Å) is no whole multiple of its cell "
            f"({other} Å); give the structure in the cell and orientation that was simulated"
        )
    corners = np.array(list(np.ndindex(2, 2, 2))) @ matrix
    low, high = corners.min(axis=0).astype(int) - 1, corners.max(axis=0).astype(int) + 1
    shifts = np.array(list(np.ndindex(*(high - low + 1)))) + low
    places = (record.frac[:, None] + shifts[None]) @ np.linalg.inv(matrix)
    inside = ((places > -1e-9) & (places < 1.0 - 1e-9)).all(axis=2)
    parent = np.broadcast_to(np.arange(record.n_sites)[:, None], inside.shape)
    return places[inside], parent[inside], matrix


def _multiple(large: FloatArray, small: FloatArray) -> FloatArray | None:
    """Integer matrix from the small cell to the large one; None where there is none."""
    matrix = np.rint(large @ np.linalg.inv(small))
    strain = np.abs(large - matrix @ small).max()
    fits = abs(np.linalg.det(matrix)) > 0.5 and strain <= CELL_TOLERANCE * np.abs(large).max()
    return np.asarray(matrix) if fits else None


def _upright(lattice: FloatArray) -> FloatArray:
    """The same cell with a along x and b in the xy plane."""
    lower = np.linalg.cholesky(lattice @ lattice.T)
    return np.asarray(lower)


Pairs = list[tuple[FloatArray, FloatArray]]
"""Places in a structure and in the run, kind by kind, the rarest first."""


def _atoms(frac: FloatArray, parent: IntArray, content: list[set[str]], run: FramedRun) -> Pairs:
    species = np.array(run.host_species)
    pairs = [
        # A mixed site may hold any of its elements.
        (
            frac[np.array([element in site for site in content])[parent]],
            run.host_frac[species == element],
        )
        for element in sorted(set(species.tolist()), key=lambda e: int((species == e).sum()))
    ]
    return [pair for pair in pairs if len(pair[0])]


def _centres(frac: FloatArray, parent: IntArray, content: list[set[str]], run: FramedRun) -> Pairs:
    """Centres of bonded groups of several atoms, where structure and run have the same ones."""
    first = [next(iter(sorted(site))) for site in content]
    host = np.array([run.mobile not in site for site in content])[parent]
    z = np.array([ATOMIC_NUMBER[e] for e in first], dtype=np.int64)[parent]
    given = _groups_by_formula(frac[host], z[host], run.lattice)
    frames = run.frac[:, run.n_mobile :]
    seen = _groups_by_formula(frames, run.z[run.n_mobile :], run.lattice)
    common = [f for f in given if len(f) > 1 and len(given[f]) == len(seen.get(f, ()))]
    mean = run.host_frac - frames[0] + folded(frames[0])
    return [
        (_centroids(folded(frac[host]), given[f]), _centroids(mean, seen[f]))
        for f in sorted(common, key=lambda f: len(given[f]))
    ]


def _groups_by_formula(
    frac: FloatArray, z: IntArray, lattice: FloatArray
) -> dict[tuple[int, ...], list[Group]]:
    """Finite bonded groups, keyed by their sorted atomic numbers."""
    out: dict[tuple[int, ...], list[Group]] = {}
    if len(z):
        for group in bonded_groups(lattice, frac, z):
            out.setdefault(tuple(sorted(z[group.atoms].tolist())), []).append(group)
    return out


def _centroids(frac: FloatArray, groups: list[Group]) -> FloatArray:
    return np.array([(frac[g.atoms] + g.image).mean(axis=0) for g in groups])


def _best_place(
    record: StructureRecord, run: FramedRun, sites: FloatArray, pairs: Pairs, matrix: FloatArray
) -> FloatArray:
    """Places of the sites under the origin and hand that fit best."""
    # A crystal and its inverse have the same distances, and papers use both settings.
    fits = [
        (misfit, sign, shift)
        for sign in (1, -1)
        for shift, misfit in _origins([(sign * s, a) for s, a in pairs], run.lattice)
    ]
    best = min(misfit for misfit, _, _ in fits)
    if best > FIT_TOLERANCE_A:
        raise InputError(
            f"{record.id}: its framework misses that of the run by {best:.1f} Å on average; give "
            "the same phase in the same setting, or let the sites come from the density"
        )
    equal: dict[tuple[int, ...], FloatArray] = {}
    for misfit, sign, shift in sorted(fits, key=lambda fit: fit[0]):
        if misfit <= best + EQUAL_FIT_A:
            # Shifts that differ by a lattice vector of the structure place the same sites.
            step = np.rint(10.0 * (shift @ matrix)).astype(int) % 10
            equal.setdefault((sign, *step.tolist()), sign * sites + shift)
    return min(equal.values(), key=lambda placed: _distance_to_sites(run, placed))


def _distance_to_sites(run: FramedRun, placed: FloatArray) -> float:
    """Mean squared distance of the mobile ions to the nearest site, Å², over 50 frames."""
    frames = run.mobile_frac[:: max(1, len(run.frac) // 50)]
    apart = frames - placed[nearest_sites(frames, placed, run.lattice)]
    apart = (apart - np.rint(apart)) @ run.lattice
    return float(np.square(apart).sum(axis=2).mean())


def _origins(pairs: Pairs, lattice: FloatArray) -> list[tuple[FloatArray, float]]:
    """Shifts of origin that bring the frameworks together, with the mean misfit left, Å."""
    sites, atoms = pairs[0]
    found: list[tuple[FloatArray, float]] = []
    for atom in atoms:
        shift, misfit = _misfit(pairs, atom - sites[0], lattice)
        # The atom that gave the first shift is itself displaced: fit once more to all.
        again, better = _misfit(pairs, shift, lattice)
        found.append((again, better) if better < misfit else (shift, misfit))
    best = min(misfit for _, misfit in found)
    return [(s, m) for s, m in found if m <= best + EQUAL_FIT_A]


def _misfit(pairs: Pairs, shift: FloatArray, lattice: FloatArray) -> tuple[FloatArray, float]:
    """Improve a shift by the mean residual; also the mean over kinds of the misfit, Å."""
    residuals = []
    for sites, atoms in pairs:
        nearest = nearest_sites(atoms[None], sites + shift, lattice)[0]
        apart = atoms - sites[nearest] - shift
        residuals.append(apart - np.rint(apart))
    mean = np.mean([r.mean(axis=0) for r in residuals], axis=0)
    left = [np.linalg.norm((r - mean) @ lattice, axis=1).mean() for r in residuals]
    return shift + mean, float(np.mean(left))
