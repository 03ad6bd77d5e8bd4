"""CIF files as others write them: each is read right, or refused with the reason."""

import re

import pytest

from cifs import HEXAGONAL, cell, formula, named, operators, read, refused, sites
from ionsieve.data import Provenance, Quarantined, StructureError
from ionsieve.data.formats.cif import parse_cif

FM3M = named("F m -3 m")
LICL = sites("Li1 Li 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1")
INVERSION = operators("x,y,z", "-x,-y,-z")
ROCK_SALT = {"Li": 4.0, "Cl": 4.0}


def test_occupancies_that_are_not_given_are_full() -> None:
    rows = ("Li1 Li 0.1 0.2 0.3 .", "P1 P 0 0 0 ?", "S1 S 0.3 0.3 0.1 .")
    half = read(cell(6.1), INVERSION, sites(*rows, "Cl1 Cl 0.6 0.3 0.8 0.5"))
    assert half.composition == {"Li": 2.0, "P": 1.0, "S": 2.0, "Cl": 1.0}
    full = read(cell(6.1), INVERSION, sites(*rows, "Cl1 Cl 0.6 0.3 0.8 1"))
    assert full.composition == {"Li": 2.0, "P": 1.0, "S": 2.0, "Cl": 2.0}


def test_hydrogen_on_a_shared_site_stays() -> None:
    rows = ("Li1 Li 0.1 0.2 0.3 1", "N1 N 0 0 0 1", "H1 H 0.5 0.5 0.5 0.9", "O1 O 0.5 0.5 0.5 0.1")
    record = read(cell(6.1), INVERSION, sites(*rows))
    assert record.composition == pytest.approx({"H": 0.9, "Li": 2.0, "N": 1.0, "O": 0.1})
    assert record.n_sites == 4


def test_atoms_that_lie_almost_on_one_place_are_one_mixed_site() -> None:
    """Refinements of Li/Na disorder leave the two ions 0.02 Å apart."""
    rows = ("Li1 Li 0 0 0 0.5", "Na1 Na 0.004 0 0 0.5", "Cl1 Cl 0.5 0.5 0.5 1")
    record = read(cell(5.13), named("P 1"), sites(*rows))
    assert [tuple((s.element, s.occupancy) for s in c) for c in record.species] == [
        (("Li", 0.5), ("Na", 0.5)),
        (("Cl", 1.0),),
    ]
    assert record.frac[0, 0] == pytest.approx(0.002, rel=1e-6)


def test_alternatives_far_enough_apart_stay_two_sites() -> None:
    rows = ("Li1 Li 0 0 0 0.5", "Li2 Li 0.08 0 0 0.5", "Cl1 Cl 0.5 0.5 0.5 1")
    assert read(cell(5.13), named("P 1"), sites(*rows)).n_sites == 3


@pytest.mark.parametrize(
    "rows",
    [
        ("Li1 Li 0 0 0 1", "Li2 Li 0 .5 .5 1", "Cl1 Cl .5 .5 .5 1"),
        ("Li1 Li 0 0 0 0.8", "Na1 Na 0.004 0 0 0.5", "Cl1 Cl .5 .5 .5 1"),
    ],
)
def test_atoms_that_cannot_share_a_place_are_refused(rows: tuple[str, ...]) -> None:
    assert re.search(
        r"sites Li1, (Li2|Na1) lie on one place", refused(cell(5.13), FM3M, sites(*rows))
    )


def test_two_full_atoms_close_together_are_refused_with_their_distance() -> None:
    rows = ("Li1 Li 0 0 0 1", "S1 S 0.06 0 0 1", "Cl1 Cl .5 .5 .5 1")
    assert "(Li) and 2 (S) are 0.31 Å apart" in refused(cell(5.13), named("P 1"), sites(*rows))


@pytest.mark.parametrize(("occupancy", "vanadium"), [("1", 2), ("0.5", 1)])
def test_vacancies_listed_as_sites_are_left_out_and_counted(occupancy: str, vanadium: int) -> None:
    rows = (f"Li1 Li 0.1 0.2 0.3 {occupancy}", "Q1 Vac 0 0 0 1", "Cl1 Cl 0.3 0.3 0.1 1")
    record = read(cell(6.1), INVERSION, sites(*rows))
    assert record.composition == {"Li": vanadium, "Cl": 2.0}
    assert record.notes == ("vacancies listed as sites left out: 1 (the first Q1)",)


@pytest.mark.parametrize(
    "symbol", ["OH", "H2O", "NH4", "Ni0.8Co0.2", "Li/Na", "X", "Uk", "CN", "Cn"]
)
@pytest.mark.parametrize("occupancy", ["1", "0.5"])
def test_what_is_no_element_is_refused_with_its_site(symbol: str, occupancy: str) -> None:
    rows = (f"Li1 Li 0.1 0.2 0.3 {occupancy}", f"Q1 '{symbol}' 0 0 0 1", "Cl1 Cl 0.3 0.3 0.1 1")
    assert f"site Q1 is {symbol!r}, no element" in refused(cell(6.1), INVERSION, sites(*rows))


LABELS = "label fract_x fract_y fract_z"


@pytest.mark.parametrize("label", ["CO1", "HO1", "CN1", "OW1", "M1", "X", "PS4", "Vac1x"])
def test_labels_that_name_no_element_alone_are_refused(label: str) -> None:
    table = sites(f"{label} 0.5 0.5 0.5", "Li9 0 0 0", "F9 0.5 0 0", columns=LABELS)
    assert f"site {label} has no type symbol" in refused(cell(4.1), named("P 1"), table)


@pytest.mark.parametrize(
    ("label", "sum_", "element"),
    [
        ("HO1", "Li F H", "H"),
        ("CO1", "Li F Co", "Co"),
        ("CO1", "C F Li", "C"),
        ("OW1", "Li F O", "O"),
    ],
)
def test_the_formula_settles_a_label(label: str, sum_: str, element: str) -> None:
    table = sites(f"{label} 0.5 0.5 0.5", "Li9 0 0 0", "F9 0.5 0 0", columns=LABELS)
    assert element in read(formula(sum_), cell(4.1), named("P 1"), table).composition


def test_the_formula_does_not_settle_what_it_holds_twice() -> None:
    table = sites("CO1 .5 .5 .5", "Li9 0 0 0", "F9 .5 0 0", columns=LABELS)
    assert "CO1" in refused(formula("Li F C Co"), cell(4.1), named("P 1"), table)


@pytest.mark.parametrize(
    ("symbol", "element"), [("D", "H"), ("T", "H"), ("7Li", "Li"), ("LI", "Li"), ("Li1+", "Li")]
)
def test_isotopes_capitals_and_charges(symbol: str, element: str) -> None:
    record = read(cell(5.13), FM3M, sites(f"A1 {symbol} 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1"))
    assert record.composition == {element: 4.0, "Cl": 4.0}
    assert record.species[0][0].oxidation == (1.0 if "+" in symbol else None)


@pytest.mark.parametrize(
    "rows",
    [
        ("Li1 Li 0.0000(3) 0 0 0.950(12)", "Cl1 Cl 0.5000(3) 0.5 0.5 1"),
        ("'Li1' 'Li' -1 2 0 0.95", '"Cl1" "Cl" 1/2 -1/2 0.5 1.'),
        ("Li1 Li 1e6 0 -99999 0.95", "Cl1 Cl 0.5 0.5 0.5 1.0(0)"),
    ],
)
def test_numbers_as_they_are_written(rows: tuple[str, ...]) -> None:
    assert read(cell("5.13(2)"), FM3M, sites(*rows)).composition == pytest.approx(
        {"Li": 3.8, "Cl": 4.0}
    )


def test_several_blocks_and_text_between_them() -> None:
    block = cell(5.13) + FM3M + LICL
    text = f"data_global\n_journal_name 'x'\ndata_a\n{block}\n# end\n_publ_text\n;\nLi 0 0\n;\n"
    first, second = parse_cif(text + f"data_b\n{block}", "x", Provenance(source="test"))
    assert (first.id, second.id) == ("x-a", "x-b")
    assert first.composition == second.composition == ROCK_SALT


def test_names_of_the_newer_dictionary() -> None:
    text = cell(5.13).replace("_cell_", "_cell.") + FM3M + LICL.replace("_site_", "_site.")
    assert read(text).composition == ROCK_SALT


def test_sites_that_hold_nothing_are_counted() -> None:
    columns = "label type_symbol fract_x fract_y fract_z occupancy calc_flag"
    rows = (
        "Li1 Li 0 0 0 1 d",
        "Cl1 Cl .5 .5 .5 1 d",
        "Cg1 C .25 .25 .25 1 dum",
        "H1 H .2 .2 .2 0 d",
    )
    record = read(cell(5.13), FM3M, sites(*rows, columns=columns))
    assert record.composition == ROCK_SALT
    assert [note.split(" (")[0] for note in record.notes] == [
        "dummy atoms left out: 1",
        "sites with occupancy 0 left out: 1",
    ]


def test_atoms_without_coordinates_are_refused() -> None:
    rows = ("Li1 Li 0 0 0 1", "Cl1 Cl 0.5 0.5 0.5 1", "H1 H ? ? ? 1")
    assert "site H1 has no coordinates" in refused(cell(5.13), FM3M, sites(*rows))


@pytest.mark.parametrize(("edge", "unit"), [(513.0, "pm"), (0.513, "nm")])
def test_cells_in_other_units_are_refused(edge: float, unit: str) -> None:
    assert f"is the cell in {unit}" in refused(cell(edge), FM3M, LICL)


def test_an_unexpected_failure_is_the_quarantine_of_its_block(monkeypatch) -> None:
    def fails(*_: object) -> None:
        raise ZeroDivisionError("in the middle")

    block = cell(5.13) + FM3M + LICL
    monkeypatch.setattr("ionsieve.data.formats.cif.stated_symmetry", fails)
    entries = parse_cif(f"data_a\n{block}data_b\n{block}", "x", Provenance(source="test"))
    assert all(isinstance(entry, Quarantined) for entry in entries)
    assert entries[0].reason == "cannot be read (ZeroDivisionError: in the middle)"


def test_what_is_no_cif_is_an_error() -> None:
    with pytest.raises(StructureError, match="not a readable CIF"):
        parse_cif("data_x\nloop_\n_a\n_b\n1\n", "x", Provenance(source="test"))


def test_remarks_travel_with_the_record_through_every_file(tmp_path) -> None:
    from ionsieve.data.formats.optimade_read import record_from_attributes
    from ionsieve.data.formats.optimade_write import attributes_of
    from ionsieve.data.store.store import StoredRecord, records_table, stored_records

    record = read(cell(4.0, c=9.0, angles=HEXAGONAL), sites("Li1 Li 0 0 0 1", "I1 I .5 .5 .5 1"))
    assert record.notes == ("no symmetry is stated: read as P 1",)
    (stored,) = stored_records(records_table([StoredRecord(record, "LiI", 1)]))
    assert stored.record.notes == record.notes
    again = record_from_attributes(attributes_of(record), "x", Provenance(source="test"))
    assert again.notes == record.notes
