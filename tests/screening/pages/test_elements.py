"""A periodic table of a screen, and known conductors beside their labels."""

import pytest

from ionsieve.screening.pages.elements import build_element_map
from ionsieve.screening.pages.landmarks import (
    build_landmarks,
    build_textbook,
    label_text,
    pairs_in_order,
)

ROWS = [
    {"elements": ["Li", "S"], "p_fast": 0.9},
    {"elements": ["Li", "S"], "p_fast": 0.5},
    {"elements": ["Li", "S", "P"], "p_fast": 0.4},
    {"elements": ["Cl", "Li"], "p_fast": 0.1},
]


def test_each_element_shows_the_mean_of_its_candidates() -> None:
    cells = {c.symbol: c for c in build_element_map(ROWS, "Li").cells}
    assert cells["S"].mean == pytest.approx(0.6)
    assert cells["S"].count == 3
    assert cells["Cl"].is_few
    assert not cells["S"].is_few
    assert cells["O"].mean is None
    # The darkest is the largest mean of enough candidates, whatever the mobile species has.
    assert build_element_map(ROWS, "Li").highest == pytest.approx(0.6)


def test_places_are_those_of_the_periodic_table() -> None:
    cells = {c.symbol: (c.x, c.y) for c in build_element_map(ROWS, "Li").cells}
    assert len(set(cells.values())) == len(cells) == 94
    assert cells["Li"][0] == cells["Na"][0] == cells["K"][0]
    assert cells["Na"][1] == cells["Cl"][1]
    assert cells["La"][1] > cells["Cs"][1]


def known(value: float | None, low: float | None, high: float | None) -> dict:
    return {
        "id": "a", "formula": "Li6PS5Cl", "rank": 3, "p_fast": 0.5, "temperature_K": 300.0,
        "log10_sigma_S_cm": value, "log10_sigma_lower_S_cm": low, "log10_sigma_upper_S_cm": high,
    }  # fmt: skip


def test_labels_are_values_or_bounds() -> None:
    assert label_text(known(-2.5, None, None)) == "−2.50"
    assert label_text(known(None, None, -4.0)) == "below −4.00"
    assert label_text(known(None, -5.0, -4.0)) == "−5.00 to −4.00"
    assert label_text(known(None, -5.0, None)) == "above −5.00"


def test_landmarks_stand_at_their_labels() -> None:
    row = {
        "log10_sigma_300K_S_cm": -3.0, "log10_sigma_300K_low": -5.0, "log10_sigma_300K_high": -1.0,
    }  # fmt: skip
    found = build_landmarks([known(-2.0, None, None)], {"a": row}, -3.0)
    assert found is not None
    (mark,) = found.rows
    assert mark.low < mark.predicted == found.threshold_x < mark.label < mark.high
    hot = {**known(-2.0, None, None), "temperature_K": 1000.0}
    assert build_landmarks([hot], {"a": row}, -3.0) is None


def textbook(name: str, known: str, prediction: float, label: float | None = None) -> dict:
    ends = {"low": prediction - 2.0, "high": prediction + 2.0}
    return {"name": name, "known": known, "n": 1, "label": label, "prediction": prediction, **ends}


TEXTBOOK = [
    textbook("LiF", "slow", -8.0),
    textbook("LGPS", "fast", -2.5, -2.0),
    textbook("Li3PO4", "slow", -5.0, -9.0),
    textbook("LLTO", "fast", -6.0, -3.5),
]


def test_textbook_conductors_stand_fast_ones_first() -> None:
    found = build_textbook(TEXTBOOK)
    assert found is not None
    assert [mark.name for mark in found.rows] == ["LGPS", "LLTO", "Li3PO4", "LiF"]
    assert [mark.y for mark in found.rows] == sorted(mark.y for mark in found.rows)
    first, last = found.rows[0], found.rows[-1]
    assert last.label is None
    assert first.label is not None
    assert first.low < first.predicted < first.label < first.high
    assert last.predicted < found.threshold_x < first.predicted
    assert build_textbook([]) is None


def test_pairs_of_textbook_conductors_are_counted() -> None:
    assert pairs_in_order(TEXTBOOK) == (3, 4)
    assert pairs_in_order([]) == (0, 0)
