"""Shards are whole or absent; a journal loses at most the line that was being written."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from ionsieve.data import InputError, Quarantined, StructureRecord
from ionsieve.features.core.columns import Column
from ionsieve.screening.batch.shards import Journal, Layout, Row, read_shard, write_shard

COLUMNS = (
    Column("length_A", "Å", "a length", "nobody", "test"),
    Column("kind", "1", "a word", "nobody", "test", dtype="category"),
    Column("is_even", "1", "a truth", "nobody", "test", dtype="bool"),
)
LAYOUT = Layout(COLUMNS, "settings")


def _rows(count: int) -> dict[str, Row]:
    rows = {}
    for n in range(count):
        values = {"length_A": np.nan if n % 5 == 0 else 0.1 + n / 3, "is_even": n % 2 == 0}
        row = LAYOUT.row(f"Li{n}", "ok", "", {"kind": "σ|\n", **values})
        rows[f"{n:016x}"] = row
    return rows


def _same(a: Row, b: Row) -> bool:
    return a[:3] == b[:3] and a.words == b.words and a.numbers.tobytes() == b.numbers.tobytes()


def test_a_shard_comes_back_as_it_was(tmp_path: Path) -> None:
    rows = _rows(7)
    write_shard(tmp_path / "s.parquet", LAYOUT, list(rows), list(rows.values()))
    back = read_shard(tmp_path / "s.parquet", LAYOUT)
    assert list(back) == list(rows)
    assert all(_same(back[key], rows[key]) for key in rows)


def test_columns_units_and_types_are_in_the_file(tmp_path: Path) -> None:
    rows = _rows(3)
    write_shard(tmp_path / "s.parquet", LAYOUT, list(rows), list(rows.values()))
    schema = pq.read_schema(tmp_path / "s.parquet")
    assert schema.names == ["id", "status", "reason", "length_A", "kind", "is_even"]
    assert [str(schema.field(c.name).type) for c in COLUMNS] == ["double", "string", "double"]
    assert schema.field("length_A").metadata[b"unit"] == "Å".encode()
    frame = pq.read_table(tmp_path / "s.parquet").to_pandas()
    assert frame["is_even"].tolist() == [1.0, 0.0, 1.0]
    assert frame["length_A"].isna().tolist() == [True, False, False]


def test_the_bit_pattern_of_nan_does_not_reach_the_file(tmp_path: Path) -> None:
    for name, nan in (("a", np.nan), ("b", -np.nan)):
        row = LAYOUT.row("x", "ok", "", {"length_A": nan, "kind": "", "is_even": nan})
        write_shard(tmp_path / name, LAYOUT, ["0" * 16], [row])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_a_shard_of_other_columns_is_refused(tmp_path: Path) -> None:
    rows = _rows(3)
    write_shard(tmp_path / "s.parquet", LAYOUT, list(rows), list(rows.values()))
    with pytest.raises(InputError, match="another --out"):
        read_shard(tmp_path / "s.parquet", Layout(COLUMNS[:2], "settings"))
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 and then nothing")
    with pytest.raises(InputError, match=r"bad\.parquet.*remove it"):
        read_shard(tmp_path / "bad.parquet", LAYOUT)


def test_a_journal_cut_anywhere_gives_its_whole_lines_and_goes_on(tmp_path: Path) -> None:
    rows = _rows(6)
    journal = Journal(tmp_path / "j")
    for key, row in rows.items():
        journal.append(key, row)
    journal.close()
    content = (tmp_path / "j").read_bytes()
    ends = [i + 1 for i, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(len(content) + 1):
        (tmp_path / "j").write_bytes(content[:cut])
        again = Journal(tmp_path / "j")
        found = again.read()
        whole = sum(end <= cut for end in ends)
        assert list(found) == list(rows)[:whole]
        assert all(_same(found[key], rows[key]) for key in found)
        for key in list(rows)[whole:]:
            again.append(key, rows[key])
        again.close()
        assert (tmp_path / "j").read_bytes() == content


def test_zeros_from_a_power_cut_are_dropped(tmp_path: Path) -> None:
    (key, row), *_ = _rows(1).items()
    journal = Journal(tmp_path / "j")
    journal.append(key, row)
    journal.close()
    with (tmp_path / "j").open("ab") as file:
        file.write(b"\0" * 100)
    assert list(Journal(tmp_path / "j").read()) == [key]
    assert (tmp_path / "j").read_bytes().endswith(b"\n")


def test_keys_tell_content_settings_and_names_apart() -> None:
    record = StructureRecord.ordered("a", np.eye(3) * 4, ["Li", "Cl"], [[0, 0, 0], [0.5, 0, 0]])
    moved = StructureRecord.ordered("a", np.eye(3) * 4, ["Li", "Cl"], [[0, 0, 0], [0.4, 0, 0]])
    renamed = StructureRecord.ordered("b", record.lattice, ["Li", "Cl"], record.frac)
    unreadable = Quarantined("a", "a.cif", "read", "empty")
    keys = {LAYOUT.key(entry) for entry in (record, moved, renamed, unreadable)}
    assert len(keys | {Layout(COLUMNS, "other").key(record)}) == 5
    again = StructureRecord.ordered("a", record.lattice, ["Li", "Cl"], record.frac)
    assert LAYOUT.key(again) == LAYOUT.key(record)
