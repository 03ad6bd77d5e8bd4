"""Cell volume of a substituted prototype by data-mined lattice scaling (DLS).

DLS (Chu et al., Comput. Mater. Sci. 146, 184 (2018), 10.1016/j.commatsci.2018.01.040) scales a
cell so that its tightest pair of neighbours gets the data-mined bond length of its elements. The
parameters and rules are those of pymatgen's ``DLSVolumePredictor``. Because all sites of a
prototype with one label hold one element, the tightest pair of each two labels, measured once per
prototype, is all that the rule needs: the numbers are pymatgen's, without a neighbour search per
candidate.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

import numpy as np

from ..data.prototypes import ExpandedCell, Prototype
from ..data.records import FloatArray

DLS_CUTOFF_A: Final[float] = 4.0

_SEARCH_RADIUS_A: Final[float] = 8.0
"""Beyond the DLS cutoff for every element: largest tabulated atomic radius 2.6 Å + 4 Å."""
_FIRST_SHELL: Final[float] = 1.3
"""Anions within this factor of the nearest one form the shell of a cation."""


@dataclass(frozen=True, eq=False)
class LabelGeometry:
    """Distances of a prototype in the cell of its source, by label.

    Parameters
    ----------
    labels : tuple of label names, length L
    multiplicity : array (L,)
        Sites per primitive cell.
    nearest_A : array (L, L), Å
        Shortest distance between sites of two labels, periodic images and a site's own images
        included; inf where it exceeds 8 Å.
    shells : mapping of cation label to (anion label, mean distance in Å, number of anions)
        First anion shell of each framework cation, averaged over its sites.
    """

    labels: tuple[str, ...]
    multiplicity: FloatArray
    nearest_A: FloatArray
    shells: Mapping[str, tuple[tuple[str, float, float], ...]]


@cache
def label_geometry(prototype: Prototype) -> LabelGeometry:
    """Measure a prototype once (see :class:`LabelGeometry`)."""
    cell = prototype.primitive
    names = tuple(prototype.labels)
    distances = _image_distances(cell, _SEARCH_RADIUS_A)
    site_label = np.array([names.index(label) for label in cell.labels])
    nearest = np.full((len(names), len(names)), np.inf)
    np.minimum.at(nearest, (site_label[:, None], site_label[None, :]), distances.min(axis=2))
    shells = {
        name: _mean_shell(prototype, name, names, site_label, distances)
        for name, label in prototype.labels.items()
        if label.role == "framework_cation"
    }
    multiplicity = np.bincount(site_label, minlength=len(names)).astype(np.float64)
    return LabelGeometry(names, multiplicity, nearest, shells)


def dls_volume_factor(prototype: Prototype, elements: Mapping[str, str]) -> float:
    """Predicted volume over the volume of the source: pymatgen's ``DLSVolumePredictor``, unclipped.

    Parameters
    ----------
    prototype : Prototype
    elements : mapping of label to element symbol

    Returns
    -------
    float, dimensionless
        As ``DLSVolumePredictor(min_scaling=None, max_scaling=None)`` would predict for the
        prototype filled with these elements in the cell of its source.

    Raises
    ------
    ValueError
        If an element has no DLS parameters or no atomic radius, or no pair is within reach.
        (pymatgen falls back to atomic radii there; that guess is not offered here.)
    """
    geometry = label_geometry(prototype)
    parameters = [_dls_parameters(elements[name]) for name in geometry.labels]
    base, slope, electronegativity, atomic = np.array(parameters, dtype=np.float64).T
    radius = base + slope * _spread(electronegativity, geometry.multiplicity)
    reach = np.maximum.outer(atomic, atomic) + DLS_CUTOFF_A
    ratio = geometry.nearest_A / np.add.outer(radius, radius)
    within = geometry.nearest_A <= reach
    if not within.any():
        raise ValueError("no bond within the DLS cutoff")
    return float(1.0 / ratio[within].min()) ** 3


def scaled_volume_factor(prototype: Prototype, elements: Mapping[str, str]) -> float:
    """Volume of a substituted prototype over that of its source, both predicted by DLS.

    Departure from plain DLS: its prediction is divided by its prediction for the source itself,
    whose volume is known. DLS alone misjudges whole structure types (Li–N–X antistructures by
    +40 to +50 %, antiperovskites by −27 %); the ratio cancels that and leaves the source's own
    composition at exactly 1.

    Parameters, Raises
        As :func:`dls_volume_factor`.
    """
    return dls_volume_factor(prototype, elements) / _source_factor(prototype)


@cache
def _source_factor(prototype: Prototype) -> float:
    return dls_volume_factor(prototype, prototype.default_elements)


@cache
def _dls_parameters(element: str) -> tuple[float, float, float, float]:
    """DLS radius r and slope k, electronegativity and atomic radius (Å) of an element."""
    from pymatgen.core import Element
    from pymatgen.core.structure_prediction.volume_predictor import bond_params

    data = Element(element)
    if element not in bond_params or data.atomic_radius is None:
        raise ValueError(f"DLS has no parameters for {element}")
    bond = bond_params[element]
    return float(bond["r"]), float(bond["k"]), float(data.X), float(data.atomic_radius)


def _spread(values: FloatArray, weights: FloatArray) -> float:
    """Population standard deviation over sites."""
    mean = np.average(values, weights=weights)
    return float(np.sqrt(np.average((values - mean) ** 2, weights=weights)))


def _image_distances(cell: ExpandedCell, radius_A: float) -> FloatArray:
    """Distances (n, n, images), Å, to all images that can lie within the radius; self is inf."""
    # A sphere of this radius crosses at most radius / (plane spacing) cells along each axis.
    spacings = 1.0 / np.linalg.norm(np.linalg.inv(cell.lattice), axis=0)
    reach = np.ceil(radius_A / spacings).astype(int)
    axes = [np.arange(-n, n + 1) for n in reach]
    images = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
    wrapped = cell.frac[None, :] - cell.frac[:, None]
    wrapped -= np.round(wrapped)
    vectors = (wrapped @ cell.lattice)[:, :, None] + images @ cell.lattice
    distances: FloatArray = np.sqrt(np.einsum("ijkx,ijkx->ijk", vectors, vectors))
    distances[(distances > radius_A) | (distances < 1e-6)] = np.inf
    return distances


def _mean_shell(
    prototype: Prototype,
    cation: str,
    names: tuple[str, ...],
    site_label: FloatArray,
    distances: FloatArray,
) -> tuple[tuple[str, float, float], ...]:
    """First shell of a cation label: (anion label, mean distance, anions per cation)."""
    is_anion = np.array([prototype.labels[names[k]].oxidation < 0 for k in site_label])
    rows = distances[site_label == names.index(cation)].copy()
    rows[:, ~is_anion] = np.inf
    near = rows <= _FIRST_SHELL * rows.min(axis=(1, 2), keepdims=True)
    shell = []
    for index, name in enumerate(names):
        bonds = rows[:, site_label == index][near[:, site_label == index]]
        if bonds.size:
            shell.append((name, float(bonds.mean()), bonds.size / len(rows)))
    return tuple(shell)
