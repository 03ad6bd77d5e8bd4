"""Records as JSON; that nothing is lost is tried in ``tests/data/test_roundtrips.py``."""

import json

import numpy as np

from ionsieve.data.records import StructureRecord
from ionsieve.screening.jobs.structure_json import record_from_json, record_to_dict


def test_records_of_earlier_versions_are_read() -> None:
    record = StructureRecord.ordered("a", 4 * np.eye(3), ["Li", "F"], [[0] * 3, [0.5] * 3])
    content = record_to_dict(record)
    for name in ("energy_eV_atom", "li_window_low_V", "li_window_high_V"):
        del content[name]
    again = record_from_json(json.dumps(content))
    assert again.energy_eV_atom is None
    assert again.content_hash == record.content_hash
