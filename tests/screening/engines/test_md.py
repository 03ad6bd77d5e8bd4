"""Crash-safe MD: killed anywhere it goes on exactly; the log loses nothing and repeats nothing."""

import json
import os
import signal
from pathlib import Path

import numpy as np
import pytest
from ase.calculators.lj import LennardJones

from ionsieve.data import atomic
from ionsieve.data.atomic import file_lock
from ionsieve.data.errors import IonsieveError
from ionsieve.data.records import StructureRecord
from ionsieve.screening.engines import md
from ionsieve.screening.engines.md import read_checkpoint, read_frames, run_md
from ionsieve.screening.jobs.plan import AimdPlan


def plan(n_steps: int = 12, **changes) -> AimdPlan:
    crystal = StructureRecord.ordered(
        "Li", np.eye(3) * 4.4, ["Li"] * 4, [[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]]
    )
    fields = {
        "record": crystal, "mobile": "Li", "temperature_K": 300.0, "time_step_fs": 1.0,
        "n_steps": n_steps, "equilibration_ps": 0.0, "frame_every": 2, "moments": (0.0,) * 4,
        "n_electrons": 12.0, "seed": 1,
    }  # fmt: skip
    return AimdPlan(**(fields | changes))


def calculator() -> LennardJones:
    return LennardJones(sigma=2.7, epsilon=0.05, rc=6.0)


def fork(work) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        finally:
            os._exit(0)
    return os.waitpid(pid, 0)[1]


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("reference")
    run_md(plan(), calculator(), folder)
    return read_frames(folder / "frames.jsonl")


def test_frames_are_kept_as_planned(reference) -> None:
    positions, facts = reference
    assert [f["step"] for f in facts] == [0, 2, 4, 6, 8, 10, 12]
    assert positions.shape == (7, 4, 3)


def test_energy_is_conserved(tmp_path: Path) -> None:
    run_md(plan(400, frame_every=20), calculator(), tmp_path)
    conserved = [f["conserved_eV"] for f in read_frames(tmp_path / "frames.jsonl")[1]]
    assert np.ptp(conserved) / 4 < 1e-3


@pytest.mark.parametrize("where", range(1, 14))
def test_killed_at_any_write_it_continues_exactly(tmp_path: Path, where: int, reference) -> None:
    def die() -> None:
        calls = iter(range(1, 1000))
        writers = (md._write_frame, atomic.write_bytes_atomic)

        def frame(log, *rest):
            if next(calls) == where:
                log.write('{"step": 4, "positions_A": [[1.0')
                log.flush()
                os.kill(os.getpid(), signal.SIGKILL)
            writers[0](log, *rest)

        def checkpoint(path, content):
            if next(calls) == where:
                Path(path).with_suffix(".tmp").write_bytes(content[:50])
                os.kill(os.getpid(), signal.SIGKILL)
            writers[1](path, content)

        md._write_frame, md.write_bytes_atomic = frame, checkpoint
        run_md(plan(), calculator(), tmp_path)

    assert os.WTERMSIG(fork(die)) == signal.SIGKILL
    assert run_md(plan(), calculator(), tmp_path)
    positions, facts = read_frames(tmp_path / "frames.jsonl")
    assert [f["step"] for f in facts] == [f["step"] for f in reference[1]]
    np.testing.assert_allclose(positions, reference[0], rtol=0, atol=1e-7)
    assert json.loads((tmp_path / "done.json").read_text())["n_steps"] == 12


def test_a_longer_plan_goes_on_from_the_end(tmp_path: Path, reference) -> None:
    run_md(plan(4), calculator(), tmp_path)
    run_md(plan(12), calculator(), tmp_path)
    np.testing.assert_allclose(
        read_frames(tmp_path / "frames.jsonl")[0], reference[0], rtol=0, atol=1e-7
    )


def test_one_process_at_a_time(tmp_path: Path) -> None:
    with file_lock(tmp_path / ".lock", wait=False) as mine:
        assert mine
        assert not run_md(plan(), calculator(), tmp_path)
    assert not (tmp_path / "frames.jsonl").exists()


def test_a_failure_is_written_down_and_can_be_retried(tmp_path: Path) -> None:
    class Failing(LennardJones):
        def calculate(self, *args, **kwargs):
            raise IonsieveError("SCF did not converge")

    with pytest.raises(IonsieveError):
        run_md(plan(), Failing(), tmp_path)
    assert "SCF" in json.loads((tmp_path / "failed.json").read_text())["reason"]
    assert run_md(plan(), calculator(), tmp_path)
    assert not (tmp_path / "failed.json").exists()


def test_a_run_that_blows_up_says_so(tmp_path: Path) -> None:
    with pytest.raises(IonsieveError, match="blew up at step"):
        run_md(plan(200, time_step_fs=60.0), LennardJones(sigma=3.4, epsilon=5.0), tmp_path)


def test_checkpoint_is_read_without_unpickling(tmp_path: Path) -> None:
    np.savez(tmp_path / "bad.npz", step=np.array([object()], dtype=object))
    with pytest.raises(ValueError, match="allow_pickle"):
        read_checkpoint(tmp_path / "bad.npz")
