"""A crystal that survived is told from one that fell apart; the mobile ions may go anywhere."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.records import StructureRecord
from ionsieve.screening.jobs.collapse import survival
from ionsieve.screening.jobs.simulation_cell import simulation_cells

PHOSPHIDE = next(r for r in load_aimd_structures() if r.id.startswith("Li5SiP3"))


@pytest.fixture(scope="module")
def cell() -> StructureRecord:
    """Si–P tetrahedra between Li."""
    return simulation_cells(PHOSPHIDE, max_atoms=80)[0].record


def moved(record: StructureRecord, which: str, by_A: float, seed: int = 0) -> StructureRecord:
    """Atoms of the mobile species or of the host off their places, at random."""
    rng = np.random.default_rng(seed)
    mobile = np.array([content[0].element == "Li" for content in record.species])
    mask = mobile if which == "mobile" else ~mobile
    steps = rng.normal(scale=by_A / np.sqrt(3), size=record.frac.shape) * mask[:, None]
    return replace(record, frac=record.frac + steps @ np.linalg.inv(record.lattice))


def test_nothing_done_is_nothing_lost(cell: StructureRecord) -> None:
    found = survival(cell, cell, "Li")
    assert (found.volume_ratio, found.kept_bonds) == (1.0, 1.0)
    assert found.displacement_A == pytest.approx(0.0, abs=1e-9)
    assert found.space_group_before == found.space_group_after != ""
    assert not found.fell_apart


def test_mobile_ions_may_go_anywhere(cell: StructureRecord) -> None:
    assert not survival(cell, moved(cell, "mobile", 2.0), "Li").fell_apart


@pytest.mark.parametrize(
    ("factor", "dies"), [(0.95, False), (1.1, False), (0.85, True), (1.2, True)]
)
def test_volume(cell: StructureRecord, factor: float, dies: bool) -> None:
    found = survival(cell, replace(cell, lattice=factor * cell.lattice), "Li")
    assert found.fell_apart is dies
    assert found.volume_ratio == pytest.approx(factor**3)
    assert found.displacement_A == pytest.approx(0.0, abs=1e-9)
    assert not dies or "its volume changed by" in found.fault


def test_a_host_that_flows_apart(cell: StructureRecord) -> None:
    assert not survival(cell, moved(cell, "host", 0.1), "Li").fell_apart
    broken = survival(cell, moved(cell, "host", 1.5), "Li")
    assert broken.fell_apart
    assert "of the host's bonds stand before and after" in broken.fault
    assert broken.space_group_after != broken.space_group_before


@settings(max_examples=15, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=3, max_size=3), st.integers(0, 100))
def test_origin_and_cell_do_not_matter(shift: list[float], seed: int) -> None:
    small = PHOSPHIDE
    after = moved(small, "host", 0.3, seed)
    found = survival(small, after, "Li")
    drifted = survival(small, replace(after, frac=after.frac + shift), "Li")
    assert drifted.displacement_A == pytest.approx(found.displacement_A, abs=1e-6)
    assert drifted.kept_bonds == pytest.approx(found.kept_bonds)
