"""The smallest cell of a crystal."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structures
from ionsieve.data.records import StructureRecord
from ionsieve.features import prepare
from ionsieve.features.catalogue import families
from ionsieve.features.core.primitive import minkowski_reduced, primitive, pure_translations
from ionsieve.features.rows import featurize_one

integers = st.integers(-3, 3)


@settings(max_examples=60, deadline=None)
@given(st.lists(integers, min_size=9, max_size=9), st.integers(0, 10_000))
def test_reduced_bases_are_shortest(entries: list[int], seed: int) -> None:
    change = np.array(entries).reshape(3, 3)
    if abs(round(float(np.linalg.det(change)))) != 1:
        change = np.triu(change, 1) + np.eye(3)
    lattice = np.eye(3) * 4.0 + np.random.default_rng(seed).normal(size=(3, 3))
    reduced = minkowski_reduced(change @ lattice)
    assert np.linalg.det(reduced) == pytest.approx(abs(np.linalg.det(lattice)), rel=1e-9)
    # By brute force: no lattice vector is shorter than the first, and none independent of the
    # first is shorter than the second.
    coefficients = np.array(list(itertools.product(range(-4, 5), repeat=3)))
    vectors = coefficients[np.any(coefficients != 0, axis=1)] @ reduced
    lengths = np.linalg.norm(vectors, axis=1)
    edges = np.sort(np.linalg.norm(reduced, axis=1))
    assert edges[0] <= lengths.min() * (1 + 1e-9)
    apart = np.linalg.norm(np.cross(vectors, reduced[0]), axis=1) > 1e-6
    assert edges[1] <= lengths[apart].min() * (1 + 1e-9)


def test_translations_of_a_body_centred_set() -> None:
    frac = np.array([[0.1, 0.2, 0.3], [0.6, 0.7, 0.8]])
    kinds = np.zeros(2, dtype=np.int64)
    found = pure_translations(np.eye(3) * 4.0, frac, kinds, 1e-3)
    np.testing.assert_allclose(np.abs(found), [[0, 0, 0], [0.5, 0.5, 0.5]], atol=1e-12)
    assert len(pure_translations(np.eye(3) * 4.0, frac, np.array([0, 1]), 1e-3)) == 1


@pytest.mark.parametrize("name", ["Li2S", "Li6PS5Cl_F43m", "Li8SiSe6_hcp", "Li7N2I_R3m"])
def test_a_supercell_has_the_primitive_cell_of_the_crystal(name: str) -> None:
    record = primitive(structures.get(name))
    large = structures.supercell(record, [[1, 1, 0], [-1, 1, 0], [0, 1, 2]])
    small = primitive(large)
    assert small.n_sites == record.n_sites == large.n_sites // 4
    assert small.volume_A3 == pytest.approx(record.volume_A3, rel=1e-12)
    assert small.composition == record.composition
    assert primitive(small) is small


def test_a_conventional_cell_is_reduced_as_pymatgen_does() -> None:
    from ionsieve.data.convert import to_pymatgen

    record = structures.get("Li2S", conventional=True)
    expected = to_pymatgen(record).get_primitive_structure()
    assert primitive(record).n_sites == len(expected) == 3
    assert primitive(record).volume_A3 == pytest.approx(expected.volume)


def test_what_repeats_roughly_is_left_alone() -> None:
    record = structures.get("Li2S", conventional=True)
    frac = np.array(record.frac)
    frac[0, 0] += 1e-6
    moved = replace(record, frac=frac)
    assert primitive(moved) is moved


def test_disordered_crystals_are_left_alone() -> None:
    record = structures.supercell(structures.get("Li2.5N0.5S0.5_avg"), [2, 1, 1])
    assert primitive(record) is record


@pytest.mark.parametrize("name", ["Li2S", "LiF"])
def test_rows_of_the_conventional_cell_are_those_of_the_cell_as_given(name: str) -> None:
    """A structure that is prepared already is described in its own cell."""
    record = structures.get(name, conventional=True)
    assert primitive(record).n_sites < record.n_sites
    small, large = featurize_one(record, families()), featurize_one(prepare(record), families())
    assert small.reason == large.reason
    for column, value in large.values.items():
        if isinstance(value, str):
            assert small.values[column] == value, column
        else:
            assert small.values[column] == pytest.approx(value, rel=1e-6, abs=1e-7, nan_ok=True), (
                column
            )


def test_messages_name_the_sites_of_the_cell_as_given() -> None:
    cube = [[0.0, 0, 0], [0.5, 0.5, 0.5], [0.0, 0.0, 0.3], [0.5, 0.5, 0.8], [0.02, 0, 0.3]]
    cube += [[0.52, 0.5, 0.8]]
    record = StructureRecord.ordered("x", np.eye(3) * 5.0, ["Li", "Li", "S", "S", "O", "O"], cube)
    assert primitive(record).n_sites == 3
    assert "sites 2 and 4" in featurize_one(record, families()).reason
