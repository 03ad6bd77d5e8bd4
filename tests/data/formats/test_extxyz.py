"""Columns announced by a frame of extended XYZ."""

from pathlib import Path

import pytest

from ionsieve.data.errors import InputError, TrajectoryError
from ionsieve.data.formats.extxyz import check_columns
from ionsieve.data.records import Quarantined
from ionsieve.data.sources.paths import PathSource
from ionsieve.data.trajectories.readers import read_trajectory

LATTICE = 'Lattice="5 0 0 0 5 0 0 0 5"'


@pytest.mark.parametrize(
    "comment",
    ["", "energy=-1", "Properties=species:S:1:pos:R:3", 'properties="species:S:1:forces:R:3"'],
)
def test_what_codes_write_passes(comment: str) -> None:
    check_columns(f"{LATTICE} {comment}")


@pytest.mark.parametrize("count", ["2147483648", "-1", "1e9", "99999", "²", "9" * 5000])
def test_columns_without_end(tmp_path: Path, count: str) -> None:
    comment = f"{LATTICE} Properties=species:S:1:pos:R:{count}"
    with pytest.raises(InputError, match="announce"):
        check_columns(comment)
    path = tmp_path / "a.extxyz"
    path.write_text(f"1\n{comment}\nLi 0 0 0\n", encoding="utf-8")
    [item] = PathSource(str(path)).items()
    assert isinstance(item.entry, Quarantined)
    with pytest.raises(TrajectoryError, match="announce"):
        read_trajectory([path], frame_spacing_fs=1.0)
