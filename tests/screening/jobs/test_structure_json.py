"""A record survives every way that it is written, whatever fields it has."""

import json
from dataclasses import MISSING, fields

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ionsieve.data.records import Provenance, SiteSpecies, StructureRecord
from ionsieve.screening.jobs.structure_json import record_from_json, record_to_dict, record_to_json

NUMBERS = st.floats(-50, 50, allow_nan=False)


@st.composite
def records(draw) -> StructureRecord:
    """Every optional field of the dataclass is given or left out, by its type."""
    n = draw(st.integers(1, 4))
    site = st.sampled_from(["Li", "S", "Cl"]).flatmap(
        lambda e: st.sampled_from(
            [(SiteSpecies(e),), (SiteSpecies(e, 0.5, 1.0),),
             (SiteSpecies(e, 0.5), SiteSpecies("P", 0.25))]
        )
    )  # fmt: skip
    optional = {}
    for field in fields(StructureRecord):
        if field.init and field.default is None:
            optional[field.name] = draw(st.none() | NUMBERS)
        elif field.init and field.default == () and field.default is not MISSING:
            optional[field.name] = tuple(draw(st.lists(st.text(max_size=5), max_size=2)))
    return StructureRecord(
        id=draw(st.text(min_size=1, max_size=8)),
        lattice=np.diag(draw(st.lists(st.floats(3, 9), min_size=3, max_size=3))),
        species=tuple(draw(site) for _ in range(n)),
        frac=np.array(draw(st.lists(st.lists(st.floats(0, 0.99), min_size=3, max_size=3),
                                    min_size=n, max_size=n))),
        provenance=Provenance(source=draw(st.text(max_size=6))),
        **optional,
    )  # fmt: skip


@given(records())
def test_nothing_is_lost(record: StructureRecord) -> None:
    again = record_from_json(record_to_json(record))
    for field in fields(StructureRecord):
        if not field.init:
            continue
        own, other = getattr(record, field.name), getattr(again, field.name)
        if isinstance(own, np.ndarray):
            np.testing.assert_array_equal(own, other)
        else:
            assert own == other, field.name


def test_records_of_earlier_versions_are_read() -> None:
    record = StructureRecord.ordered("a", 4 * np.eye(3), ["Li", "F"], [[0] * 3, [0.5] * 3])
    content = record_to_dict(record)
    for name in ("energy_eV_atom", "li_window_low_V", "li_window_high_V"):
        del content[name]
    again = record_from_json(json.dumps(content))
    assert again.energy_eV_atom is None
    assert again.content_hash == record.content_hash
