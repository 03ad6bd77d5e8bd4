"""Structures in a list that goes to a file: the same ones, in any order, whatever they hold."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

import structures
from any_record import records as any_record
from ionsieve.data.records import StructureRecord
from ionsieve.screening.screen.record_list import ChosenRecords, RecordList, in_blocks


def content(record: StructureRecord) -> tuple:
    """Everything, numbers to the last bit."""
    values = dict(vars(record))
    return (
        values.pop("lattice").tobytes(),
        values.pop("frac").tobytes(),
        {name: value for name, value in values.items() if name in record.__dataclass_fields__},
    )


@given(st.lists(any_record(), min_size=1, max_size=5), st.integers(1, 6))
def test_what_is_read_is_what_was_put_in(given: list[StructureRecord], block: int) -> None:
    with TemporaryDirectory() as folder:
        found = RecordList.of(given, Path(folder), block)
        assert len(found) == len(given)
        assert list(map(content, found)) == list(map(content, given))
        assert content(found[len(given) - 1]) == content(found[-1]) == content(given[-1])
        assert [r.content_hash for r in found[::-1]] == [r.content_hash for r in given[::-1]]
        assert found.is_in_file == (len(given) > block)
        assert not list(Path(folder).iterdir()), "it has no name"


def test_numbers_of_numpy_and_ids_that_are_no_text(tmp_path: Path) -> None:
    odd = StructureRecord.ordered("caf\udce9\n\u2028", 4 * np.eye(3), ["Li"], [[0, 0, 0]])
    object.__setattr__(odd, "e_above_hull_eV_atom", np.float32(0.5))
    (found,) = RecordList.of([odd], tmp_path, 0)
    assert found.id == odd.id
    assert found.e_above_hull_eV_atom == 0.5


def test_two_lists_share_a_folder_and_one_can_be_chosen_from(tmp_path: Path) -> None:
    names = ("LiCl", "Li2S", "Li3OCl", "LiF")
    first = RecordList.of(map(structures.get, names), tmp_path, 1)
    second = RecordList.of(map(structures.get, names[::-1]), tmp_path, 1)
    assert [r.id for r in first] == [r.id for r in second][::-1]
    chosen = ChosenRecords(first, np.array([3, 0]))
    assert [r.id for r in chosen] == [chosen[0].id, chosen[1].id] == [first[3].id, first[0].id]
    assert [r.id for r in chosen[1:]] == [first[0].id]
    assert [(start, len(part)) for start, part in in_blocks(first, 3)] == [(0, 3), (3, 1)]


def test_without_a_folder_all_stays_in_memory() -> None:
    given = [structures.get("LiCl"), structures.get("Li2S")]
    found = RecordList.of(given, None, 1)
    assert [a is b for a, b in zip(found, given, strict=True)] == [True, True]
