"""Probability density of the mobile ion on a grid; its maxima as sites; cube and CHGCAR text."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from scipy import constants, ndimage

from ...data.elements import ATOMIC_NUMBER
from ...data.errors import FeatureError
from ...data.records import FloatArray

BOHR_A: Final[float] = constants.physical_constants["Bohr radius"][0] / constants.angstrom
"""Bohr radius, Å, for the cube format."""


def probability_density(
    frac: FloatArray, lattice: FloatArray, spacing_A: float = 0.3, smear_A: float = 0.0
) -> FloatArray:
    """Number density of ions on a periodic grid, averaged over frames.

    Parameters
    ----------
    frac : array (n_frames, n_ions, 3)
        Fractional coordinates of the mobile ions, framework at rest.
    lattice : array (3, 3), Å
        Mean cell.
    spacing_A : float
        Largest distance between grid points along an axis, Å.
    smear_A : float
        Standard deviation of a Gaussian smoothing, Å; 0 for none.

    Returns
    -------
    array (n_a, n_b, n_c), 1/Å³
        Its mean times the cell volume is the number of ions.
    """
    if not spacing_A > 0:
        raise FeatureError(f"grid spacing must be positive, got {spacing_A} Å")
    lengths = np.linalg.norm(lattice, axis=1)
    shape = np.maximum(np.ceil(lengths / spacing_A).astype(int), 1)
    counts = np.zeros(int(shape.prod()))
    for start in range(0, len(frac), 1024):
        block = np.asarray(frac[start : start + 1024]).reshape(-1, 3)
        # Grid points sit at k/n: an ion belongs to the nearest one.
        cell = np.rint((block - np.floor(block)) * shape).astype(int) % shape
        counts += np.bincount(
            np.ravel_multi_index(tuple(cell.T), tuple(shape)), minlength=len(counts)
        )
    volume = abs(float(np.linalg.det(lattice)))
    density = counts.reshape(shape) * (len(counts) / (len(frac) * volume))
    if smear_A > 0:
        density = ndimage.gaussian_filter(density, smear_A * shape / lengths, mode="wrap")
    return np.asarray(density, dtype=np.float64)


def density_sites(
    density: FloatArray, lattice: FloatArray, separation_A: float = 1.0, share: float = 0.02
) -> FloatArray:
    """Maxima of a density as sites.

    Parameters
    ----------
    density : array (n_a, n_b, n_c), 1/Å³
        Smoothed density.
    lattice : array (3, 3), Å
    separation_A : float
        Maxima closer than this are one site; the higher stays.
    share : float
        Maxima below this share of the highest are noise.

    Returns
    -------
    array (n_sites, 3), fractional, highest first
    """
    shape = np.array(density.shape)
    lengths = np.linalg.norm(lattice, axis=1)
    window = tuple(np.maximum(2 * np.ceil(separation_A / 2 * shape / lengths).astype(int) + 1, 3))
    peaks = (density == ndimage.maximum_filter(density, size=window, mode="wrap")) & (
        density > share * density.max()
    )
    points = np.argwhere(peaks)
    points = points[np.argsort(-density[tuple(points.T)], kind="stable")] / shape
    kept: list[FloatArray] = []
    for point in points:
        if kept:
            apart = np.array(kept) - point
            near = np.linalg.norm((apart - np.rint(apart)) @ lattice, axis=1)
            if near.min() < separation_A:
                continue
        kept.append(point)
    return np.array(kept)


def cube_text(
    density: FloatArray, lattice: FloatArray, species: Sequence[str], frac: FloatArray
) -> str:
    """Gaussian cube file of a density.

    Parameters
    ----------
    density : array (n_a, n_b, n_c), 1/Å³
    lattice : array (3, 3), Å
    species : sequence of str
        Elements of the atoms to show, usually the framework.
    frac : array (n_atoms, 3)

    Returns
    -------
    str
        Lengths in bohr, density in 1/bohr³ as the format wants.
    """
    lines = [
        "mobile-ion probability density, 1/bohr^3",
        "OUTER LOOP: X, MIDDLE LOOP: Y, INNER LOOP: Z",
    ]
    lines.append(f"{len(species):5d}{0.0:12.6f}{0.0:12.6f}{0.0:12.6f}")
    for n, row in zip(density.shape, lattice, strict=True):
        step = row / n / BOHR_A
        lines.append(f"{n:5d}{step[0]:12.6f}{step[1]:12.6f}{step[2]:12.6f}")
    for element, place in zip(species, np.asarray(frac) @ lattice / BOHR_A, strict=True):
        z = ATOMIC_NUMBER[element]
        lines.append(f"{z:5d}{float(z):12.6f}{place[0]:12.6f}{place[1]:12.6f}{place[2]:12.6f}")
    values = density.reshape(-1, density.shape[2]) * BOHR_A**3
    for row in values:
        lines += _columns(row, 6, "{:13.5e}")
    return "\n".join(lines) + "\n"


def chgcar_text(
    density: FloatArray, lattice: FloatArray, species: Sequence[str], frac: FloatArray
) -> str:
    """VASP CHGCAR of a density (values times the cell volume, a running fastest).

    Parameters are those of :func:`cube_text`; atoms are grouped by element.
    """
    elements = list(dict.fromkeys(species))
    order = [i for e in elements for i, s in enumerate(species) if s == e]
    lines = ["mobile-ion probability density", "   1.0"]
    lines += [f"{row[0]:13.6f}{row[1]:13.6f}{row[2]:13.6f}" for row in lattice]
    lines.append(" ".join(elements))
    lines.append(" ".join(str(list(species).count(e)) for e in elements))
    lines.append("Direct")
    lines += [f"{x:10.6f}{y:10.6f}{z:10.6f}" for x, y, z in np.asarray(frac)[order]]
    lines += ["", f"{density.shape[0]:5d}{density.shape[1]:5d}{density.shape[2]:5d}"]
    volume = abs(float(np.linalg.det(lattice)))
    lines += _columns(density.ravel(order="F") * volume, 5, "{:18.11E}")
    return "\n".join(lines) + "\n"


def _columns(values: FloatArray, width: int, form: str) -> list[str]:
    return [
        "".join(form.format(v) for v in values[i : i + width]) for i in range(0, len(values), width)
    ]
