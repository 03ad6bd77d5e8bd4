"""External engines for real where they are installed: run, killed, continued, collected.

VASP is not free: a stand-in writes its files (``free_flight.py``).
"""

import gzip
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import campaigns
from ionsieve.data.records import StructureRecord
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.labels import job_trajectory
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.campaign.submission import submit
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.jobs.plan import AimdPlan
from killing import run_and_kill
from pseudopotentials import make_pseudopotentials

FREE_FLIGHT = Path(__file__).parents[2] / "free_flight.py"


def lithium_hydride(n_steps: int, every: int, **changes) -> AimdPlan:
    """One formula unit in a box: quick, and no crystal."""
    box = StructureRecord.ordered(
        "LiH", np.eye(3) * 7.0, ["Li", "H"], [[0.1] * 3, [0.3286, 0.1, 0.1]]
    )
    fields = {
        "record": box, "mobile": "Li", "temperature_K": 600.0, "time_step_fs": 0.5,
        "n_steps": n_steps, "equilibration_ps": 0.0, "frame_every": every, "moments": (0.0,) * 2,
        "n_electrons": 4.0, "seed": 1, "demonstration": True,
    }  # fmt: skip
    return AimdPlan(**(fields | changes))


def check_collected(folder: Path, name: str, plan: AimdPlan, n_frames: int) -> dict:
    """No step lost, none twice, atoms where the dynamics leaves them; the facts collected."""
    assert submit(folder, run=True).ran == {name: 0}
    assert collect(folder).results == {name: "too_short"}
    engine = ENGINES[campaigns.engine_of(folder)]
    run = job_trajectory(engine, plan, folder / "jobs" / name)
    assert run.n_frames == n_frames
    moves = np.diff(run.frac, axis=0)
    moves = np.linalg.norm((moves - np.rint(moves)) @ run.lattice(0), axis=2)
    # Equal steps in time: no atom jumps by several times what it moves elsewhere.
    assert moves.max() < 4.0 * np.median(moves.max(axis=1))
    with CampaignStore(folder) as store:
        (result,) = store.results()
    assert result.complete
    return result.details


needs_espresso = pytest.mark.skipif(
    shutil.which("pw.x") is None or shutil.which("ld1.x") is None,
    reason="Quantum ESPRESSO is not installed",
)


@needs_espresso
def test_espresso_killed_goes_on_and_is_collected(tmp_path: Path) -> None:
    plan = lithium_hydride(24, 2, engine_settings={"cutoff_eV": 140.0})
    name = campaigns.one_job(tmp_path / "c", "espresso", plan)
    where = tmp_path / "c" / "jobs" / name
    make_pseudopotentials(where)
    output = where / "pw.out"
    run_and_kill(where, lambda: output.exists() and "iteration =     9" in output.read_text())
    interrupted = ENGINES["espresso"].progress(plan, where)
    assert interrupted.state == "started"
    # The positions after the last step are without energy: frames at steps 0 to 22.
    details = check_collected(tmp_path / "c", name, plan, 12)
    assert (where / "segment.001" / "pw.out").exists()
    assert details["n_steps"] == 24
    assert 0 < details["mean_temperature_K"] < 3000
    # Stochastic velocity rescaling conserves no energy: nothing is claimed.
    assert "conserved_drift_meV_atom" not in details


needs_cp2k = pytest.mark.skipif(shutil.which("cp2k") is None, reason="CP2K is not installed")


@needs_cp2k
def test_cp2k_killed_goes_on_and_is_collected(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT", "1")
    monkeypatch.setenv("OMPI_ALLOW_RUN_AS_ROOT_CONFIRM", "1")
    plan = lithium_hydride(8, 2, engine_settings={"cutoff_Ry": 100, "eps_scf": 1e-5})
    name = campaigns.one_job(tmp_path / "c", "cp2k", plan)
    where = tmp_path / "c" / "jobs" / name
    energies = where / "run-1.ener"
    # After the third step: a restart file of the second is whole then.
    run_and_kill(where, lambda: energies.exists() and energies.read_text().count("\n") >= 5)
    details = check_collected(tmp_path / "c", name, plan, 5)
    assert (where / "segment.001" / "run-pos-1.xyz").exists()
    log = ENGINES["cp2k"].log(plan, where)
    assert list(log.step) == list(range(9))
    assert np.isfinite(log.conserved_eV).all()
    # A coarse grid and 4 fs: the thermostat's oscillation, no drift to speak of.
    assert abs(details["conserved_drift_meV_atom"]) < 20.0
    assert details["core_seconds"] > 0


@pytest.fixture
def flight(tmp_path: Path, monkeypatch) -> tuple[Path, str, Path, AimdPlan]:
    """A VASP job with the stand-in as its program."""
    monkeypatch.setenv("IONSIEVE_VASP", f"{sys.executable} {FREE_FLIGHT}")
    plan = lithium_hydride(40, 4, time_step_fs=3.0)
    name = campaigns.one_job(tmp_path / "c", "vasp", plan)
    where = tmp_path / "c" / "jobs" / name
    (where / "POTCAR").write_text("the user's\n")
    return tmp_path / "c", name, where, plan


@pytest.mark.parametrize("mark", ["DIE_AT", "DIE_AT_CONTCAR"])
def test_vasp_killed_twice_loses_and_repeats_no_frame(flight, monkeypatch, mark: str) -> None:
    folder, name, where, plan = flight
    for at in ("15", "7"):
        monkeypatch.setenv(mark, at)
        assert submit(folder, run=True).ran == {name: 137}
        assert collect(folder).failed == {}
    monkeypatch.delenv(mark)
    assert submit(folder, run=True).ran == {name: 0}
    assert collect(folder).results == {name: "too_short"}
    run = job_trajectory(ENGINES["vasp"], plan, where)
    assert run.n_frames == 10
    moves = np.diff(run.frac, axis=0)
    moves -= np.rint(moves)
    # Free flight: every frame is as far from the last as any other, if velocities were kept.
    np.testing.assert_allclose(moves, np.broadcast_to(moves[:1], moves.shape), rtol=0, atol=1e-6)
    # A CONTCAR that was cut off has no velocities to go on with: its segment is run again.
    assert len(list(where.glob("discarded.*"))) == (2 if mark == "DIE_AT_CONTCAR" else 0)


def test_vasp_run_again_after_each_line_of_the_script(flight, monkeypatch) -> None:
    folder, name, where, plan = flight
    monkeypatch.setenv("DIE_AT", "15")
    submit(folder, run=True)
    monkeypatch.delenv("DIE_AT")
    script = (where / "job.sh").read_text()
    moves = [
        line for line in script.splitlines() if line.strip().startswith(("mv ", "cp ", "mkdir"))
    ]
    loop = '    if [ -e "$file" ]; then mv "$file" "$part/"; fi'
    assert loop in script
    for line in [*moves, loop]:
        # Die right after this line was run for the first time.
        dying = script.replace(line, f"{line}\n[ -e died ] || {{ touch died; kill -9 $$; }}", 1)
        (where / "job.sh").write_text(dying)
        subprocess.run(["sh", "job.sh"], cwd=where, env={**os.environ, "DIE_AT": "3"})
        (where / "died").unlink(missing_ok=True)
    (where / "job.sh").write_text(script)
    check_straight(folder, name, where, plan)


def check_straight(folder: Path, name: str, where: Path, plan: AimdPlan) -> None:
    assert submit(folder, run=True).ran == {name: 0}
    assert collect(folder).results == {name: "too_short"}
    run = job_trajectory(ENGINES["vasp"], plan, where)
    assert run.n_frames == 10
    moves = np.diff(run.frac, axis=0)
    moves -= np.rint(moves)
    np.testing.assert_allclose(moves, np.broadcast_to(moves[:1], moves.shape), rtol=0, atol=1e-6)


def test_a_killed_run_goes_on_in_a_copied_folder(flight, tmp_path: Path, monkeypatch) -> None:
    folder, name, _, plan = flight
    monkeypatch.setenv("DIE_AT", "15")
    submit(folder, run=True)
    monkeypatch.delenv("DIE_AT")
    assert collect(folder).results == {name: "too_short"}
    there = tmp_path / "another" / "place"
    shutil.copytree(folder, there)
    shutil.rmtree(folder)
    check_straight(there, name, there / "jobs" / name, plan)
    with CampaignStore(there) as store:
        sources = store.results()[0].details["sources"]
    # Named relative to the job: the same wherever the folder lies.
    assert [s["file"] for s in sources] == ["segment.001/XDATCAR", "XDATCAR"]


def test_vasp_log_of_two_segments(flight, monkeypatch) -> None:
    folder, _, where, plan = flight
    monkeypatch.setenv("DIE_AT", "15")
    submit(folder, run=True)
    monkeypatch.delenv("DIE_AT")
    monkeypatch.setenv("UNCONVERGED_AT", "3")
    submit(folder, run=True)
    collect(folder)
    log = ENGINES["vasp"].log(plan, where)
    assert list(log.step) == list(range(40))
    assert log.core_seconds == pytest.approx(2 * 2.0 * 40)
    with CampaignStore(folder) as store:
        (result,) = store.results()
    assert "SCF did not converge in 1 of 40 steps" in result.details["warnings"]
    assert result.details["conserved_drift_meV_atom"] == 0.0


def test_a_drifting_run_is_refused_and_tried_with_tighter_electrons(flight, monkeypatch) -> None:
    folder, name, _, _ = flight
    # 0.8 meV a step of 3 fs and two atoms: 133 meV/atom/ps.
    monkeypatch.setenv("DRIFT_EV", "0.0008")
    submit(folder, run=True)
    reason = collect(folder).failed[name]
    assert "conserved energy drifts by 15.6 meV/atom" in reason
    with CampaignStore(folder) as store:
        again = store.jobs()[-1]
    assert again.plan["engine_settings"] == {"convergence_factor": 0.1}
    incar = (folder / again.folder / "INCAR").read_text()
    assert "EDIFF = 1e-06" in incar


def test_vasprun_alone_is_collected(tmp_path: Path, shared_data: Path) -> None:
    source = shared_data / "trajectories" / "format_traps" / "vasprun.md.xml.gz"
    from ionsieve.data.trajectories.readers import read_trajectory

    whole = read_trajectory([source])
    record = StructureRecord.ordered("md", whole.lattice(0), list(whole.species), whole.frac[0])
    plan = lithium_hydride(10, 1, record=record, moments=(0.0,) * whole.n_atoms, time_step_fs=3.0)
    text = gzip.decompress(source.read_bytes())
    (tmp_path / "vasprun.xml").write_bytes(text)
    run = ENGINES["vasp"].trajectory(plan, tmp_path)
    np.testing.assert_array_equal(run.frac, whole.frac)
    (tmp_path / "vasprun.xml").write_bytes(text[: len(text) * 2 // 3])
    killed = ENGINES["vasp"].trajectory(plan, tmp_path)
    np.testing.assert_array_equal(killed.frac, whole.frac[: killed.n_frames])
    assert "cut off" in killed.warnings[0]


@pytest.mark.parametrize("melts", [False, True])
def test_a_melt_of_vasp_frames_is_a_result_and_no_failure(
    tmp_path: Path, shared_data: Path, melts: bool
) -> None:
    """Li6PS5Cl at 500 K, and the same frames with every atom walking besides."""
    from ionsieve.data.trajectories.readers import read_trajectory

    source = shared_data / "trajectories/argyrodites_500K/Li6PS5Cl/0p/run1.XDATCAR.gz"
    run = read_trajectory([source], 100.0)
    record = StructureRecord.ordered("Li6PS5Cl", run.lattice(0), list(run.species), run.frac[0])
    n_steps = 50 * run.n_frames
    plan = lithium_hydride(
        n_steps, 50, record=record, moments=(0.0,) * run.n_atoms, time_step_fs=2.0
    )
    name = campaigns.one_job(tmp_path / "c", "vasp", plan)
    frac = run.frac
    if melts:
        hops = np.random.default_rng(0).normal(scale=0.02, size=run.frac.shape)
        frac = frac + np.cumsum(hops, axis=0)
    head = gzip.decompress(source.read_bytes()).decode().splitlines()[:7]
    order = head[5].split()
    atoms = np.concatenate([np.flatnonzero(np.array(run.species) == e) for e in order])
    with (tmp_path / "c" / "jobs" / name / "trajectory.XDATCAR").open("w") as out:
        out.write("\n".join(head) + "\n")
        for number, frame in enumerate(frac[:, atoms] % 1.0, 1):
            out.write(f"Direct configuration={number:7d}\n")
            np.savetxt(out, frame, "%.8f")
    found = collect(tmp_path / "c")
    assert found.failed == {}
    assert (found.results[name] == "molten") is melts
    with CampaignStore(tmp_path / "c") as store:
        (result,) = store.results()
    assert result.complete
    assert ("the framework diffuses" in result.details["reason"]) is melts
    # A melt is no conductor: it gives no label to train on.
    assert not melts or result.label is None
