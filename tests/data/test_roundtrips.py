"""A record survives every way that it is written, whatever fields it has."""

import json
from collections.abc import Callable
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings

import any_record
from ionsieve.data.formats.optimade_read import record_from_attributes
from ionsieve.data.formats.optimade_write import entry_line
from ionsieve.data.records import NUMBERS, Provenance, StructureRecord
from ionsieve.data.store.store import StoredRecord, records_table, stored_records
from ionsieve.screening.jobs.structure_json import record_from_json, record_to_json

FILLED = {"id", "lattice", "species", "frac", "provenance", "notes", *NUMBERS}


def _by_json(record: StructureRecord) -> StructureRecord:
    return record_from_json(record_to_json(record))


def _by_store(record: StructureRecord) -> StructureRecord:
    [again] = stored_records(records_table([StoredRecord(record, "", 0)]))
    return again.record


def _by_optimade(record: StructureRecord) -> StructureRecord:
    """The file is the one read, so that the name of the first one does not travel."""
    entry = json.loads(entry_line(record, {}))
    here = Provenance(source="elsewhere", file=record.provenance.file)
    return record_from_attributes(entry["attributes"], entry["id"], here)


WAYS = {
    "json": (_by_json, 0.0),
    "store": (_by_store, 0.0),
    # Positions are Cartesian there.
    "optimade": (_by_optimade, 1e-12),
}
Way = tuple[Callable[[StructureRecord], StructureRecord], float]


def assert_same(one: StructureRecord, other: StructureRecord, rounding: float) -> None:
    for field in fields(StructureRecord):
        own, again = getattr(one, field.name), getattr(other, field.name)
        if field.name == "frac":
            away = own - again
            assert np.abs(away - np.round(away)).max() <= rounding
        elif isinstance(own, np.ndarray):
            np.testing.assert_array_equal(own, again)
        else:
            assert own == again, field.name


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS.keys())
@given(record=any_record.records())
@settings(max_examples=60)
def test_nothing_is_lost(way: Way, record: StructureRecord) -> None:
    through, rounding = way
    assert_same(record, through(record), rounding)


def test_every_field_is_tried() -> None:
    assert {field.name for field in fields(StructureRecord) if field.init} == FILLED


def test_a_difference_is_seen() -> None:
    record = StructureRecord.ordered("a", 4 * np.eye(3), ["Li", "F"], [[0] * 3, [0.5] * 3])
    for name in NUMBERS:
        with pytest.raises(AssertionError, match=name):
            assert_same(record, replace(record, **{name: 1.5}), 0.0)
