"""Polyanions that turn: detection, orientation entropy, rotational autocorrelation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy import fft
from scipy.special import xlogy

from ...data.errors import FeatureError
from ...data.records import FloatArray, IntArray

WINDOW_DEGREES: Final[float] = 20.0
"""Width of the orientation windows (Wood 2021)."""


@dataclass(frozen=True, eq=False)
class Polyanions:
    """Groups of a centre and its ligands."""

    centre: IntArray
    """(n_groups,) atom indices."""
    ligands: tuple[IntArray, ...]
    shared: tuple[bool, ...]
    """True where a ligand belongs to two centres: such a group cannot turn freely."""

    def __len__(self) -> int:
        return len(self.centre)


def find_polyanions(
    frac: FloatArray,
    lattice: FloatArray,
    centres: IntArray,
    ligands: IntArray,
    bond_A: FloatArray | float,
) -> Polyanions:
    """Find groups of one centre with two ligands or more.

    Parameters
    ----------
    frac : array (n_atoms, 3)
        One frame, or mean positions.
    lattice : array (3, 3), Å
    centres, ligands : int arrays
        Candidate atoms, for example P and S.
    bond_A : float or array (n_centres, n_ligands), Å
        Longest bond.

    Returns
    -------
    Polyanions
    """
    apart = frac[ligands][None] - frac[centres][:, None]
    apart = apart - np.rint(apart)
    bonded = np.linalg.norm(apart @ lattice, axis=2) <= bond_A
    uses = bonded.sum(axis=0)
    rows = [row for row in range(len(centres)) if bonded[row].sum() >= 2]
    return Polyanions(
        np.asarray(centres)[rows],
        tuple(np.asarray(ligands)[bonded[row]] for row in rows),
        tuple(bool((uses[bonded[row]] > 1).any()) for row in rows),
    )


def bond_directions(frac: FloatArray, lattice: FloatArray, groups: Polyanions) -> FloatArray:
    """Unit vectors from centre to ligand in every frame.

    Parameters
    ----------
    frac : array (n_frames, n_atoms, 3)
    lattice : array (3, 3), Å
    groups : Polyanions

    Returns
    -------
    array (n_frames, n_bonds, 3)
        Bonds of all groups, one group after the other.
    """
    if not len(groups):
        raise FeatureError("no polyanion: nothing can turn")
    pairs = [(c, x) for c, own in zip(groups.centre, groups.ligands, strict=True) for x in own]
    centre, ligand = np.array(pairs).T
    apart = frac[:, ligand] - frac[:, centre]
    vectors = (apart - np.rint(apart)) @ lattice
    return np.asarray(vectors / np.linalg.norm(vectors, axis=2, keepdims=True))


def orientation_entropy(
    directions: FloatArray, window_degrees: float = WINDOW_DEGREES
) -> tuple[float, float]:
    """Shannon entropy of bond directions over windows in polar and azimuthal angle.

    Parameters
    ----------
    directions : array (n_frames, n_bonds, 3)
        Unit vectors.
    window_degrees : float
        Width of the windows.

    Returns
    -------
    entropy, relative : float
        Mean over bonds of −Σ p ln p, in k_B, and its ratio to that of an isotropic distribution
        (1: turns freely; small: librates). A run of few frames cannot fill the windows and reads
        low.
    """
    n_polar, n_azimuth = round(180 / window_degrees), round(360 / window_degrees)
    polar = np.arccos(np.clip(directions[..., 2], -1.0, 1.0))
    azimuth = np.arctan2(directions[..., 1], directions[..., 0]) + np.pi
    rows = np.minimum((polar / np.pi * n_polar).astype(int), n_polar - 1)
    columns = np.minimum((azimuth / (2 * np.pi) * n_azimuth).astype(int), n_azimuth - 1)
    windows = rows * n_azimuth + columns
    entropies = []
    for bond in range(directions.shape[1]):
        p = np.bincount(windows[:, bond], minlength=n_polar * n_azimuth) / len(windows)
        entropies.append(-float(xlogy(p, p).sum()))
    edges = np.cos(np.linspace(0, np.pi, n_polar + 1))
    share = np.repeat((edges[:-1] - edges[1:]) / 2.0 / n_azimuth, n_azimuth)
    return float(np.mean(entropies)), float(np.mean(entropies) / -xlogy(share, share).sum())


def rotational_autocorrelation(directions: FloatArray) -> FloatArray:
    """C₁(τ) = ⟨u(t) · u(t + τ)⟩ over all bonds and origins, by FFT.

    Parameters
    ----------
    directions : array (n_frames, n_bonds, 3)
        Unit vectors.

    Returns
    -------
    array (n_frames,)
        Starts at 1; decays to 0 for free rotation, to a plateau for libration.
    """
    n = len(directions)
    n_fft = fft.next_fast_len(2 * n - 1, real=True)
    spectrum = np.zeros(n_fft // 2 + 1)
    for bond in range(directions.shape[1]):
        transform = fft.rfft(directions[:, bond].T, n_fft)
        spectrum += np.square(np.abs(transform)).sum(axis=0)
    total = fft.irfft(spectrum, n_fft)[:n]
    return np.asarray(total / (directions.shape[1] * np.arange(n, 0, -1)))
