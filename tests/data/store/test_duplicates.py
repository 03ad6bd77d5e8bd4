"""Duplicates: shapes under other names, and an index that compares many at once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import structures
from ionsieve.data.records import Provenance, SiteSpecies, StructureRecord
from ionsieve.data.store import duplicates
from ionsieve.data.store.duplicates import SeenIndex, same_structure, shape_of, spacings


def named(record: StructureRecord, names: dict[str, str]) -> StructureRecord:
    species = tuple(
        tuple(SiteSpecies(names.get(s.element, s.element), s.occupancy) for s in content)
        for content in record.species
    )
    return replace(record, species=species)


def strained(record: StructureRecord, share: float, name: str) -> StructureRecord:
    """One axis longer: another structure if by more than the matcher forgives."""
    return replace(record, id=name, lattice=record.lattice @ np.diag([1.0, 1.0, 1.0 + share]))


@pytest.mark.parametrize("name", ["Li6PS5Cl_F43m", "Li3PS4_gamma", "LGPS_exp"])
def test_renamed_is_the_shape_of_the_renamed_structure(name: str) -> None:
    record = structures.get(name)
    # Names that change the order of the kinds.
    names = dict(zip(sorted(record.composition), ["Zr", "Na", "Br", "Al"], strict=False))
    found, expected = shape_of(record).renamed(names), shape_of(named(record, names))
    assert found.contents == expected.contents
    np.testing.assert_allclose(found.spacings, expected.spacings, rtol=1e-6)
    np.testing.assert_allclose(found.spacings, spacings(found), rtol=1e-12)
    assert same_structure(found, expected)
    assert found.reduced.composition == found.structure().composition


def test_the_index_finds_what_comparing_one_by_one_finds(tmp_path: Path) -> None:
    record = structures.get("Li3PS4_gamma")
    variants = [strained(record, share, f"s{share:g}") for share in (0.0, 0.02, 0.2, 0.5, 0.51)]
    kept: list[StructureRecord] = []
    with SeenIndex(tmp_path / "index") as seen:
        for variant in variants:
            shape = shape_of(variant)
            expected = next((k.id for k in kept if same_structure(shape_of(k), shape)), None)
            assert seen.twin_of(variant, shape) == expected
            if expected is None:
                seen.add(variant, shape, 0)
                kept.append(variant)
    assert [k.id for k in kept] == ["s0", "s0.2", "s0.5"]


def test_structures_with_other_distances_are_told_apart_without_the_matcher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = structures.get("Li3PS4_gamma")
    monkeypatch.setattr(duplicates, "_matcher", lambda: pytest.fail("matched"))
    with SeenIndex(tmp_path / "index") as seen:
        for k in range(6):
            variant = strained(record, 1.4**k - 1.0, f"v{k}")
            shape = shape_of(variant)
            assert seen.twin_of(variant, shape) is None
            seen.add(variant, shape, 0)


N_SITES = 64


def ordering(seed: int) -> StructureRecord:
    """Rock salt of 64 sites with 16 Cl and 16 Br on the anion sites, in an order of the seed."""
    grid = np.array(np.unravel_index(np.arange(N_SITES), (4, 4, 4))).T
    is_anion = grid.sum(axis=1) % 2 == 1
    anions = np.random.default_rng(seed).permutation(["Cl"] * 16 + ["Br"] * 16)
    names = iter(anions.tolist())
    species = tuple((SiteSpecies(next(names) if one else "Li", 1.0),) for one in is_anion)
    return StructureRecord(
        id=f"o{seed}",
        lattice=np.eye(3) * 10.6,
        species=species,
        frac=grid / 4,
        provenance=Provenance(source="made"),
    )


def other_cell(record: StructureRecord, seed: int) -> StructureRecord:
    """The same crystal: other order of sites, origin and axes, atoms displaced by 0.01 Å."""
    rng = np.random.default_rng(seed)
    order = rng.permutation(N_SITES)
    change = np.array([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    lattice = change @ record.lattice
    cartesian = record.frac @ record.lattice + rng.normal(0.0, 0.01, (N_SITES, 3)) + 1.3
    frac = (cartesian @ np.linalg.inv(lattice))[order] % 1.0
    species = tuple(record.species[k] for k in order)
    return replace(record, id=f"{record.id}_copy", lattice=lattice, frac=frac, species=species)


def n_comparisons(
    n: int, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[int, list[str | None]]:
    """Orderings first, then a copy of every tenth in another cell: comparisons and twins."""
    calls: list[int] = []
    monkeypatch.setattr(
        duplicates, "same_structure", lambda *a: bool(calls.append(1)) or same_structure(*a)
    )
    folder.mkdir()
    twins = []
    with SeenIndex(folder / "index") as seen:
        for record in map(ordering, range(n)):
            shape = shape_of(record)
            assert seen.twin_of(record, shape) is None
            seen.add(record, shape, 0)
        for k in range(0, n, 10):
            record = other_cell(ordering(k), k)
            twins.append(seen.twin_of(record, shape_of(record)))
    return len(calls), twins


def test_orderings_of_one_formula_are_not_compared_with_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """300 orderings are 44,850 pairs; the matcher is asked of the copies and of few others."""
    found, twins = n_comparisons(300, tmp_path / "many", monkeypatch)
    assert twins == [f"o{k}" for k in range(0, 300, 10)]
    assert 30 <= found <= 60
