"""Numbers as people read them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.screening.pages.text import chance_text, hours_text, shortened, signed_text


@pytest.mark.parametrize(
    ("chance", "text"),
    [
        (1.0, "1.00"), (0.9999, ">0.99"), (0.996, ">0.99"), (0.994, "0.99"), (0.5, "0.50"),
        (0.004, "<0.01"), (0.0, "0.00"),
    ],
)  # fmt: skip
def test_a_chance_is_certain_only_if_it_is(chance: float, text: str) -> None:
    assert chance_text(chance) == text


@settings(deadline=None, max_examples=40)
@given(st.floats(0, 1))
def test_no_chance_is_rounded_to_certainty(chance: float) -> None:
    assert (chance_text(chance) == "1.00") == (chance == 1.0)
    assert (chance_text(chance) == "0.00") == (chance == 0.0)


def test_signs_and_hours() -> None:
    assert signed_text(-3.456) == "−3.46"
    assert hours_text(1833.4) == "1,830"
    assert hours_text(0.34) == "0.34"


@settings(deadline=None, max_examples=40)
@given(st.text(max_size=60), st.integers(5, 40))
def test_a_name_is_cut_in_the_middle(name: str, width: int) -> None:
    found = shortened(name, width)
    assert len(found) <= width
    assert found == name or (found[0] == name[0] and found[-1] == name[-1])
