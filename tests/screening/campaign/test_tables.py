"""Tables beside the database that are damaged or absent: one line."""

from pathlib import Path

import pandas as pd
import pytest

from ionsieve.data.errors import InputError
from ionsieve.screening.campaign.tables import campaign_table


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pd.DataFrame({"a": [1.0, 2.0]}, index=["x", "y"]).to_parquet(tmp_path / "t.parquet")
    return tmp_path


def test_what_is_there_is_read(folder: Path) -> None:
    assert campaign_table(folder, "t.parquet", ["x"], ["a"])["a"].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(
    ("ids", "columns", "missing"),
    [(["x", "z"], [], "row 'z'"), (["y"], ["b"], "column 'b'"), (["z"], ["b"], r"row 'z'.*2 in")],
)
def test_what_is_missing_is_named(
    folder: Path, ids: list[str], columns: list[str], missing: str
) -> None:
    with pytest.raises(InputError, match=rf"{missing}.* damaged"):
        campaign_table(folder, "t.parquet", ids, columns)


@pytest.mark.parametrize("keep", [0, 3, 100, -8])
def test_a_damaged_file_is_one_line(folder: Path, keep: int) -> None:
    path = folder / "t.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InputError, match=r"t\.parquet: not a readable table") as error:
        campaign_table(folder, "t.parquet")
    assert "\n" not in str(error.value)


def test_an_absent_file_and_one_elsewhere(folder: Path) -> None:
    with pytest.raises(InputError, match="not a readable table"):
        campaign_table(folder, "absent.parquet")
    with pytest.raises(InputError, match="leads out of the campaign"):
        campaign_table(folder, "../t.parquet")
