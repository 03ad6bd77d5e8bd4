"""Relaxations by external programs: for real where they are installed, VASP's from its files."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import campaigns
from ionsieve.data.errors import TrajectoryError
from ionsieve.data.records import StructureRecord
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.campaign.submission import submit
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.jobs.plan import RelaxPlan
from ionsieve.screening.jobs.protocol import RelaxationSettings
from killing import run_and_kill
from pseudopotentials import make_pseudopotentials

needs_espresso = pytest.mark.skipif(
    shutil.which("pw.x") is None or shutil.which("ld1.x") is None,
    reason="Quantum ESPRESSO is not installed",
)
needs_cp2k = pytest.mark.skipif(shutil.which("cp2k") is None, reason="CP2K is not installed")
SITES = [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0],
         [0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.52]]  # fmt: skip


def hydride(**changes) -> RelaxPlan:
    """Rock-salt LiH with one atom off its place."""
    crystal = StructureRecord.ordered("LiH", 4.2 * np.eye(3), ["Li"] * 4 + ["H"] * 4, SITES)
    settings = RelaxationSettings(
        cutoff_eV=140.0, force_eV_A=0.05, stress_GPa=0.5, max_steps=4, k_length_A=4.0
    )
    fields = {
        "record": crystal, "mobile": "Li", "settings": settings, "moments": (0.0,) * 8,
        "n_electrons": 8.0, "seed": 1, "demonstration": True,
    }  # fmt: skip
    return RelaxPlan(**(fields | changes))


@pytest.fixture(autouse=True)
def as_root(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT", "1")
    monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")


@needs_espresso
def test_espresso_relaxation_killed_goes_on_and_is_collected(tmp_path: Path) -> None:
    plan = hydride(engine_settings={"cutoff_eV": 140.0})
    name = campaigns.one_job(tmp_path / "c", "espresso", plan)
    where = tmp_path / "c" / "jobs" / name
    make_pseudopotentials(where)
    output = where / "pw.out"
    run_and_kill(where, lambda: output.exists() and output.read_text().count("\n!") >= 2)
    assert submit(tmp_path / "c", run=True).ran == {name: 0}
    found = ENGINES["espresso"].relaxed(plan, where)
    assert (where / "segment.001" / "pw.out").exists()
    # Compressed at the start by these potentials: the cell grows, and stays nearly cubic.
    lengths = np.linalg.norm(found.record.lattice, axis=1)
    assert (lengths > 4.2).all()
    assert np.ptp(lengths) < 0.3
    assert found.n_steps >= 4
    assert abs(found.pressure_GPa) < 16.0
    assert collect(tmp_path / "c").results[name] in ("relaxed", "fell_apart")


@needs_cp2k
def test_cp2k_relaxation_is_collected(tmp_path: Path) -> None:
    box = StructureRecord.ordered(
        "LiH", 7.0 * np.eye(3), ["Li", "H"], [[0.1] * 3, [0.34, 0.1, 0.1]]
    )
    plan = hydride(record=box, moments=(0.0, 0.0), n_electrons=4.0,
                   engine_settings={"cutoff_Ry": 100, "eps_scf": 1e-5})  # fmt: skip
    plan = replace(plan, settings=replace(plan.settings, max_steps=2))
    name = campaigns.one_job(tmp_path / "c", "cp2k", plan)
    assert submit(tmp_path / "c", run=True).ran == {name: 0}
    assert collect(tmp_path / "c").results == {name: "relaxed"}
    with CampaignStore(tmp_path / "c") as store:
        details = store.results()[0].details
    found = ENGINES["cp2k"].relaxed(plan, tmp_path / "c" / "jobs" / name)
    assert found.n_steps >= 1
    assert details["energy_eV"] == pytest.approx(found.energy_eV)
    # Pulled together: the bond was 1.68 Å, that of the molecule is 1.6 Å.
    moved = found.record.frac - box.frac
    assert np.abs(moved - np.rint(moved)).max() > 1e-3
    assert found.pressure_GPa is not None


VASP_OUT = """\
  external pressure =      -12.50 kB  Pullay stress =        0.00 kB
  energy  without entropy=      -10.00000000  energy(sigma->0) =      -10.12500000
  external pressure =        0.50 kB  Pullay stress =        0.00 kB
  energy  without entropy=      -10.50000000  energy(sigma->0) =      -10.62500000
 reached required accuracy - stopping structural energy minimisation
                  Total CPU time used (sec):       61.500
 General timing and accounting informations for this job:
"""


def test_vasp_relaxation_is_read_from_its_files(tmp_path: Path) -> None:
    plan, vasp = hydride(), ENGINES["vasp"]
    vasp.write_inputs(plan, tmp_path)
    with pytest.raises(TrajectoryError, match="no whole geometry yet"):
        vasp.relaxed(plan, tmp_path)
    text = (tmp_path / "POSCAR").read_text()
    # What VASP leaves: the same file with another cell.
    (tmp_path / "CONTCAR").write_text(text.replace("4.2000000000", "4.1000000000"))
    (tmp_path / "OUTCAR").write_text(VASP_OUT)
    (tmp_path / "OSZICAR").write_text("   1 F= -.1E+02 E0= -.1E+02\n   2 F= -.1E+02 E0= -.1E+02\n")
    (tmp_path / "exit_code").write_text("0\n")
    assert vasp.progress(plan, tmp_path).state == "finished"
    found = vasp.relaxed(plan, tmp_path)
    np.testing.assert_allclose(found.record.lattice, 4.1 * np.eye(3), rtol=1e-9)
    assert found.converged
    assert (found.energy_eV, found.n_steps, found.core_seconds) == (-10.625, 2, 61.5)
    assert found.pressure_GPa == pytest.approx(0.05)
    (tmp_path / "CONTCAR").write_text(text.replace("Li", "Na"))
    with pytest.raises(TrajectoryError, match="not those of the plan"):
        vasp.relaxed(plan, tmp_path)
