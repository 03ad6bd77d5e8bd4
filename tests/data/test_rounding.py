"""Rounding to what numbers mean."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.rounding import ZERO_BELOW, meaningful, meaningful_array


@pytest.mark.parametrize(
    ("value", "rounded"),
    [
        (0.1 + 0.2, 0.3),
        (1.0 + 4e-9, 1.0),
        (1.0 + 6e-8, 1.0000001),
        (123456789.0, 123456790.0),
        (-2.5000000049, -2.5),
        (-9.9e-10, 0.0),
        (1.23456789e-9, 1.2345679e-9),
        (1e300, 1e300),
        (math.inf, math.inf),
    ],
)
def test_eight_digits_and_nothing_below_the_limit(value: float, rounded: float) -> None:
    assert meaningful(value) == rounded
    assert meaningful(-value) == -rounded


def test_zero_has_no_sign() -> None:
    assert math.copysign(1.0, meaningful(-1e-15)) == 1.0
    assert math.copysign(1.0, meaningful(-0.0)) == 1.0


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_close_and_final(value: float) -> None:
    rounded = meaningful(value)
    assert abs(rounded - value) <= max(5.1e-8 * abs(value), ZERO_BELOW) or math.isinf(rounded)
    assert meaningful(rounded) == rounded


def test_arrays_keep_their_shape() -> None:
    given_ = [[1 / 3, 1e-12], [math.nan, -math.inf]]
    np.testing.assert_array_equal(
        meaningful_array(given_), [[0.33333333, 0.0], [math.nan, -math.inf]]
    )
    assert meaningful_array(np.zeros((0, 2))).shape == (0, 2)


EXPONENTS = st.integers(-11, 18)


@given(st.lists(st.floats() | st.floats(-1e4, 1e4), max_size=20))
def test_arrays_are_rounded_as_numbers(values: list[float]) -> None:
    expected = np.array([meaningful(value) for value in values], dtype=np.float64)
    found = meaningful_array(values)
    # What is not a number is one all the same; bits of its payload say nothing.
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    assert found[~np.isnan(found)].tobytes() == expected[~np.isnan(expected)].tobytes()


@given(st.lists(st.tuples(st.integers(-(10**9), 10**9), EXPONENTS), max_size=20))
def test_halves_and_borders_are_rounded_as_numbers(parts: list[tuple[int, int]]) -> None:
    """Nine digits and fewer: just what lies between two numbers of eight."""
    values = [float(f"{whole}e{exponent}") for whole, exponent in parts]
    expected = np.array([meaningful(value) for value in values], dtype=np.float64)
    assert meaningful_array(values).tobytes() == expected.tobytes()
