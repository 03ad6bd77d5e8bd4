"""A row without a structure: what needs none agrees with the structure's own row."""

import math

import pytest

from ionsieve.data.embedded.experiment import load_experiment_structures
from ionsieve.features.catalogue import catalogue, families
from ionsieve.features.rows import featurize_one
from ionsieve.features.standard.symmetry import space_group_number
from ionsieve.features.without_structure import NO_STRUCTURE, composition_row

NEEDS_ATOMS = {"volume_per_anion_A3", "mobile_anion_distance_A", "mobile_mobile_distance_A"}
ORDERED = [r for r in load_experiment_structures("Li") if r.is_ordered][:6]


@pytest.mark.parametrize("record", ORDERED, ids=lambda r: r.id)
def test_composition_density_and_symmetry_are_those_of_the_structure(record) -> None:
    chosen = ["composition", "density", "symmetry"]
    whole = featurize_one(record, families(chosen)).values
    row = composition_row(
        record.id, record.composition, "Li", record.volume_A3, space_group_number(record)
    )
    assert row.reason == NO_STRUCTURE
    for column in catalogue(chosen):
        if column.name in NEEDS_ATOMS:
            continue
        a, b = whole[column.name], row.values[column.name]
        if isinstance(a, str):
            assert a == b
        else:
            assert math.isclose(a, b, rel_tol=1e-6) or (math.isnan(a) and math.isnan(b))


def test_every_column_is_there_and_what_needs_positions_is_nan() -> None:
    row = composition_row("x", {"Li": 3, "P": 1, "O": 4}).values
    assert list(row) == [c.name for c in catalogue()]
    assert math.isnan(row["bvse_barrier_3d_eV"])
    assert math.isnan(row["density_g_cm3"])
    assert row["mobile_fraction"] == pytest.approx(3 / 8, rel=1e-7)


def test_formula_and_cell_contents_give_the_same_row_without_a_volume() -> None:
    one = composition_row("x", {"Li": 7, "La": 3, "Zr": 2, "O": 12}).values
    eight = composition_row("x", {"Li": 56, "La": 24, "Zr": 16, "O": 96}).values
    for name, value in one.items():
        same = value == eight[name] or (math.isnan(value) and math.isnan(eight[name]))
        assert same or math.isclose(value, eight[name], rel_tol=1e-6), name


@pytest.mark.parametrize(
    ("amounts", "reason"),
    [({"Na": 1, "Cl": 1}, "holds no Li"), ({}, "is empty"), ({"Li": 1, "Q": 1}, "'Q'")],
)
def test_what_cannot_be_used_has_a_reason(amounts: dict[str, float], reason: str) -> None:
    row = composition_row("x", amounts)
    assert row.values is None
    assert reason in row.reason
