"""Elements from texts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.elements import SYMBOLS
from ionsieve.data.errors import StructureError
from ionsieve.data.formats.symbols import (
    element_of,
    element_of_label,
    is_vacancy,
    required_element,
)


@given(
    st.sampled_from(SYMBOLS[:98]),
    st.sampled_from(["", "+", "-", "2+", "3-", "+2", "-1", "0+", "3.5+", "++"]),
    st.sampled_from(["", "6", "64"]),
)
def test_symbols_with_charges_and_masses(symbol: str, charge: str, mass: str) -> None:
    ion = element_of(f"{mass}{symbol}{charge}")
    assert ion is not None
    assert ion.element == symbol
    expected = {"": None, "+": 1, "-": -1, "2+": 2, "3-": -3, "+2": 2, "-1": -1, "0+": 0}
    assert ion.charge == {**expected, "3.5+": 3.5, "++": 2}[charge]


@pytest.mark.parametrize(
    "text",
    ["", "OH", "H2O", "Vac", "Ni0.8Co0.2", "Li/Na", "Li,Na", "X", "Cn", "Og", "LiLi", "1", "L"],
)
def test_no_elements(text: str) -> None:
    assert element_of(text) is None
    with pytest.raises(StructureError, match="no element"):
        required_element(text, "x")


def test_capitals_need_the_formula_where_both_letters_are_elements() -> None:
    assert element_of("LI").element == "Li"
    assert element_of("CO") is None
    assert element_of("CO", {"Co", "O"}).element == "Co"
    assert element_of("CO", {"C", "Co", "O"}) is None
    assert element_of("li").element == "Li"
    assert element_of("Li1") is None
    assert element_of("Li1", {"Li"}).element == "Li"


@pytest.mark.parametrize(
    ("label", "element"),
    [
        ("Li1", "Li"),
        ("LiA", "Li"),
        ("Co2", "Co"),
        ("CL1", "Cl"),
        ("O1W", "O"),
        ("D3", "H"),
        ("C1", "C"),
    ],
)
def test_labels(label: str, element: str) -> None:
    assert element_of_label(label) == element


@pytest.mark.parametrize("label", ["CO1", "OW1", "Ow1", "HO", "M1", "Vac1", "1Li", "", "PS4"])
def test_labels_that_are_open(label: str) -> None:
    assert element_of_label(label) is None


def test_vacancies() -> None:
    assert all(map(is_vacancy, ("Vac", "VAC", "vac0+", "Va", "□", "Vac1")))
    assert not any(map(is_vacancy, ("V", "V5+", "Ca", "")))
    assert not is_vacancy("Va", {"V"})
