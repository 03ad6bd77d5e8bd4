"""Files are read in the workers: in order, and a file that kills costs only itself."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import structures
from faulty_jobs import FileTrap
from ionsieve.data import InputError, Quarantined, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.sources.files import iter_structures
from ionsieve.screening.batch import reading
from ionsieve.screening.batch.batch import featurize_batch
from ionsieve.screening.batch.reading import FileToRead, ReadAhead, read_isolated
from ionsieve.screening.batch.workers import ItemOutcome

NAMES = ("LiCl", "LiF", "Li2S", "Li3N_alpha")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    for name in NAMES:
        to_pymatgen(structures.get(name)).to(str(path / f"{name}.vasp"), fmt="poscar")
    (path / "broken.cif").write_text("data_x\n_cell_length_a 3\n")
    return path


def described(entries: Iterator[reading.Entry]) -> list[tuple[str, str]]:
    return [
        (e.id, e.reason if isinstance(e, Quarantined) else e.content_hash)  # type: ignore[union-attr]
        for e in entries
    ]


@pytest.mark.parametrize("workers", [1, 2])
def test_as_if_read_here(folder: Path, workers: int) -> None:
    assert described(read_isolated([folder], workers)) == described(iter_structures([folder]))


def test_a_missing_file_is_an_error_before_anything_starts(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        read_isolated([tmp_path / "absent.cif"])


def test_files_that_hang_crash_or_take_the_memory_are_quarantined(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "FileToRead", FileTrap)
    found = {e.id: e for e in read_isolated([folder], workers=2, timeout_s=3.0)}
    reasons = {n: e.reason for n, e in found.items() if isinstance(e, Quarantined)}
    assert isinstance(found["Li3N_alpha"], StructureRecord)
    assert reasons.pop("broken")
    assert reasons == {
        "LiF": "timeout: no result within 3 s",
        "LiCl": "crash: the worker process was ended by SIGSEGV, 2 times",
        "Li2S": "memory: needs more than 4 GB",
    }
    assert found["LiF"].file == str(folder / "LiF.vasp")  # type: ignore[union-attr]


def test_a_batch_survives_them_too(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ionsieve.screening.batch import parts

    monkeypatch.setattr(parts, "FileToRead", FileTrap)
    summary = featurize_batch(
        [folder], folder.parent / "out", chosen=["density"], workers=2, timeout_s=3.0
    )
    assert dict(summary.statuses) == {"failed": 4, "ok": 1}, summary.reasons
    assert summary.reasons["read: memory: needs more than # GB"] == 1


def test_reading_leaves_the_parent_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def here(*_: object) -> None:
        raise AssertionError(f"process {os.getpid()} reads")

    monkeypatch.setattr(reading, "read_file", here)
    assert len(list(read_isolated([folder]))) == 5


@given(sizes=st.lists(st.integers(-1, 3), max_size=12), ahead=st.integers(1, 5), data=st.data())
def test_order_is_kept_whoever_reads_first(
    sizes: list[int], ahead: int, data: st.DataObject
) -> None:
    """Files of 0 to 3 structures (-1: an entry known before), finished in any order."""

    def entry(number: int, i: int = 0) -> Quarantined:
        return Quarantined(f"{number}.{i}", "", "read", "")

    things = [
        entry(n) if size < 0 else FileToRead(Path(str(n)), str(n)) for n, size in enumerate(sizes)
    ]
    wanted = [f"{n}.{i}" for n, size in enumerate(sizes) for i in range(abs(size))]
    reads, taken, busy = ReadAhead(iter(things), ahead), [], []
    while not reads.is_done:
        if (file := reads.next_file()) is not None:
            busy.append(file)
            assert len(busy) <= ahead
        elif (found := reads.next_entry()) is not None:
            taken.append(found.id)
        elif reads.files:
            number, file_ = busy.pop(data.draw(st.integers(0, len(busy) - 1)))
            size = sizes[int(file_.identifier)]
            reads.put(number, [entry(int(file_.identifier), i) for i in range(size)])
    assert taken == wanted
    assert not reads.files


def test_structures_of_a_file_are_shared_out(folder: Path) -> None:
    whole = FileToRead(folder / "LiF.vasp", "LiF")
    parts = [FileToRead(whole.path, whole.identifier, first=i, step=3) for i in range(3)]
    assert [len(part.entries()) for part in parts] == [1, 0, 0]
    assert [len(part.failed("crash")) for part in parts] == [1, 0, 0]


def test_a_failure_without_result_is_an_entry() -> None:
    entries = reading.entries_of(FileToRead(Path("a\nb.cif"), "a"), ItemOutcome(0, None, "timeout"))
    assert entries == [Quarantined("a", "a\\nb.cif", "read", "timeout")]
