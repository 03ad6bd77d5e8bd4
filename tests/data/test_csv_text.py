"""Cells of strangers are no formulas."""

import csv
import io
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

import ionsieve
from ionsieve.data.atomic import write_rows_atomic
from ionsieve.data.csv_text import csv_text, safe_cell


@pytest.mark.parametrize(
    "text", ["=1+1", "+1|c", "-x", "@SUM(A1)", "\t=1", "\r=1", "=cmd|' /C'!A0"]
)
def test_formulas_get_a_mark(text: str) -> None:
    assert safe_cell(text) == f"_{text}"


@pytest.mark.parametrize("value", ["-1.5", "+1e-3", "-inf", "Li3N", "", "a=b", -1.5, None, True])
def test_all_else_stays(value: object) -> None:
    assert safe_cell(value) is value


@given(st.text(max_size=20))
def test_no_cell_begins_as_a_formula(text: str) -> None:
    cell = safe_cell(text)
    assert cell[:1] not in ("=", "@", "\t", "\r") or cell == ""
    assert safe_cell(cell) == cell


def test_tables(tmp_path: Path) -> None:
    table = pd.DataFrame(
        {"file": ["=x.cif", "b"], "n": [-1.0, np.nan], "ok": [True, False]}, index=["@a", "b"]
    )
    table.index.name = "id"
    rows = list(csv.reader(io.StringIO(csv_text(table, index=True))))
    assert rows[1:] == [["_@a", "_=x.cif", "-1.0", "True"], ["b", "b", "", "False"]]
    pd.testing.assert_frame_equal(
        pd.read_csv(io.StringIO(csv_text(table[["n", "ok"]]))),
        table[["n", "ok"]].reset_index(drop=True),
    )
    named = pd.DataFrame({"=1+1": ["a"], "n": [1]})
    assert csv_text(named) == "_=1+1,n\na,1\n"
    write_rows_atomic(tmp_path / "a.csv", [("file", "n"), ("=x", -1)])
    assert (tmp_path / "a.csv").read_text() == "file,n\n_=x,-1\n"


def test_no_table_goes_around_the_guard() -> None:
    root = Path(ionsieve.__file__).parent
    guards = {"data/csv_text.py", "data/atomic.py"}
    around = [
        f"{room}/{path.name}: {line.strip()}"
        for room in ("data", "features", "models", "screening", "cli", "api")
        for path in sorted((root / room).resolve().rglob("*.py"))
        if f"{room}/{path.name}" not in guards
        for line in path.read_text("utf-8").splitlines()
        # What only goes into a digest is no file.
        if re.search(r"\.to_csv\(|csv\.(Dict)?[wW]riter\(", line)
        and "index=False).encode())" not in line
    ]
    assert around == []
