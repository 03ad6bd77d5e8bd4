"""Relaxation with an ASE calculator: to the known minimum, killed and continued, failures kept."""

import json
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from ionsieve.data.atomic import file_lock
from ionsieve.data.errors import IonsieveError, TrajectoryError
from ionsieve.data.records import StructureRecord
from ionsieve.screening.engines import relax
from ionsieve.screening.engines.relax import read_relaxation, run_relaxation
from ionsieve.screening.jobs.plan import RelaxPlan, plan_from_dict
from ionsieve.screening.jobs.protocol import RelaxationSettings


def plan(max_steps: int = 60) -> RelaxPlan:
    """An fcc crystal, stretched, with one atom off its place."""
    crystal = StructureRecord.ordered(
        "Li", np.eye(3) * 4.5, ["Li"] * 4,
        [[0, 0, 0.02], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]],
    )  # fmt: skip
    settings = RelaxationSettings(force_eV_A=0.001, stress_GPa=0.01, max_steps=max_steps)
    return RelaxPlan(record=crystal, mobile="Li", settings=settings, moments=(0.0,) * 4,
                     n_electrons=12.0, seed=0)  # fmt: skip


def calculator() -> LennardJones:
    return LennardJones(sigma=2.7, epsilon=0.1, rc=8.0)


def minimum_A() -> float:
    """Lattice constant of lowest energy, by a scan: an independent way to the same."""
    from ase.build import bulk

    lengths = np.linspace(4.0, 4.4, 401)
    energies = []
    for a in lengths:
        atoms = bulk("Li", "fcc", a=a, cubic=True)
        atoms.calc = calculator()
        energies.append(atoms.get_potential_energy())
    return float(lengths[np.argmin(energies)])


def test_the_cell_of_lowest_energy_is_found(tmp_path: Path) -> None:
    assert run_relaxation(plan(), calculator(), tmp_path)
    found = read_relaxation(plan(), tmp_path)
    assert found.converged
    assert found.record.volume_A3 ** (1 / 3) == pytest.approx(minimum_A(), abs=0.003)
    assert abs(found.pressure_GPa) <= 0.01
    assert found.max_force_eV_A <= 0.001
    assert found.record.species == plan().record.species


def test_killed_after_any_step_it_goes_on(tmp_path: Path, monkeypatch) -> None:
    write = relax._write
    left = [3]

    def dying(*arguments) -> None:
        write(*arguments)
        left[0] -= 1
        if left[0] == 0:
            raise KeyboardInterrupt

    monkeypatch.setattr(relax, "_write", dying)
    with pytest.raises(KeyboardInterrupt):
        run_relaxation(plan(), calculator(), tmp_path)
    before = read_relaxation(plan(), tmp_path)
    assert (before.n_steps, before.converged) == (2, False)
    monkeypatch.setattr(relax, "_write", write)
    assert run_relaxation(plan(), calculator(), tmp_path)
    after = read_relaxation(plan(), tmp_path)
    assert after.converged
    assert after.n_steps > before.n_steps
    assert after.energy_eV < before.energy_eV


def test_steps_that_are_spent_are_an_end(tmp_path: Path) -> None:
    run_relaxation(plan(2), calculator(), tmp_path)
    found = read_relaxation(plan(2), tmp_path)
    assert (found.n_steps, found.converged) == (2, False)


def test_one_process_at_a_time_and_failures_are_kept(tmp_path: Path) -> None:
    with pytest.raises(TrajectoryError, match="no geometry yet"):
        read_relaxation(plan(), tmp_path)
    with file_lock(tmp_path / ".lock", wait=False):
        assert not run_relaxation(plan(), calculator(), tmp_path)

    class KohnShamConvergenceError(IonsieveError):
        pass

    class Failing(LennardJones):
        def calculate(self, *args, **kwargs):
            raise KohnShamConvergenceError("did not converge")

    with pytest.raises(KohnShamConvergenceError):
        run_relaxation(plan(), Failing(), tmp_path)
    # By the name of the exception, whatever the words.
    assert json.loads((tmp_path / "failed.json").read_text())["cause"] == "not_converged"


def test_plan_survives_json() -> None:
    again = plan_from_dict(json.loads(json.dumps(plan().as_dict())))
    assert isinstance(again, RelaxPlan)
    assert again.as_dict() == plan().as_dict()
    assert again.settings == plan().settings
