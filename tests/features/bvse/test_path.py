"""Paths of least resistance, against percolation barriers and Yu 2024 (10.1021/jacs.4c02170)."""

import numpy as np
import pytest

import structures
from ionsieve.data.errors import FeatureError
from ionsieve.data.records import StructureRecord
from ionsieve.features import prepare
from ionsieve.features.bvse.landscape import bvse_landscape
from ionsieve.features.bvse.path import lowest_path

FCC = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
TETRAHEDRA = np.array([[i, j, k] for i in (0.25, 0.75) for j in (0.25, 0.75) for k in (0.25, 0.75)])
START = np.array([0.25, 0.25, 0.25])


def antifluorite(edge_A, anions):
    frac = np.concatenate([FCC, TETRAHEDRA])
    record = StructureRecord.ordered("x", np.eye(3) * edge_A, [*anions, *["Li"] * 8], frac)
    return prepare(record)


def test_lithium_sulphide_at_two_edges():
    """Yu 2024: 0.254 and 0.400 eV, ratio 1.575; bvlain 0.25.1: 0.332 and 0.518, ratio 1.56."""
    barriers = []
    for edge in (5.719, 5.554):
        prepared = antifluorite(edge, "SSSS")
        path = lowest_path(prepared, START, np.array([0.75, 0.25, 0.25]))
        # The same saddle as percolation finds, here from above.
        exact = bvse_landscape(prepared).barrier_eV[2]
        assert exact - 0.005 < path.barrier_eV < exact + 0.02
        barriers.append(path.barrier_eV)
    assert barriers[1] / barriers[0] == pytest.approx(1.575, abs=0.03)


def test_path_between_tetrahedra_of_the_antifluorite():
    """8c–24e–8c of Li2.5N0.5S0.5: 0.176 eV in Yu 2024.

    In the averaged crystal the way from 8c leads into the octahedron, 0.75 Å past the refined 24e
    place (which lies 1.53 Å from a mean anion and 4 eV up there), over 0.24 eV: the paper's
    landscape, of ordered cells and another parameter set, is a quarter lower.
    """
    record = structures.get("Li2.5N0.5S0.5_avg", conventional=True)
    prepared = prepare(record)
    path = lowest_path(prepared, START, np.array([0.75, 0.25, 0.25]))
    from_8c = path.energy_eV.max() - path.energy_eV[0]
    assert from_8c == pytest.approx(0.24, abs=0.02)
    places = record.frac[[i for i in range(record.n_sites) if record.species[i][0].occupancy < 0.2]]
    assert len(places) == 24
    nearest = min(path.distance_to_A(place, record.lattice) for place in places)
    assert nearest == pytest.approx(0.75, abs=0.1)


def test_a_path_is_continuous_and_has_its_ends():
    path = lowest_path(antifluorite(5.7, "SSSS"), START, np.array([0.75, 0.75, 0.25]))
    steps = np.linalg.norm(np.diff(path.frac, axis=0) * 5.7, axis=1)
    assert steps.max() < 0.06
    assert path.length_A[-1] == pytest.approx(steps.sum())
    apart = path.frac[[0, -1]] - [START, [0.75, 0.75, 0.25]]
    assert np.abs(apart - np.rint(apart)).max() * 5.7 < 0.1
    with pytest.raises(FeatureError, match="too large"):
        lowest_path(antifluorite(5.7, "SSSS"), START, START, spacing_A=0.01)
