import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.models.labels.medians import column_medians


@given(st.integers(0, 10_000), st.integers(1, 9))
def test_as_numpy(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, 4))
    values[rng.random(values.shape) < 0.3] = np.nan
    values[:, 3] = np.nan
    values[0, :3] = 1.0
    found = column_medians(values)
    np.testing.assert_allclose(found[:3], np.nanmedian(values[:, :3], axis=0), rtol=1e-15)
    assert found[3] == 0.0


def test_the_table_is_left_as_it_is() -> None:
    values = np.array([[3.0, np.nan], [1.0, 2.0]])
    assert column_medians(values) == pytest.approx([2.0, 2.0])
    assert values[0, 0] == 3.0
