"""Rows by an engine that shares a folder are the rows of processes of this machine."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import poisonous
import structures
from ionsieve.data import FeatureError, StructureRecord
from ionsieve.features.featurizer import rows_to_frame
from ionsieve.features.rows import FeatureRow
from ionsieve.screening.batch import store_parts
from ionsieve.screening.batch.row_cache import described_rows
from ionsieve.screening.batch.shared_rows import SharedEngine, shared_rows
from ionsieve.screening.batch.store_parts import PartResult, PartTask, compute_part
from ionsieve.screening.screen import describe as describe_module
from ionsieve.screening.screen.describe import DescriptorRun, describe

FAMILIES = ("density", "composition", "isolated_anions")


@pytest.fixture(scope="module")
def records() -> list[StructureRecord]:
    """Two of one content and id, one without mobile ions, some disordered."""
    names = ("LiCl", "Li2S", "AgI_zb", "Li3OCl", "LiCl", "Li3N_alpha")
    return [structures.get(name) for name in names]


class HereEngine:
    """This process, the last part first; ends after so many parts."""

    def __init__(self, most: int = 10**9) -> None:
        self.n, self.most = 0, most

    def run(self, tasks: Sequence[PartTask]) -> Iterator[tuple[PartTask, PartResult | str]]:
        for task in reversed(tasks):
            if self.n == self.most:
                raise FeatureError("the scheduler does not answer any more")
            self.n += 1
            yield task, compute_part(task)


def rows(
    records: list[StructureRecord], folder: Path, engine: Any, timeout_s: float = 60.0
) -> list[FeatureRow]:
    found = dict(shared_rows(records, FAMILIES, "Li", timeout_s, SharedEngine(engine, folder)))
    return [found[i] for i in range(len(records))]


def test_rows_are_those_of_workers_here(records: list[StructureRecord], tmp_path: Path) -> None:
    local = described_rows(records, FAMILIES)
    shared = described_rows(
        records, FAMILIES, cache=tmp_path / "c", shared=SharedEngine(HereEngine(), tmp_path / "f")
    )
    assert [(r.id, r.reason) for r in shared] == [(r.id, r.reason) for r in local]
    assert [r.values is None for r in shared] == [r.values is None for r in local]
    good = [[r for r in one if r.values is not None] for one in (local, shared)]
    assert rows_to_frame(good[1], FAMILIES).equals(rows_to_frame(good[0], FAMILIES))
    # Nothing is left behind, and the cache holds what was computed elsewhere.
    assert not list((tmp_path / "f").iterdir())
    kept = described_rows(records, FAMILIES, cache=tmp_path / "c", timeout_s=1e-9)
    assert rows_to_frame([r for r in kept if r.values], FAMILIES).equals(
        rows_to_frame(good[0], FAMILIES)
    )


def test_many_structures_of_a_screen_go_through_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same table, refusals and notes, without a row of each in memory."""
    names = ("LiCl", "Li2S", "AgI_zb", "Li3OCl", "Li3N_alpha")
    given = [structures.get(name) for name in names]
    run = DescriptorRun(shared=SharedEngine(HereEngine(), tmp_path))
    few = describe(given, FAMILIES, "Li", run, lambda *_: None)
    monkeypatch.setattr(describe_module, "MOST_KEPT", 2)
    monkeypatch.setattr(describe_module, "FEW", 2)
    many = describe(given, FAMILIES, "Li", run, lambda *_: None)
    pd.testing.assert_frame_equal(many.features.table(), few.features.table())
    assert many.refused == few.refused
    assert many.notes == few.notes
    assert [r.id for r in many.records] == ["LiCl", "Li2S", "Li3OCl", "Li3N_alpha"]


def test_an_engine_that_is_lost_costs_what_was_under_way(tmp_path: Path) -> None:
    records = [replace(structures.get("LiF"), id=str(k)) for k in range(25)]
    with pytest.raises(FeatureError, match="does not answer"):
        rows(records, tmp_path, HereEngine(1))
    again = HereEngine()
    assert [row.id for row in rows(records, tmp_path, again)] == [r.id for r in records]
    assert again.n == 2, "of three parts one was there"


def test_a_defect_that_one_structure_shows_is_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def defect(record: Any, chosen: Any, mobile: str) -> FeatureRow:
        if record.id == "raises":
            raise KeyError("a table lacks it")
        return poisonous.featurize_one(record, chosen, mobile)

    monkeypatch.setattr(store_parts, "featurize_one", defect)
    records = [replace(structures.get("LiF"), id=name) for name in ("a", "raises", "b")]
    found = rows(records, tmp_path, HereEngine())
    assert [row.values is None for row in found] == [False, True, False]
    assert found[1].reason == "KeyError: 'a table lacks it'"


def test_no_structures_start_nothing(tmp_path: Path) -> None:
    assert rows([], tmp_path, HereEngine(0)) == []
