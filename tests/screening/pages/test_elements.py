"""A periodic table of a screen, and known conductors beside their labels."""

import pytest

from ionsieve.screening.pages.elements import build_element_map
from ionsieve.screening.pages.landmarks import build_landmarks, label_text

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
