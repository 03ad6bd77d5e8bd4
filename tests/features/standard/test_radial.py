"""Radial distributions equal matminer's; bin edges and supercells do not matter."""

import warnings
from pathlib import Path

import numpy as np
import pytest

import pool
import structures
from ionsieve.data import RoleError, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.features import PreparedStructure, prepare
from ionsieve.features.standard.radial import COLUMNS, compute


def matminer_row(prepared: PreparedStructure) -> np.ndarray:
    from matminer.featurizers.structure import (
        PartialRadialDistributionFunction,
        RadialDistributionFunction,
    )

    structure = to_pymatgen(prepared.record)
    total = RadialDistributionFunction(cutoff=6.0, bin_size=0.5).featurize(structure)
    roles = prepared.roles
    stand_in = np.where(roles.is_mobile, "Li", np.where(roles.is_anion, "O", "Si"))
    for site, element in enumerate(stand_in.tolist()):
        structure.replace(site, element)
    partial = PartialRadialDistributionFunction(cutoff=6.0, bin_size=1.0).fit([structure])
    with warnings.catch_warnings():
        # matminer 0.10.1 calls a deprecated name of pymatgen.
        warnings.simplefilter("ignore", FutureWarning)
        _, by_pair = partial.compute_prdf(structure)
    keys = (("Li", "Li"), ("Li", "O"), ("Li", "Si"), ("O", "O"))
    parts = [by_pair.get(key, np.zeros(6))[1:] for key in keys]
    # matminer's total grows with the number of atoms in the cell.
    return np.concatenate([total[1:] / len(structure), *parts])


def has_distance_on_an_edge(prepared: PreparedStructure) -> bool:
    halves = 2 * prepared.neighbors.distance_A
    return bool((np.abs(halves - np.round(halves)) < 1e-6).any())


def assert_equals_matminer(record: StructureRecord) -> None:
    prepared = prepare(record)
    if has_distance_on_an_edge(prepared):
        pytest.skip("a distance on a bin edge: matminer lets rounding decide")
    ours = list(compute(prepared, []).values())
    np.testing.assert_allclose(ours, matminer_row(prepared), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ["Li2S", "Li6PS5Cl_F43m", "Li10GeP2S12_ordered", "LiAlCl4"])
def test_equals_matminer(name: str) -> None:
    assert_equals_matminer(structures.get(name))


def test_pool_equals_matminer(shared_data: Path) -> None:
    compared = 0
    for record in pool.crystals(shared_data, every=4, element="Li", max_sites=40):
        try:
            prepared = prepare(record)
        except RoleError:
            continue
        if not has_distance_on_an_edge(prepared):
            assert_equals_matminer(record)
            compared += 1
    assert compared > 100


def test_distances_on_bin_edges_do_not_depend_on_the_orientation() -> None:
    """Rock salt with a = 4 Å: distances 2, 4, 4.47, 6 Å; 2, 4 and 6 are edges."""
    frac = np.array([[0, 0, 0], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]])
    elements = ["Li"] * 4 + ["F"] * 4
    sites = np.concatenate([frac, frac + np.array([0.5, 0, 0])])
    rows = []
    for angle in np.linspace(0, 1, 7):
        c, s = np.cos(angle), np.sin(angle)
        turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ np.array(
            [[1, 0, 0], [0, c, -s], [0, s, c]]
        )
        record = StructureRecord.ordered("x", 4.0 * turn, elements, sites + angle / 3)
        rows.append(list(compute(prepare(record), []).values()))
    np.testing.assert_allclose(rows, [rows[0]] * len(rows), rtol=1e-9)


def test_all_pairs_are_counted_with_their_occupancy() -> None:
    """Coordination of Li by anions below 6 Å from the partial columns, mixed sites included."""
    for name in ("Li6PS5Cl_exp48h", "LGPS_exp"):
        prepared = prepare(structures.get(name))
        values = compute(prepared, [])
        atoms, roles, pairs = prepared.atoms, prepared.roles, prepared.neighbors
        chosen = roles.is_mobile[pairs.center] & roles.is_anion[pairs.neighbor]
        weight = atoms.occupancy[pairs.center] * atoms.occupancy[pairs.neighbor]
        expected = weight[chosen].sum() / atoms.occupancy[roles.is_mobile].sum()
        shells = [
            (values[f"rdf_mobile_anion_{k}_{k + 1}_A"], 4 / 3 * np.pi * ((k + 1) ** 3 - k**3))
            for k in range(1, 6)
        ]
        assert sum(d * v for d, v in shells) == pytest.approx(expected, rel=1e-9)
    assert len(values) == len(COLUMNS)
