"""What a CIF says of itself against what was read from it."""

import pytest

from cifs import cell, formula, named, read, refused, sites
from ionsieve.data.formats.formula_sum import parse_formula

FM3M = named("F m -3 m")
LICL = sites("Li1 Li 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1")
P1 = named("P 1")


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("Li0.9 Mn O2", {"Li": (0.9, 0.05), "Mn": (1, 0), "O": (2, 0)}),
        ("C2H6O", {"C": (2, 0), "H": (6, 0), "O": (1, 0)}),
        ("D2 O", {"H": (2, 0), "O": (1, 0)}),
        ("H1 D1 O", {"H": (2, 0), "O": (1, 0)}),
        ("Li6.00 P1.0 S5", {"Li": (6, 0), "P": (1, 0), "S": (5, 0)}),
        ("Li0 Cl2", {"Cl": (2, 0)}),
        ("Li(Mn2 O4)", None),
        ("LiXxO2", None),
        ("?", None),
    ],
)
def test_formula_sums(text: str, found) -> None:
    parsed = parse_formula(text)
    assert (parsed is None) == (found is None)
    for element, (number, error) in (found or {}).items():
        assert parsed[element] == pytest.approx((number, error))


@pytest.mark.parametrize(
    ("sum_", "z"),
    [("Li Cl", 4), ("Li4 Cl4", 1), ("Li4 Cl4", 4), ("Li1.00 Cl1.00", None), ("Cl Li", None)],
)
def test_formulas_that_agree_leave_no_note(sum_: str, z: int | None) -> None:
    """Z counts formula units; some programs give the sum of the whole cell beside it."""
    assert read(formula(sum_, z), cell(5.13), FM3M, LICL).notes == ()


@pytest.mark.parametrize(
    ("sum_", "reason"),
    [
        ("Li3 Cl3", "Li 1 instead of 3"),
        ("Li Cl3 O", "O 0 instead of 1"),
        ("Na Cl3", "Na 0 instead of 1"),
        ("Li H2 O4 Cl3", "H 0 instead of 2"),
    ],
)
def test_another_compound_is_refused(sum_: str, reason: str) -> None:
    rows = ("Li1 Li 0 0 0 1", "Cl1 Cl .5 .5 .5 1", "Cl2 Cl .5 0 0 1", "Cl3 Cl 0 .5 0 1")
    assert reason in refused(formula(sum_, 1), cell(5.13), P1, sites(*rows))


def test_smaller_differences_are_noted() -> None:
    rows = ("Li1 Li 0 0 0 0.9", "Cl1 Cl 0.5 0.5 0.5 1")
    (note,) = read(formula("Li Cl", 4), cell(5.13), FM3M, sites(*rows)).notes
    assert note == "its sites differ from the formula sum (Li 3.6 instead of 4 in the cell)"
    (note,) = read(formula("Li3.98 Mg0.02 Cl4", 1), cell(5.13), FM3M, LICL).notes
    assert "Mg 0 instead of 0.02" in note


def test_rounding_of_formula_and_occupancies_is_no_difference() -> None:
    rows = ("Li1 Li 0 0 0 0.93", "Cl1 Cl 0.5 0.5 0.5 1")
    assert read(formula("Li0.9 Cl", 4), cell(5.13), FM3M, sites(*rows)).notes == ()


def test_formula_units() -> None:
    (note,) = read(formula("Li Cl", 8), cell(5.13), FM3M, LICL).notes
    assert "the file says Z = 8, but its sites make 4 formula units" in note
    # Four times too few atoms for the volume: a symmetry is missing.
    assert "Z = 4, but its sites make 1" in refused(formula("Li Cl", 4), cell(5.13), P1, LICL)


@pytest.mark.parametrize("sum_", ["Li(Cl)", "LiCl * x H2O"])
def test_a_formula_that_cannot_be_read_is_noted(sum_: str) -> None:
    (note,) = read(formula(sum_), cell(5.13), FM3M, LICL).notes
    assert "cannot be compared" in note


def test_volumes() -> None:
    assert read("_cell_volume 135.0(1)\n", cell(5.13), FM3M, LICL).notes == ()
    (note,) = read("_cell_volume 137\n", cell(5.13), FM3M, LICL).notes
    assert note == "its cell has 135.01 Å³, but the file says 137"
    assert "the file says 152" in refused("_cell_volume 152\n", cell(5.13), FM3M, LICL)


@pytest.mark.parametrize("tag", ["symmetry_multiplicity", "site_symmetry_multiplicity"])
def test_multiplicities(tag: str) -> None:
    columns = f"label type_symbol fract_x fract_y fract_z occupancy {tag}"
    rows = ("Li1 Li 0 0 0 1 {}", "Cl1 Cl .5 .5 .5 1 4")
    assert read(cell(5.13), FM3M, sites(rows[0].format(4), rows[1], columns=columns)).notes == ()
    (note,) = read(cell(5.13), FM3M, sites(rows[0].format(8), rows[1], columns=columns)).notes
    assert note == "site Li1 has multiplicity 8 by the file, 4 by its symmetry"


def test_orders_of_the_site_symmetry() -> None:
    columns = "label type_symbol fract_x fract_y fract_z occupancy site_symmetry_order"
    rows = ("Li1 Li 0 0 0 1 48", "Cl1 Cl .5 .5 .5 1 {}")
    assert read(cell(5.13), FM3M, sites(rows[0], rows[1].format(48), columns=columns)).notes == ()
    (note,) = read(cell(5.13), FM3M, sites(rows[0], rows[1].format(24), columns=columns)).notes
    assert "site Cl1 has multiplicity 8 by the file" in note


ATTACHED = "label type_symbol fract_x fract_y fract_z attached_hydrogens"


def test_hydrogen_without_a_position_is_refused() -> None:
    rows = sites("Li1 Li 0 0 0 0", "O1 O .5 .5 .5 1", columns=ATTACHED)
    assert "attached to sites (1 on O1)" in refused(cell(2.9), P1, rows)
    assert "H 0 instead of 1" in refused(formula("Li O H", 1), cell(2.9), P1, rows)


def test_hydrogen_that_is_listed_may_be_counted_on_its_neighbour_too() -> None:
    rows = ("Li1 Li 0 0 0 0", "O1 O .5 .5 .5 1", "H1 H .5 .5 .8 0")
    table = sites(*rows, columns=ATTACHED)
    assert read(formula("Li O H", 1), cell(3.2), P1, table).notes == ()
    (note,) = read(cell(3.2), P1, table).notes
    assert "hydrogen atoms without positions" in note
