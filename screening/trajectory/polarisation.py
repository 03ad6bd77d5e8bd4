"""Polarisation of the anions of a run, where Wannier centres are given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from ...data.errors import InputError
from ...data.trajectories.wannier import read_wannier
from ...features.core.prepared import PreparedStructure
from ...features.motion.polarisation import DEBYE_PER_E_A, anion_dipoles
from ...features.motion.shape import shape_of
from .framed import FramedRun

NOT_GIVEN: str = "no polarisation: no Wannier centres were given (--wannier)"
_NON_METALS = ("N", "O", "F", "P", "S", "Cl", "Se", "Br", "Te", "I", "H")


def polarisation_measures(
    files: Sequence[Path], run: FramedRun, prepared: PreparedStructure | None, notes: list[str]
) -> dict[str, object] | None:
    """Dipole of the anions by element: shape of its distribution, and modality.

    Parameters
    ----------
    files : sequence of path
        With Wannier centres; empty: None with a note.
    run : FramedRun
        Gives the cell and the anions.
    prepared : PreparedStructure, optional
        Roles; without them non-metals are taken for the anions.
    notes : list of str

    Raises
    ------
    InputError
        If the atoms are not those of the run.
    """
    if not files:
        notes.append(NOT_GIVEN)
        return None
    frames = read_wannier(files)
    if sorted(frames.species) != sorted(run.species):
        raise InputError(
            f"{files[0]}: {len(frames.species)} atoms that are not the {len(run.species)} of the "
            "run; give the centres of the same cell"
        )
    if prepared is None:
        elements = {e for e in frames.species if e in _NON_METALS and e != run.mobile}
    else:
        anion = prepared.roles.is_anion
        elements = {s for s, a in zip(run.species, anion, strict=True) if a}
    species = np.array(frames.species)
    anions = np.flatnonzero(np.isin(species, sorted(elements)))
    found = anion_dipoles(frames.atoms_A, frames.centres_A, anions, run.lattice)
    size = np.linalg.norm(found.dipole_e_A, axis=2) * DEBYE_PER_E_A
    out: dict[str, object] = {"n_frames": len(frames.atoms_A)}
    for element in sorted(elements):
        own = species[anions] == element
        shape = shape_of(size[:, own])
        out[element] = {
            "n_anions": int(own.sum()),
            "centres_per_anion": float(found.n_centres[:, own].mean()),
            "dipole_mean_D": float(size[:, own].mean()),
            **({} if shape is None else {f"dipole_{k}": v for k, v in asdict(shape).items()}),
        }
    return out
