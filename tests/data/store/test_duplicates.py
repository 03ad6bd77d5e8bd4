"""Duplicates: shapes under other names, and an index that compares many at once."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import structures
from ionsieve.data.records import SiteSpecies, StructureRecord
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
    monkeypatch.setattr(duplicates, "same_structure", lambda *_: pytest.fail("compared"))
    with SeenIndex(tmp_path / "index") as seen:
        for k in range(6):
            variant = strained(record, 1.4**k - 1.0, f"v{k}")
            shape = shape_of(variant)
            assert seen.twin_of(variant, shape) is None
            seen.add(variant, shape, 0)
