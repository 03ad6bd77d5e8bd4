"""Jump events as a table and as a cube."""

import csv
import io

import numpy as np
import pytest
from ase.io.cube import read_cube

from ionsieve.data.errors import InputError
from ionsieve.features.motion.jumps import find_jumps
from ionsieve.screening.trajectory.framed import FramedRun
from ionsieve.screening.trajectory.hops import jump_measures, write_jumps
from ionsieve.screening.trajectory.sites import SiteSet

CELL = np.diag([12.0, 12.0, 12.0])


@pytest.fixture
def hopping():
    """Two ions that hop between two pairs of sites."""
    sites = np.array([[0.1, 0.5, 0.5], [0.3, 0.5, 0.5], [0.6, 0.5, 0.5], [0.8, 0.5, 0.5]])
    rng = np.random.default_rng(1)
    state = np.cumsum(rng.random((400, 2)) < 0.05, axis=0) % 2 + [0, 2]
    frac = np.concatenate([sites[state], np.full((400, 1, 3), 0.9)], axis=1)
    run = FramedRun(
        species=("Li", "Li", "S"),
        frac=frac,
        n_mobile=2,
        lattice=CELL,
        positions_A=frac[:, :2] @ CELL,
        frame_spacing_fs=100.0,
    )
    kind = ("Li 4a", "Li 4b", "Li 4a", "Li 4b")
    return (
        run,
        SiteSet(frac=sites, kind=kind, source="structure"),
        find_jumps(state, sites, CELL, 1),
    )


def test_events_are_listed(hopping, tmp_path):
    run, sites, jumps = hopping
    write_jumps(tmp_path / "jumps.csv", run, sites, jumps)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "jumps.csv").read_text())))
    assert len(rows) == len(jumps)
    first = rows[0]
    assert float(first["time_ps"]) == pytest.approx(jumps.frame[0] * 0.1)
    assert {first["from_type"], first["to_type"]} == {"Li 4a", "Li 4b"}
    assert float(first["length_A"]) == pytest.approx(2.4)
    assert float(first["x_A"]) in (pytest.approx(2.4), pytest.approx(8.4))


def test_a_cube_shows_where(hopping, tmp_path):
    run, sites, jumps = hopping
    write_jumps(tmp_path / "jumps.cube", run, sites, jumps)
    with (tmp_path / "jumps.cube").open() as stream:
        cube = read_cube(stream)
    density = cube["data"]
    peak = np.array(np.unravel_index(np.argmax(density), density.shape)) / density.shape
    assert peak[0] in (pytest.approx(0.2, abs=0.03), pytest.approx(0.7, abs=0.03))
    assert cube["atoms"].get_chemical_symbols() == ["S"]
    with pytest.raises(InputError, match=r"\.csv"):
        write_jumps(tmp_path / "jumps.txt", run, sites, jumps)


def test_nothing_jumped(hopping, tmp_path):
    run, sites, _ = hopping
    still = find_jumps(np.zeros((400, 2), dtype=np.int64), sites.frac, CELL, 1)
    assert jump_measures(run, still)["hot_spots"] is None
    write_jumps(tmp_path / "none.cube", run, sites, still)
    write_jumps(tmp_path / "none.csv", run, sites, still)
    assert len((tmp_path / "none.csv").read_text().splitlines()) == 1
