"""What stands for a disordered structure: deterministic, under its id, and said."""

import pytest

from ionsieve.data.disorder.policy import DisorderPolicy, reason_to_order
from ionsieve.data.disorder.representative import representative
from ionsieve.data.embedded.experiment import load_experiment_structures

RECORDS = {r.id: r for r in load_experiment_structures("Li")}


def test_what_descriptors_can_take_is_left_alone() -> None:
    record = next(r for r in RECORDS.values() if not r.is_ordered and not reason_to_order(r))
    found = representative(record)
    assert (found.record, found.how, found.note) == (record, "as_given", "")


@pytest.mark.parametrize("entry_id", ["hai", "gxz", "vy5"])
def test_lithium_on_shared_sites_is_ordered(entry_id: str) -> None:
    record = RECORDS[entry_id]
    found = representative(record)
    assert found.how == "ordered"
    assert found.record.is_ordered
    assert found.record.id == entry_id
    assert "of Li shares its sites with other elements; ordered cell of" in found.note
    assert found.note in found.record.provenance.note
    again = representative(record)
    assert again.record.content_hash == found.record.content_hash


def test_what_no_ordered_cell_has_is_used_as_its_average() -> None:
    # 96 O at occupancy 0.5 in triangles of 0.7 Å, by perturbed coordinates.
    found = representative(RECORDS["e81"])
    assert found.how == "average"
    assert "average structure used, as it cannot be ordered" in found.note
    assert found.record.content_hash == RECORDS["e81"].content_hash


def test_every_disordered_structure_on_request() -> None:
    record = RECORDS["13q"]
    assert reason_to_order(record) is None
    assert representative(record, "Li", DisorderPolicy(mode="enumerate")).how == "ordered"


def test_no_lithium_crystal_of_the_table_is_refused_for_its_disorder() -> None:
    beyond = [r for r in RECORDS.values() if reason_to_order(r)]
    assert len(beyond) == 30
    assert len(RECORDS) == 247
