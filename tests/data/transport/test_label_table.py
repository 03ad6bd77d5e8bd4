import numpy as np
import pandas as pd
import pytest

from ionsieve.data import LabelError
from ionsieve.data.transport.label_table import (
    COLUMNS,
    check_label_table,
    label_report,
    read_label_table,
    select_labels,
    write_label_table,
)

HEADER = "structure_id,temperature_K,kind,quantity,value,lower,upper,error_log10,group,source\n"
GOOD = HEADER + (
    "a,300,experiment,sigma_S_cm,1e-4,,,0.2,garnet,10.1/x\n"
    "b,300,experiment,sigma_S_cm,,,1e-10,,,10.1/y\n"
    "007,,mlip_md,t_onset_K,,700,800,,,\n"
    "c,1000,mlip_md,diffuses,1,,,,,\n"
)


@pytest.fixture
def write(tmp_path):
    def to_file(text):
        path = tmp_path / "labels.csv"
        path.write_text(text)
        return path

    return to_file


def test_values_bounds_and_gaps_are_read_as_they_are(write):
    table = read_label_table(write(GOOD))
    assert list(table.columns[: len(COLUMNS)]) == list(COLUMNS)
    assert table["structure_id"].tolist() == ["a", "b", "007", "c"]
    assert np.isnan(table["value"][1])
    assert table["upper"][1] == 1e-10
    assert table["group"].tolist() == ["garnet", "", "", ""]
    assert not table["derived"].any()


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_what_is_written_is_read_back(write, tmp_path, suffix):
    table = read_label_table(write(GOOD))
    write_label_table(table, tmp_path / f"again{suffix}")
    pd.testing.assert_frame_equal(read_label_table(tmp_path / f"again{suffix}"), table)


def test_cells_of_strangers_are_no_formulas(write, tmp_path):
    row = "=1+1,300,aimd,sigma_S_cm,1e-4,,,,@sum,-x\n"
    table = read_label_table(write(HEADER + row))
    # As the structure of that name is called.
    assert table["structure_id"].tolist() == ["_=1+1"]
    write_label_table(table, tmp_path / "again.csv")
    written = (tmp_path / "again.csv").read_text().splitlines()[1]
    assert written.startswith("_=1+1,300")
    assert ",_@sum,_-x," in written


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [
        ("a,300,experiment,sigma_S_cm,<1E-10,,,,,", "value", "upper"),
        ("a,-3,experiment,sigma_S_cm,1e-4,,,,,", "temperature_K", "positive"),
        ("a,,experiment,sigma_S_cm,1e-4,,,,,", "temperature_K", "positive"),
        ("a,300,dft,sigma_S_cm,1e-4,,,,,", "kind", "aimd"),
        ("a,300,experiment,sigma,1e-4,,,,,", "quantity", "sigma_S_cm"),
        ("a,300,experiment,sigma_S_cm,,,,,,", "value", "give value, lower or upper"),
        ("a,300,experiment,sigma_S_cm,0,,,,,", "value", "upper bound"),
        ("a,300,experiment,sigma_S_cm,,1e-3,1e-4,,,", "upper", "below lower"),
        ("a,300,experiment,sigma_S_cm,1e-4,,1e-3,,,", "value", "beside a bound"),
        ("a,300,experiment,diffuses,0.5,,,,,", "value", "0 or 1"),
        ("a,300,experiment,sigma_S_cm,1e-4,,,-1,,", "error_log10", "negative"),
        ("a,300,experiment,sigma_S_cm,inf,,,,,", "value", "finite"),
        (",300,experiment,sigma_S_cm,1e-4,,,,,", "structure_id", "empty"),
    ],
)
def test_errors_name_row_and_column(write, row, column, message):
    good = "x,300,experiment,sigma_S_cm,1e-4,,,,,\n"
    with pytest.raises(LabelError, match=rf"row 2, column {column}: .*{message}"):
        read_label_table(write(HEADER + good + row + "\n"))


def test_missing_columns_and_files_are_named(write, tmp_path):
    with pytest.raises(LabelError, match="'kind' is missing"):
        read_label_table(write("structure_id,quantity,value\na,sigma_S_cm,1\n"))
    with pytest.raises(LabelError, match="no such label table"):
        read_label_table(tmp_path / "absent.csv")
    (tmp_path / "labels.xlsx").write_text("x")
    with pytest.raises(LabelError, match=r"\.csv or \.parquet"):
        read_label_table(tmp_path / "labels.xlsx")


def test_duplicates_and_conflicts_are_reported():
    row = {
        "structure_id": "a",
        "temperature_K": 300.0,
        "kind": "aimd",
        "quantity": "sigma_S_cm",
        "value": 1e-3,
        "source": "p1",
    }
    rows = [
        row,
        row,
        row | {"value": 1e-2, "source": "p2"},
        row | {"structure_id": "b"},
        row | {"structure_id": "b", "value": 2e-3, "source": "p2"},
        row | {"structure_id": "c"},
        row | {"structure_id": "c", "value": None, "upper": 1e-5, "source": "p3"},
    ]
    report = label_report(check_label_table(pd.DataFrame(rows)))
    assert report.duplicates.index.tolist() == [1]
    assert set(report.conflicts["structure_id"]) == {"a", "c"}
    assert "1 duplicates, 4 rows in conflict" in report.lines()


def test_kinds_are_never_mixed_silently():
    table = check_label_table(
        pd.DataFrame(
            {
                "structure_id": ["a", "b"],
                "temperature_K": 300.0,
                "kind": ["aimd", "experiment"],
                "quantity": "sigma_S_cm",
                "value": 1e-3,
            }
        )
    )
    with pytest.raises(LabelError, match="aimd, experiment"):
        select_labels(table, "sigma_S_cm")
    assert select_labels(table, "sigma_S_cm", "aimd")["structure_id"].tolist() == ["a"]
    with pytest.raises(LabelError, match="t_onset_K"):
        select_labels(table, "t_onset_K")
