"""Host-only atom-centred symmetry functions (ACSF, G2) at any point of a crystal.

G2 of Behler 2011 (10.1063/1.3553717), eq. 6, with the cosine cutoff of eq. 4,

    G(point; element, η, Rs) = Σ_j exp(−η (r_j − Rs)²) · ½ (1 + cos(π r_j / R_c)),

summed over host atoms j of one element, weighted by occupancy. Mobile ions are left out, so a
vector says how the host looks from there, be it a mobile site or a void. dscribe computes the same
vectors where the centre is an atom (:func:`dscribe_environments`); it takes no free points.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from ...data.records import FloatArray, IntArray
from ..core.prepared import PreparedStructure
from ..void.grid import images_within
from ..void.host import Host

CUTOFF_A: Final[float] = 6.0
ETA_PER_A2: Final[FloatArray] = np.array([0.05, 0.2, 0.6, 4.0, 4.0, 4.0, 4.0])
SHIFT_A: Final[FloatArray] = np.array([0.0, 0.0, 0.0, 1.5, 2.5, 3.5, 4.5])
N_RADIAL: Final[int] = len(ETA_PER_A2)

_TABLE_BINS = 4096


def environment_vectors(host: Host, points_A: FloatArray) -> FloatArray:
    """G2 vectors at Cartesian points.

    Parameters
    ----------
    host : Host
    points_A : array (n_points, 3), Å
        Anywhere inside the host cell.

    Returns
    -------
    array (n_points, n_elements × 7)
        Elements in order of atomic number, the seven radial functions of each together.
    """
    images = images_within(host, CUTOFF_A)
    channel = element_channels(host)
    return np.asarray(
        _vectors_at(
            np.ascontiguousarray(points_A, dtype=np.float64),
            images.position_A,
            channel[images.atom],
            host.occupancy[images.atom],
            int(channel.max()) + 1,
            ETA_PER_A2,
            SHIFT_A,
            CUTOFF_A,
        )
    )


def element_channels(host: Host) -> IntArray:
    """Index of each host atom's element among the elements of the host, shape (n_host,)."""
    z = host.z.tolist()
    number = {element: k for k, element in enumerate(sorted(set(z)))}
    return np.array([number[element] for element in z], dtype=np.int64)


@njit(cache=True)
def _vectors_at(points, position, channel, weight, n_channels, eta, shift, cutoff):  # type: ignore[no-untyped-def]
    n_radial = len(eta)
    out = np.zeros((len(points), n_channels * n_radial))
    for p in range(len(points)):
        for a in range(len(position)):
            x = position[a, 0] - points[p, 0]
            y = position[a, 1] - points[p, 1]
            z = position[a, 2] - points[p, 2]
            r2 = x * x + y * y + z * z
            if r2 < cutoff * cutoff:
                r = np.sqrt(r2)
                cut = 0.5 * (1.0 + np.cos(np.pi * r / cutoff)) * weight[a]
                first = channel[a] * n_radial
                for k in range(n_radial):
                    d = r - shift[k]
                    out[p, first + k] += np.exp(-eta[k] * d * d) * cut
    return out


def radial_table(width: int) -> NDArray[np.float32]:
    """The radial functions on an even grid of r², for linear interpolation.

    Parameters
    ----------
    width : int
        Columns; those beyond the seven functions are zero.

    Returns
    -------
    array (4098, width)

    Notes
    -----
    The interpolation error is below 2e-5, far below any spread in a crystal.
    """
    r = np.sqrt(np.arange(_TABLE_BINS + 2) * (CUTOFF_A**2 / _TABLE_BINS))
    cut = np.where(r < CUTOFF_A, 0.5 * (1.0 + np.cos(np.pi * r / CUTOFF_A)), 0.0)
    table = np.zeros((len(r), width), dtype=np.float32)
    table[:, :N_RADIAL] = np.exp(-ETA_PER_A2 * (r[:, None] - SHIFT_A) ** 2) * cut[:, None]
    return table


def dscribe_environments(prepared: PreparedStructure) -> FloatArray:
    """The same vectors at the mobile ions of an ordered crystal, from dscribe.

    Parameters
    ----------
    prepared : PreparedStructure
        Fully occupied; dscribe knows no occupancies.

    Returns
    -------
    array (n_mobile, n_elements × 7)
        Columns as in :func:`environment_vectors`, rows in the order of the mobile ions.
    """
    from ase import Atoms as AseAtoms
    from dscribe.descriptors import ACSF

    atoms, is_mobile = prepared.atoms, prepared.roles.is_mobile
    species = np.unique(atoms.z).tolist()
    parameters = np.column_stack([ETA_PER_A2, SHIFT_A]).tolist()
    acsf = ACSF(r_cut=CUTOFF_A, g2_params=parameters, species=species, periodic=True)
    crystal = AseAtoms(numbers=atoms.z, scaled_positions=atoms.frac, cell=atoms.lattice, pbc=True)
    vectors = acsf.create(crystal, centers=np.flatnonzero(is_mobile).tolist())
    # dscribe puts its G1 (the bare cutoff sum) before the G2 of each element.
    by_element = vectors.reshape(len(vectors), len(species), N_RADIAL + 1)[:, :, 1:]
    of_host = np.isin(species, atoms.z[~is_mobile])
    return np.ascontiguousarray(by_element[:, of_host].reshape(len(vectors), -1))
