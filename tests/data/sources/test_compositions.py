"""Tables of compositions: every row is used or quarantined with its number and a remedy."""

import math
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymatgen.core import Composition

from ionsieve.data import InputError, StructureError
from ionsieve.data.elements import SYMBOLS
from ionsieve.data.embedded.experiment import load_experiment_compositions
from ionsieve.data.sources.compositions import (
    compositions_of,
    formula_units,
    parse_composition,
    read_compositions,
)

CELL = "id,composition,a,b,c,alpha,beta,gamma,space_group\n"


def write(path: Path, text: str) -> Path:
    (path / "c.csv").write_text(text, encoding="utf-8")
    return path / "c.csv"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Li7La3Zr2O12", {"Li": 7, "O": 12, "Zr": 2, "La": 3}),
        ("Li7 La3 Zr2 O12", {"Li": 7, "O": 12, "Zr": 2, "La": 3}),
        ("Li₇La₃Zr₂O₁₂", {"Li": 7, "O": 12, "Zr": 2, "La": 3}),
        ("Li0.6[Li0.2Sn0.8S2]", {"Li": 0.8, "S": 2, "Sn": 0.8}),
        ("LiOD", {"H": 1, "Li": 1, "O": 1}),
    ],
)
def test_formulas_as_people_write_them(text: str, expected: dict[str, float]) -> None:
    found = parse_composition(text)
    assert set(found) == set(expected)
    assert all(math.isclose(found[e], n) for e, n in expected.items())


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "is empty; give a formula"),
        ("Li7-xLa3Zr2O12", "write numbers for variables"),
        ("LiBr·H2O", "one formula for a mixture or hydrate"),
        ("=HYPERLINK(1)", "more than elements, numbers and brackets"),
        ("Xx2O", "'Xx' is no element"),
        ("li2o", "no chemical formula"),
        ("Li2O)", "no chemical formula"),
        ("Li99999999999O", "amounts must be above 0 and at most"),
        ("Li" * 200, "longer than 200 characters"),
    ],
)
def test_what_is_no_composition_says_why(text: str, reason: str) -> None:
    with pytest.raises(StructureError) as caught:
        parse_composition(text)
    assert reason in str(caught.value)


def test_deep_brackets_are_no_crash() -> None:
    # A formula, if an odd one, or refused: parsers differ.
    assert outcome("(" * 90 + "Li" + ")" * 90) in ({"Li": 1.0}, None)


def outcome(text: str) -> dict[str, float] | None:
    """Amounts, or None where the text is refused in one line."""
    try:
        return parse_composition(text)
    except StructureError as error:
        if "\n" in str(error):
            raise
        return None


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(SYMBOLS[:90]), st.floats(0.01, 500).map(lambda x: round(x, 3)), min_size=1
    )
)
def test_any_formula_is_read_back(amounts: dict[str, float]) -> None:
    text = "".join(f"{e}{n:g}" for e, n in amounts.items())
    if len(text) <= 200 and "e" not in text.replace("Be", "").replace("He", ""):
        expected = Composition(amounts).get_el_amt_dict()
        found = parse_composition(text)
        assert set(found) == set(expected)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=40))
def test_no_text_is_a_crash(text: str) -> None:
    found = outcome(text)
    assert found is None or all(n > 0 for n in found.values())


def test_bad_rows_are_quarantined_and_good_ones_kept(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        CELL
        + "a,Li3PO4,6.1,10.5,4.9,90,90,90,Pnma\n"
        + "b,nonsense,,,,,,,\n"
        + "a,Li2O,,,,,,,\n"
        + ",LiF,,,,,,,\n"
        + "c,LiCl,5,,5,90,90,90,\n"
        + "d,LiCl,5,5,5,90,90,400,\n"
        + "e,LiCl,5,five,5,90,90,90,\n"
        + "f,LiCl,,,,,,,P999\n",
    )
    found = read_compositions(path)
    assert [r.id for r in found.records] == ["a", "f"]
    reasons = {q.reason.split(":")[0]: q.reason for q in found.quarantined}
    assert list(reasons) == ["row 2", "row 3", "row 4", "row 5", "row 6", "row 7"]
    assert "belongs to an earlier row" in reasons["row 3"]
    assert "id is empty" in reasons["row 4"]
    assert "b is empty; give the whole cell" in reasons["row 5"]
    assert "impossible" in reasons["row 6"]
    assert "b 'five' is no number" in reasons["row 7"]
    assert "space group 'P999' is unknown and left out" in found.records[1].note


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not a readable CSV"),
        ("composition\nLi2O\n", "column 'id' is missing"),
        ("id,formula\na,Li2O\n", "column 'composition' is missing"),
        ("id,composition\n", "has no rows"),
        ("id,composition\na,!\n", "no row can be used; row 1"),
        ('id,composition\n"a,Li2O\n', "c.csv"),
    ],
)
def test_what_is_no_table_is_one_line(tmp_path: Path, text: str, reason: str) -> None:
    with pytest.raises(InputError) as caught:
        read_compositions(write(tmp_path, text))
    assert reason in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_file_is_said() -> None:
    with pytest.raises(InputError, match="no such file"):
        read_compositions("absent.csv")


def test_the_volume_tells_formula_from_cell() -> None:
    garnet = {"Li": 7, "La": 3, "Zr": 2, "O": 12}
    assert formula_units(garnet, 12.98**3) == 8
    assert formula_units({e: 8 * n for e, n in garnet.items()}, 12.98**3) == 1
    # Li3N, P6/mmm, Z = 1, and Li2O, Fm-3m, Z = 4: more lithium than fits between the anions.
    assert formula_units({"Li": 3, "N": 1}, 44.7, hexagonal=True) == 1
    assert formula_units({"Li": 2, "O": 1}, 4.62**3) == 4
    # LiTi2(PO4)3 on hexagonal axes, Z = 6.
    assert formula_units({"Li": 1, "Ti": 2, "P": 3, "O": 12}, 1308.0, hexagonal=True) == 6


def test_formula_units_of_real_cells(shared_data: Path) -> None:
    table = pd.read_csv(
        shared_data / "obelix_train" / "train.csv", dtype=str, keep_default_na=False
    )
    cells = {r.id: sum(r.amounts.values()) for r in experiment_cells()}
    reduced = table.rename(columns={"ID": "id", "Reduced Composition": "composition"})
    found = compositions_of(reduced, "reduced").records
    right = [abs(sum(r.amounts.values()) / cells[r.id] - 1) < 0.02 for r in found]
    # What differs is mostly the source: cells given for another multiple of the formula.
    assert sum(right) >= 0.93 * len(right) == 0.93 * 478


def experiment_cells():
    table = load_experiment_compositions().drop(columns=["a_A", "b_A", "c_A"])
    return compositions_of(table.drop(columns=["alpha_deg", "beta_deg", "gamma_deg"]), "x").records


def test_the_embedded_table_is_an_input() -> None:
    found = compositions_of(load_experiment_compositions(), "experiment")
    assert len(found.records) == 478
    assert not found.quarantined
    assert sum(r.space_group_number is not None for r in found.records) == 478
