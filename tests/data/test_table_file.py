"""Tables written in parts: the parts leave no trace."""

from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data import InputError
from ionsieve.data.csv_text import csv_text
from ionsieve.data.table_file import open_table

CELLS = st.tuples(
    st.text(max_size=8), st.floats(allow_infinity=False), st.sampled_from(["", "=1+1", "-1", "é\n"])
)


def made(rows: list[tuple[str, float, str]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["id", "value", "note"])
    return table.astype({"id": object, "value": float, "note": object}).set_index("id")


@given(st.lists(CELLS, min_size=1, max_size=12), st.integers(1, 12))
def test_a_csv_in_parts_is_that_of_one_part(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[str, float, str]], size: int
) -> None:
    path, table = tmp_path_factory.mktemp("t") / "t.csv", made(rows)
    with open_table(path, index=True) as file:
        for k in range(0, len(rows), size):
            file.add(table.iloc[k : k + size])
    assert path.read_bytes().decode() == csv_text(table, index=True)


@pytest.mark.parametrize("index", [True, False])
def test_parquet_in_parts_reads_back_as_the_table(tmp_path: Path, index: bool) -> None:
    rows = [(f"s{k}", k / 3, "" if k % 2 else "note") for k in range(7)]
    table = made(rows) if index else made(rows).reset_index()
    with open_table(tmp_path / "t.parquet", index=index, compression="zstd") as file:
        for k in range(0, 7, 3):
            file.add(table.iloc[k : k + 3])
    pd.testing.assert_frame_equal(pd.read_parquet(tmp_path / "t.parquet"), table)


def test_an_error_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("old")

    def half() -> None:
        with open_table(path) as file:
            file.add(made([("a", 1.0, "")]))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert [p.name for p in tmp_path.iterdir()] == ["t.csv"]
    assert path.read_text() == "old"
    with pytest.raises(InputError, match=r"end it in .csv or .parquet"), open_table(tmp_path / "x"):
        pass
