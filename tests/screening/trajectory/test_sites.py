"""Sites of a structure laid into the cell of a run."""

from pathlib import Path

import numpy as np
import pytest

from ionsieve.data.errors import InputError
from ionsieve.data.records import StructureRecord
from ionsieve.data.sources.files import read_one_structure
from ionsieve.data.trajectories.displacements import displacements
from ionsieve.data.trajectories.readers import read_trajectory
from ionsieve.features import prepare
from ionsieve.features.motion.sites import occupation_by_type
from ionsieve.screening.trajectory.framed import FramedRun, frame_run
from ionsieve.screening.trajectory.frustration import FrustrationOptions, frustration
from ionsieve.screening.trajectory.sites import sites_from_structure, sites_from_tetrahedra

CELL = np.array([[4.0, 0.0, 0.0], [0.5, 5.0, 0.0], [0.0, 0.3, 6.0]])


def record(elements=("Li", "P", "S"), cell=CELL):
    frac = np.array([[0.1, 0.2, 0.3], [0.5, 0.5, 0.5], [0.0, 0.6, 0.1]])
    return StructureRecord.ordered("x", cell, elements, frac)


def framed(matrix, sign=1, shift=(0.21, 0.37, 0.11)):
    """A run in a supercell, its origin shifted and possibly inverted, at rest."""
    lattice = np.array(matrix) @ CELL
    cells = np.array(list(np.ndindex(5, 5, 5))) - 2
    inverse = np.linalg.inv(np.array(matrix, dtype=float))
    places, species = [], []
    for element, point in zip(("Li", "P", "S"), record().frac, strict=True):
        frac = (point + cells) @ inverse
        inside = frac[((frac > -1e-9) & (frac < 1 - 1e-9)).all(axis=1)]
        places.append(sign * inside + shift)
        species += [element] * len(inside)
    frac = np.concatenate(places)[None].repeat(3, axis=0)
    n = len(places[0])
    return FramedRun(
        species=tuple(species),
        frac=frac,
        n_mobile=n,
        lattice=lattice,
        positions_A=frac[:, :n] @ lattice,
        frame_spacing_fs=100.0,
    )


@pytest.mark.parametrize("sign", [1, -1])
@pytest.mark.parametrize(
    "matrix", [np.eye(3), np.diag([2, 1, 2]), [[1, 1, 0], [-1, 1, 0], [0, 0, 2]]]
)
def test_sites_come_back_at_the_ions(matrix, sign):
    run = framed(matrix, sign)
    sites = sites_from_structure(record(), run)
    assert len(sites) == run.n_mobile == round(abs(np.linalg.det(matrix)))
    apart = sites.frac[:, None] - run.frac[0, None, : run.n_mobile]
    apart = np.linalg.norm((apart - np.rint(apart)) @ run.lattice, axis=2)
    assert apart.min(axis=1).max() < 1e-6
    assert sorted(apart.argmin(axis=1)) == list(range(run.n_mobile))


def test_what_does_not_fit_is_refused():
    run = framed(np.eye(3))
    with pytest.raises(InputError, match="whole multiple"):
        sites_from_structure(record(cell=CELL * 1.4), run)
    with pytest.raises(InputError, match="no site of Li"):
        sites_from_structure(record(("Na", "P", "S")), run)
    with pytest.raises(InputError, match="no framework element"):
        sites_from_structure(record(("Li", "Ge", "O")), run)


def test_cages_of_an_ordered_argyrodite_do_not_depend_on_the_choice_of_sites(shared_data: Path):
    folder = shared_data / "trajectories" / "argyrodites_500K" / "Li6PS5Cl" / "0p"
    run = read_trajectory(sorted(folder.glob("*.gz"))[:1], 100.0)
    moves = frame_run(run, displacements(run, "Li"))
    measured = read_one_structure(shared_data / "truth" / "structures" / "Li6PS5Cl_exp48h.cif")
    for sites in (None, sites_from_structure(measured, moves)):
        found = frustration(moves, FrustrationOptions(sites=sites)).measures
        cages = found["cages"]
        assert isinstance(cages, dict)
        if sites is not None:
            # Six lithium ions around each of 32 free sulphur atoms, and hardly any leaves.
            assert cages["n_cages"] == 32
            assert cages["mean_occupation"] == pytest.approx(6.0, abs=1e-9)
        assert cages["intra_rate_per_ps"] > 0.2
        assert cages["inter_rate_per_ps"] < 0.05 * cages["intra_rate_per_ps"]
        assert found["n_polyanions"] == 32


TETRAHEDRA = {
    # Occupancies of the types with 48, 48, 16, 16 and 4 tetrahedra a cubic cell.
    "Li6PS5Cl/0p": (0.101, 0.399, 0.000, 0.000, 0.000),
    "Li6PS5Cl/50p": (0.151, 0.336, 0.038, 0.000, 0.000),
    "Li6PS5I/0p": (0.022, 0.478, 0.000, 0.000, 0.000),
}


@pytest.mark.parametrize("system", TETRAHEDRA)
def test_occupancies_of_the_tetrahedra_of_argyrodites(shared_data: Path, system):
    """B. J. Morgan, 10.1021/acs.chemmater.0c03738: 500 K, all frames; numbers of this project."""
    folder = shared_data / "trajectories" / "argyrodites_500K" / system
    run = read_trajectory(sorted(folder.glob("*.gz")), 100.0)
    framed_run = frame_run(run, displacements(run, "Li"))
    first = StructureRecord.ordered("x", framed_run.lattice, framed_run.species, framed_run.frac[0])
    sites = sites_from_tetrahedra(framed_run, prepare(first))
    found = occupation_by_type(sites.assign(framed_run.mobile_frac, framed_run.lattice), sites.kind)
    assert found.n_sites.tolist() == [384, 384, 128, 128, 32]
    assert found.mean == pytest.approx(TETRAHEDRA[system], abs=0.001)
    assert found.mean @ found.n_sites == pytest.approx(192)
