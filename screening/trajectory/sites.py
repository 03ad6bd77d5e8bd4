"""Sites of the mobile ion taken from a crystal structure and laid into the cell of a run."""

from __future__ import annotations

from typing import Final

import numpy as np

from ...data.errors import InputError
from ...data.records import FloatArray, IntArray, StructureRecord
from ...features.motion.sites import nearest_sites
from .frustration import FramedRun

CELL_TOLERANCE: Final[float] = 0.08
"""Simulated and measured cell edges differ by a few per cent."""
FIT_TOLERANCE_A: Final[float] = 0.7
"""Mean misfit of the frameworks beyond which the structure is another one, or turned."""


def sites_from_structure(record: StructureRecord, run: FramedRun) -> FloatArray:
    """Lay the mobile sites of a structure into the cell of a run.

    The cell of the run must be a supercell of the structure's, in the same orientation; the origin
    (and inversion) is found by fitting the frameworks.

    Parameters
    ----------
    record : StructureRecord
        Structure with (partly occupied) sites of the mobile ion.
    run : FramedRun

    Returns
    -------
    array (n_sites, 3), fractional in the cell of the run

    Raises
    ------
    InputError
        If cells or frameworks do not fit.
    """
    frac, parent = _supercell(record, run)
    content = [{species.element for species in site} for site in record.species]
    mobile = np.array([run.species[0] in site for site in content])[parent]
    if not mobile.any():
        raise InputError(f"{record.id}: no site of {run.species[0]} in it")
    atoms = run.frac[:, run.n_mobile :].mean(axis=0)
    species = np.array(run.species[run.n_mobile :])
    pairs = [
        # A mixed site may hold any of its elements.
        (frac[np.array([element in site for site in content])[parent]], atoms[species == element])
        for element in sorted(set(species.tolist()), key=lambda e: int((species == e).sum()))
    ]
    pairs = [pair for pair in pairs if len(pair[0])]
    if not pairs:
        raise InputError(f"{record.id}: no framework element in common with the run")
    # A crystal and its inverse have the same distances, and papers use both settings.
    fits = {sign: _origin([(sign * s, a) for s, a in pairs], run.lattice) for sign in (1, -1)}
    sign = min(fits, key=lambda s: fits[s][1])
    shift, misfit = fits[sign]
    if misfit > FIT_TOLERANCE_A:
        raise InputError(
            f"{record.id}: its framework misses that of the run by {misfit:.1f} Å on average; give "
            "the same phase in the same setting, or let the sites come from the density"
        )
    placed = sign * frac[mobile] + shift
    return placed - np.floor(placed)


def _supercell(record: StructureRecord, run: FramedRun) -> tuple[FloatArray, IntArray]:
    """Repeat a cell to fill that of the run: fractional places there, and the site of each."""
    matrix = np.rint(run.lattice @ np.linalg.inv(record.lattice))
    strain = np.abs(run.lattice - matrix @ record.lattice).max()
    if abs(np.linalg.det(matrix)) < 0.5 or strain > CELL_TOLERANCE * np.abs(run.lattice).max():
        edges = [np.linalg.norm(m, axis=1) for m in (run.lattice, record.lattice)]
        own, other = (", ".join(f"{x:.2f}" for x in e) for e in edges)
        raise InputError(
            f"{record.id}: the cell of the run is no whole multiple of its cell ({own} against "
            f"{other} Å); give the structure in the setting and orientation that was simulated"
        )
    corners = np.array(list(np.ndindex(2, 2, 2))) @ matrix
    low, high = corners.min(axis=0).astype(int) - 1, corners.max(axis=0).astype(int) + 1
    shifts = np.array(list(np.ndindex(*(high - low + 1)))) + low
    places = (record.frac[:, None] + shifts[None]) @ np.linalg.inv(matrix)
    inside = ((places > -1e-9) & (places < 1.0 - 1e-9)).all(axis=2)
    parent = np.broadcast_to(np.arange(record.n_sites)[:, None], inside.shape)
    return places[inside], parent[inside]


Pairs = list[tuple[FloatArray, FloatArray]]
"""Sites of a structure and atoms of the run, element by element, the rarest first."""


def _origin(pairs: Pairs, lattice: FloatArray) -> tuple[FloatArray, float]:
    """Shift of origin that brings the frameworks together, and the mean misfit that is left, Å."""
    sites, atoms = pairs[0]
    tried = [_misfit(pairs, atom - sites[0], lattice) for atom in atoms]
    shift, misfit = min(tried, key=lambda fit: fit[1])
    # The atom that gave the first shift is itself displaced: fit once more to all.
    again, better = _misfit(pairs, shift, lattice)
    return (again, better) if better < misfit else (shift, misfit)


def _misfit(pairs: Pairs, shift: FloatArray, lattice: FloatArray) -> tuple[FloatArray, float]:
    """Improve a shift by the mean residual; also the mean over elements of the misfit, Å."""
    residuals = []
    for sites, atoms in pairs:
        nearest = nearest_sites(atoms[None], sites + shift, lattice)[0]
        apart = atoms - sites[nearest] - shift
        residuals.append(apart - np.rint(apart))
    mean = np.mean([r.mean(axis=0) for r in residuals], axis=0)
    left = [np.linalg.norm((r - mean) @ lattice, axis=1).mean() for r in residuals]
    return shift + mean, float(np.mean(left))
