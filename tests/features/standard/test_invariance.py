"""The standard families do not depend on how a crystal is written down."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import structures
from ionsieve.data import StructureRecord
from ionsieve.features import catalogue, prepare
from ionsieve.features.catalogue import families

FAMILIES = (
    "composition",
    "density",
    "symmetry",
    "voronoi_order",
    "bond_order",
    "radial",
    "anion_packing",
)
NAMES = (
    "Li2S",
    "Li3N_alpha",
    "Li6PS5Cl_F43m",
    "Li6NI3_Fm3m",
    "Li7N2I_R3m",
    "Li8SiSe6_hcp",
    "Li5CrCl8",
    "Li2.5N0.5S0.5_avg",
    "LGPS_exp",
)


def row(record: StructureRecord) -> dict:
    prepared = prepare(record)
    values: dict = {}
    for family in families(FAMILIES):
        try:
            values |= family.compute(prepared, [])
        except Exception as error:  # a partly empty site: the same reason must come back
            values[family.name] = type(error).__name__
    return values


def assert_same(one: dict, other: dict) -> None:
    assert list(one) == list(other)
    for name, value in one.items():
        if isinstance(value, str):
            assert other[name] == value, name
        else:
            assert other[name] == pytest.approx(value, rel=1e-8, abs=1e-8, nan_ok=True), name


def rotation(rng: np.random.Generator) -> np.ndarray:
    q, r = np.linalg.qr(rng.normal(size=(3, 3)))
    return q * np.sign(np.diag(r)) * np.sign(np.linalg.det(q * np.sign(np.diag(r))))


def rewritten(record: StructureRecord, rng: np.random.Generator) -> StructureRecord:
    """The same crystal: rotated, origin shifted, sites permuted, another basis of its lattice."""
    order = rng.permutation(record.n_sites)
    basis = np.eye(3, dtype=int)
    for _ in range(2):
        a, b = rng.permutation(3)[:2]
        basis[a] += rng.choice([-1, 1]) * basis[b]
    frac = (record.frac[order] + rng.random(3)) @ np.linalg.inv(basis)
    return StructureRecord(
        id=record.id,
        lattice=basis @ record.lattice @ rotation(rng).T,
        species=tuple(record.species[i] for i in order),
        frac=frac,
    )


@pytest.mark.parametrize("name", NAMES)
def test_rewriting_a_crystal_changes_nothing(name: str) -> None:
    record = structures.get(name)
    expected = row(record)
    for seed in range(3):
        assert_same(expected, row(rewritten(record, np.random.default_rng(seed))))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("scaling", [(2, 1, 1), (1, 2, 2), ((1, 1, 0), (0, 1, 1), (1, 0, 1))])
def test_supercells_change_nothing(name: str, scaling: object) -> None:
    record = structures.get(name)
    rng = np.random.default_rng(0)
    assert_same(row(record), row(rewritten(structures.supercell(record, scaling), rng)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10**6))
def test_degenerate_vertices_split_by_noise_move_nothing(seed: int) -> None:
    """Noise of 1e-7 Å opens needle faces at the vertices of a symmetric crystal."""
    record = structures.get("Li6NI3_Fm3m")
    rng = np.random.default_rng(seed)
    noise = rng.uniform(-1e-7, 1e-7, record.frac.shape) @ np.linalg.inv(record.lattice)
    noisy = StructureRecord(
        id=record.id, lattice=record.lattice, species=record.species, frac=record.frac + noise
    )
    names = [c.name for c in catalogue(("voronoi_order", "bond_order", "anion_packing"))]
    one, other = row(record), row(noisy)
    for name in names:
        if not isinstance(one[name], str):
            assert other[name] == pytest.approx(one[name], rel=1e-4, abs=1e-4), name


@pytest.mark.parametrize("name", NAMES)
def test_input_is_untouched_and_columns_are_within_their_range(name: str) -> None:
    record = structures.get(name)
    before = record.content_hash
    values = row(record)
    assert record.content_hash == before
    for column in catalogue(FAMILIES):
        value = values.get(column.name, np.nan)
        if column.dtype == "category" or np.isnan(value):
            continue
        assert column.lower is None or value >= column.lower - 1e-9, column.name
        assert column.upper is None or value <= column.upper + 1e-9, column.name
