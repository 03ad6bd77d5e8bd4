"""The symmetry of a CIF, however it is stated."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cifs import HEXAGONAL, cell, formula, named, operators, read, refused, sites

ROCK_SALT = {"Li": 4.0, "Cl": 4.0}
LICL = sites("Li1 Li 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1")
GENERAL = sites("Li1 Li .1 .2 .3 .9", "O1 O .6 .4 .2 1")
LAYERED = ("Co1 Co 0 0 0 1", "Li1 Li 0 0 0.5 1", "O1 O 0 0 0.24 {}")
RHOMBOHEDRAL = ("Co1 Co 0 0 0 1", "Li1 Li .5 .5 .5 1", "O1 O .24 .24 .24 {}")
SPINEL_2 = ("Li1 Li .125 .125 .125 1", "Mn1 Mn .5 .5 .5 1", "O1 O .2632 .2632 .2632 {}")
SPINEL_1 = ("Li1 Li 0 0 0 1", "Mn1 Mn .625 .625 .625 1", "O1 O .3882 .3882 .3882 {}")


def of(rows: tuple[str, ...], occupancy: float) -> str:
    return sites(*rows[:-1], rows[-1].format(occupancy))


@pytest.mark.parametrize("occupancy", [1.0, 0.95])
@pytest.mark.parametrize(
    "name", ["R -3 m :H", "R -3 m", "R-3m:H", "R -3 m H", "R -3 m (hexagonal axes)"]
)
def test_hexagonal_axes_by_name(name: str, occupancy: float) -> None:
    record = read(cell(2.816, c=14.05, angles=HEXAGONAL), named(name), of(LAYERED, occupancy))
    assert record.composition == pytest.approx({"Li": 3.0, "O": 6 * occupancy, "Co": 3.0})
    assert record.n_sites == 12


@pytest.mark.parametrize("occupancy", [1.0, 0.95])
@pytest.mark.parametrize(
    "symmetry",
    [
        named("R-3m"),
        named("R -3 m :R"),
        named("R -3 m R"),
        "_space_group_IT_number 166\n",
        "_space_group_IT_number 166\n_space_group_IT_coordinate_system_code r\n",
    ],
)
def test_rhombohedral_axes(symmetry: str, occupancy: float) -> None:
    record = read(cell(4.99, angles=(32.9,) * 3), symmetry, of(RHOMBOHEDRAL, occupancy))
    assert record.composition == pytest.approx({"Li": 1.0, "O": 2 * occupancy, "Co": 1.0})
    assert record.n_sites == 4


MONOCLINIC = [
    ("P 21/c", "b"), ("P21/c", "b"), ("P 1 21/c 1", "b"), ("P2_1/c", "b"), ("p 21/c", "b"),
    ("P 21/n", "b"), ("P 21/c (No. 14)", "b"), ("P 21/b", "c"), ("P 1 1 21/b", "c"),
    ("P 21/a", "c"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "unique"), MONOCLINIC)
def test_short_monoclinic_names(name: str, unique: str) -> None:
    angles = (90, 104, 90) if unique == "b" else (90, 90, 104)
    record = read(cell(5.4, 5.6, 6.1, angles), named(name), GENERAL)
    assert record.composition == pytest.approx({"Li": 3.6, "O": 4.0})
    assert record.notes == ()


@pytest.mark.parametrize("occupancy", [1.0, 0.99])
@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("F d -3 m :2", SPINEL_2), ("F d -3 m Z", SPINEL_2), ("Fd-3m:2", SPINEL_2),
        ("F d -3 m (origin choice 2)", SPINEL_2), ("F d 3 m :2", SPINEL_2),
        ("F d -3 m :1", SPINEL_1), ("F d -3 m S", SPINEL_1),
    ],
)  # fmt: skip
def test_origins_by_name(name: str, rows: tuple[str, ...], occupancy: float) -> None:
    record = read(cell(8.24), named(name), of(rows, occupancy))
    assert record.composition == pytest.approx({"Li": 8.0, "O": 32 * occupancy, "Mn": 16.0})
    assert record.notes == ()


@pytest.mark.parametrize("rows", [SPINEL_1, SPINEL_2])
@pytest.mark.parametrize("occupancy", [1.0, 0.99])
def test_the_formula_settles_the_origin(rows: tuple[str, ...], occupancy: float) -> None:
    parts = (formula("Li Mn2 O4", 8), cell(8.24), named("F d -3 m"), of(rows, occupancy))
    record = read(*parts)
    assert record.composition == pytest.approx({"Li": 8.0, "O": 32 * occupancy, "Mn": 16.0})
    assert record.notes == ()


@pytest.mark.parametrize("occupancy", [1.0, 0.99])
def test_an_open_origin_is_the_second_and_says_so(occupancy: float) -> None:
    record = read(cell(8.24), named("F d -3 m"), of(SPINEL_2, occupancy))
    assert record.composition == pytest.approx({"Li": 8.0, "O": 32 * occupancy, "Mn": 16.0})
    (note,) = record.notes
    assert "origin or the axes are not stated" in note


def test_multiplicities_settle_the_origin() -> None:
    columns = "label type_symbol fract_x fract_y fract_z occupancy symmetry_multiplicity"
    rows = [f"{row.format(1)} {n}" for row, n in zip(SPINEL_1, (8, 16, 32), strict=True)]
    record = read(cell(8.24), named("F d -3 m"), sites(*rows, columns=columns))
    assert record.composition == {"Li": 8.0, "O": 32.0, "Mn": 16.0}


@pytest.mark.parametrize(
    "symmetry",
    [
        "_space_group_name_Hall '-F 4 2 3'\n",
        "_symmetry_space_group_name_Hall '-F 4 2 3'\n_symmetry_space_group_name_H-M ?\n",
        "_symmetry_space_group_name_H-M ?\n_symmetry_Int_Tables_number 225\n",
        named("Fm3m"),
        named("F m 3\u0305 m"),
        named("Fm-3m") + "loop_\n_symmetry_equiv_pos_as_xyz\n?\n",
        named("Q m m m") + "_space_group_IT_number 225\n",
        operators("x,y,z", "X, Y+0.5, Z+.5", "1/2+x,y,1/2+z", "x+1/2,y+1/2,z"),
        operators("x,y+1/2,z+1/2", "x+1/2,y,z+1/2", tag="_space_group_symop_operation_xyz"),
        "loop_\n_space_group_symop_id\n_space_group_symop_operation_xyz\n1 x,y,z\n2 x,y+1/2,z+1/2\n"
        "3 x+1/2,y,z+1/2\n4 x+1/2,y+1/2,z\n",
    ],
)
def test_ways_to_state_a_group(symmetry: str) -> None:
    assert read(cell(5.13), symmetry, LICL).composition == ROCK_SALT


def test_an_operator_list_wins_over_a_name_that_says_less() -> None:
    centrings = ("x,y,z", "x,y+1/2,z+1/2", "x+1/2,y,z+1/2", "x+1/2,y+1/2,z")
    record = read(cell(5.13), named("P 1"), operators(*centrings), LICL)
    assert record.composition == ROCK_SALT


def test_a_list_cut_short_is_settled_by_the_formula_or_refused() -> None:
    parts = (cell(5.13), named("F m -3 m"), operators("x,y,z"), LICL)
    record = read(formula("Li Cl", 4), *parts)
    assert record.composition == ROCK_SALT
    assert "lists 1 operators" in record.notes[0]
    assert "nothing else in the file settles" in refused(*parts)
    # The ratio alone is the same in both.
    assert "nothing else in the file settles" in refused(formula("Li Cl"), *parts)


def test_atoms_listed_out_beside_a_name_are_not_multiplied() -> None:
    places = ("0 0 0", "0 .5 .5", ".5 0 .5", ".5 .5 0")
    rows = [f"Li{i} Li {x} 1" for i, x in enumerate(places)]
    rows += [f"Cl{i} Cl {x} 1" for i, x in enumerate((".5 .5 .5", ".5 0 0", "0 .5 0", "0 0 .5"))]
    record = read(cell(5.13), named("F m -3 m"), operators("x,y,z"), sites(*rows))
    assert record.composition == ROCK_SALT
    assert "the list of operators is used" in record.notes[0]


def test_an_incomplete_list_is_completed_and_noted() -> None:
    record = read(
        cell(5.13), operators("x,y,z", "-y,x,z"), sites("Li1 Li .1 .2 .3 1", "F1 F 0 0 0 1")
    )
    assert record.composition == {"Li": 4.0, "F": 1.0}
    assert record.notes == ("its 2 operators are no group: completed to 4",)


def test_names_that_contradict_each_other_are_refused() -> None:
    reason = refused(cell(5.13), named("F m -3 m"), "_space_group_IT_number 221\n", LICL)
    assert "contradict each other: 'F m -3 m', number 221" in reason


@pytest.mark.parametrize(
    ("lengths", "angles", "name"),
    [
        ((5.13, 5.13, 7.0), (90, 90, 90), "F m -3 m"),
        ((5.4, 5.6, 6.1), (92, 104, 95), "P 21/c"),
        ((4.99, 4.99, 4.99), (32.9, 32.9, 32.9), "R -3 m :H"),
        ((4.0, 4.0, 9.0), (90, 90, 90), "P 63/m m c"),
    ],
)
def test_a_cell_that_cannot_have_the_symmetry_is_refused(lengths, angles, name: str) -> None:
    assert "cannot have the symmetry" in refused(cell(*lengths, angles), named(name), LICL)


SUPERSPACE = "loop_\n_space_group_symop_ssg_operation_algebraic\nx1,x2,x3,x4\n-x1,-x2,-x3,-x4\n"


@pytest.mark.parametrize(
    "symmetry",
    [
        "_space_group_ssg_name 'Fm-3m(00g)s00'\n" + SUPERSPACE,
        "_space_group_ssg_name_WJJ 'P:Fm-3m:1'\n_space_group_name_H-M_alt ?\n",
        SUPERSPACE + named("P 1"),
    ],
)
def test_symmetry_in_superspace_only_is_refused(symmetry: str) -> None:
    assert "modulated" in refused(cell(5.13), symmetry, LICL)


def test_the_average_of_a_modulated_structure_is_noted() -> None:
    record = read(cell(5.13), SUPERSPACE, named("F m -3 m"), LICL)
    assert record.composition == ROCK_SALT
    assert record.notes == ("a modulated structure: its average is read",)


def test_unknown_symmetry_is_refused_or_noted() -> None:
    assert "is unknown" in refused(cell(5.13), named("Q m m m"), LICL)
    assert read(cell(5.13), LICL).notes == ("no symmetry is stated: read as P 1",)
    assert "no symmetry operation" in refused(cell(5.13), operators("x,y,z", "what"), LICL)
    assert "no symmetry operation" in refused(cell(5.13), operators("x,y,z", "2*x,y,z"), LICL)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 230), st.integers(0, 30))
def test_every_group_by_hall_symbol_name_and_operators(number: int, choice: int) -> None:
    """A general position has as many copies as the group operators, in every statement of it."""
    import gemmi

    groups = [g for g in gemmi.spacegroup_table() if g.number == number]
    group = groups[choice % len(groups)]
    triplets = [op.triplet() for op in group.operations()]
    lengths, angles = _cell_of(group, len(triplets))
    found = [
        read(cell(*lengths, angles), symmetry, sites("Li1 Li 0.137 0.219 0.341 0.5"))
        for symmetry in (
            operators(*triplets),
            f"_space_group_name_Hall\n;{group.hall}\n;\n",
            named(group.xhm()),
        )
    ]
    assert {record.n_sites for record in found} == {len(triplets)}
    assert all(record.notes == () for record in found)
    for other in found[1:]:
        assert _sorted(other.frac) == pytest.approx(_sorted(found[0].frac), abs=1e-6)


def _sorted(frac: np.ndarray) -> np.ndarray:
    rounded = np.round(frac, 5) % 1.0
    return rounded[np.lexsort(rounded.T)]


def _cell_of(group, n_atoms: int):
    """A cell with the metric of the group and nothing more, 15 Å³ an atom."""
    angles, ratios = _shape(group)
    cosines = np.cos(np.radians(angles))
    volume = np.prod(ratios) * np.sqrt(1 - (cosines**2).sum() + 2 * cosines.prod())
    scale = (15.0 * n_atoms / volume) ** (1 / 3)
    return tuple(round(scale * r, 4) for r in ratios), angles


def _shape(group):
    system = group.crystal_system_str()
    if system == "triclinic":
        return (82.0, 94.0, 103.0), (1.0, 1.15, 1.35)
    if system == "monoclinic":
        axis = group.monoclinic_unique_axis()
        return tuple(100.0 if axis == k else 90.0 for k in "abc"), (1.0, 1.15, 1.35)
    if system == "orthorhombic":
        return (90.0, 90.0, 90.0), (1.0, 1.15, 1.35)
    if system == "tetragonal":
        return (90.0, 90.0, 90.0), (1.0, 1.0, 1.35)
    if system == "cubic":
        return (90.0, 90.0, 90.0), (1.0, 1.0, 1.0)
    if group.ext == "R":
        return (75.0, 75.0, 75.0), (1.0, 1.0, 1.0)
    return (90.0, 90.0, 120.0), (1.0, 1.0, 1.55)


@pytest.mark.parametrize(
    "rows",
    [
        ("Ti1 Ti 0 0 0 1", "O1 O 0 0 0.208 0.99"),
        ("Ti1 Ti 0 0.75 0.125 1", "O1 O 0 0.25 0.0816 0.99"),
    ],
)
def test_distances_settle_the_origin(rows: tuple[str, ...]) -> None:
    """Anatase in both origins: in the wrong one there are twice as many atoms."""
    record = read(cell(3.785, c=9.514), named("I 41/a m d"), sites(*rows))
    assert record.composition == pytest.approx({"O": 7.92, "Ti": 4.0})
    assert record.notes == ()
