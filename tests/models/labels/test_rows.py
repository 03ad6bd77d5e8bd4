"""Arrays that share their rows."""

from dataclasses import dataclass

import numpy as np

from ionsieve.models.labels.rows import Rows


@dataclass(frozen=True)
class _Pair(Rows):
    number: np.ndarray
    table: np.ndarray


def test_every_field_is_taken_along_its_first_axis() -> None:
    pair = _Pair(np.arange(4), np.arange(8).reshape(4, 2))
    for rows in (np.array([3, 1]), np.array([False, True, False, True])):
        chosen = pair.take(rows)
        assert isinstance(chosen, _Pair)
        np.testing.assert_array_equal(chosen.number, pair.number[rows])
        np.testing.assert_array_equal(chosen.table, pair.table[rows])
