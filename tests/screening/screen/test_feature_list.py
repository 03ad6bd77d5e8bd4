"""Descriptors in a list that goes to a file: the same numbers and words in any rows."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.screening.screen.feature_list import FeatureList

NUMBER = st.floats(allow_infinity=False) | st.just(-0.0)
ROW = st.tuples(NUMBER, st.sampled_from(["", "none", "zintl", "ü"]), NUMBER)


def table(rows: list[tuple]) -> pd.DataFrame:
    index = pd.Index([f"c{i}" for i in range(len(rows))], name="id")
    return pd.DataFrame(rows, columns=["a", "word", "b"], index=index).astype(
        {"a": float, "word": object, "b": float}
    )


@given(st.lists(ROW, min_size=1, max_size=12), st.integers(1, 5), st.data())
def test_rows_are_those_of_one_table(rows: list[tuple], block: int, data: st.DataObject) -> None:
    whole = table(rows)
    places = data.draw(st.lists(st.integers(0, len(rows) - 1), max_size=6))
    with TemporaryDirectory() as folder:
        found = FeatureList(Path(folder), block)
        for start in range(0, len(rows), block):
            found.add(whole.iloc[start : start + block])
        assert len(found) == len(rows)
        pd.testing.assert_frame_equal(found.table(), whole, check_exact=True)
        some = found.rows(np.array(places, dtype=np.int64), ["b", "word"])
        pd.testing.assert_frame_equal(some, whole.iloc[places][["b", "word"]], check_exact=True)
        parts = list(found.blocks())
        pd.testing.assert_frame_equal(pd.concat(parts), whole, check_exact=True)
        assert max(map(len, parts)) <= block
        assert found.is_in_file == (len(rows) > block)
        assert not list(Path(folder).iterdir()), "it has no name"


def test_a_first_block_without_rows_is_a_beginning(tmp_path: Path) -> None:
    whole = table([(1.0, "x", np.nan), (2.0, "y", 0.0)])
    for folder in (tmp_path, None):
        found = FeatureList(folder, 1)
        for part in (whole.iloc[:0], whole.iloc[:1], whole.iloc[1:]):
            found.add(part)
        pd.testing.assert_frame_equal(found.table(), whole, check_exact=True)
        assert found.columns == ["a", "word", "b"]
