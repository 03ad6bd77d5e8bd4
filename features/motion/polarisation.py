"""Electric dipoles of anions from Wannier centres (Wood 2021, section 3c).

The valence electrons of an anion are the Wannier centres nearest to it. Where these shift against
the nucleus, the anion is polarised; how the size of that shift is distributed, with one mode or
more, is a measure of chemical frustration.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray

ELECTRONS_PER_CENTRE: Final[float] = 2.0
DEBYE_PER_E_A: Final[float] = 4.803204712570263
"""1 e·Å in debye (2022 CODATA charge times 1e-10 m over 3.33564e-30 C·m)."""


@dataclass(frozen=True, eq=False, kw_only=True)
class AnionDipoles:
    """Dipoles of the chosen atoms in every frame.

    Attributes
    ----------
    dipole_e_A : array (n_frames, n_anions, 3), e·Å
        From the nucleus: −2 e Σ (r_centre − r_atom).
    n_centres : int array (n_frames, n_anions)
        Centres nearest to each.
    """

    dipole_e_A: FloatArray
    n_centres: IntArray


def anion_dipoles(
    atoms_A: FloatArray, centres_A: FloatArray, anions: IntArray, lattice: FloatArray
) -> AnionDipoles:
    """Dipole of each anion about its own nucleus.

    Parameters
    ----------
    atoms_A : array (n_frames, n_atoms, 3), Å
    centres_A : array (n_frames, n_centres, 3), Å
    anions : int array (n_anions,)
        Atoms that own the centres: a bond's centre goes to the nearer of its anions.
    lattice : array (3, 3), Å

    Raises
    ------
    FeatureError
        If there is no anion.
    """
    if not len(anions):
        raise FeatureError("no anion: nothing can own a Wannier centre")
    inverse = np.linalg.inv(lattice)
    dipoles = np.zeros((len(atoms_A), len(anions), 3))
    counts = np.zeros((len(atoms_A), len(anions)), dtype=np.int64)
    for frame in range(len(atoms_A)):
        apart = (centres_A[frame][:, None] - atoms_A[frame][anions][None]) @ inverse
        vectors = (apart - np.rint(apart)) @ lattice
        owner = np.argmin(np.square(vectors).sum(axis=2), axis=1)
        own = vectors[np.arange(len(owner)), owner]
        np.add.at(dipoles[frame], owner, -ELECTRONS_PER_CENTRE * own)
        counts[frame] = np.bincount(owner, minlength=len(anions))
    return AnionDipoles(dipole_e_A=dipoles, n_centres=counts)
