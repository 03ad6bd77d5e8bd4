"""Whatever lies in a job's folder, no verb ends in a traceback, and the other jobs are read."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import campaigns
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.status import report, status
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.jobs.plan import Plan, relaxation_of
from ionsieve.screening.jobs.protocol import RelaxationSettings


def archive(**arrays: object) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


WHOLE = archive(step=4, core_seconds=1.0)
FRAME = '{"step": 2, "positions_A": [[0, 0, 0], [2.5, 2.5, 2.5]]}\n'
NOT_A_FRAME = '{"step": "x", "positions_A": 5}\n[1]\n{"positions_A": [[1]]}\n'
DAMAGES: dict[str, dict[str, bytes]] = {
    "gpaw": {
        "checkpoint.npz": b"PK\x03\x04 no archive", "frames.jsonl": NOT_A_FRAME.encode(),
        "failed.json": b"{}", "exit_code": b"\xff\xfe", "job.err": b"\x00" * 50,
    },
    "cp2k": {
        "run-1.ener": b"1 2 3 x 5 6 7\n", "run-pos-1.xyz": b"2\n i = 2, time = x\nLi 0 0\n",
        "run-1.cell": b"x\n", "cp2k.out": b"\xff" * 100, "run-1.stress": b" 1 a b c d e f g h i\n",
    },
    "vasp": {
        "OUTCAR": b"  total energy   ETOTAL =  *****\n(temperature x K)\n", "OSZICAR": b"\x00",
        "XDATCAR": b"x\n1.0\n1 0 0\nDirect configuration= 1\n", "INCAR": b"POTIM = x\n",
    },
    "espresso": {
        "pw.out": b"Entering Dynamics: iteration = x\n ATOMIC_POSITIONS\n Li x y\nJOB DONE\n",
        "pw.in": b"\xff",
    },
}  # fmt: skip


def handed_over(folder: Path, engine: str, plan: Plan) -> Path:
    name = campaigns.one_job(folder, engine, plan)
    with CampaignStore(folder) as store, store.transaction() as t:
        t.add_model("models/000", "embedded", {"n_labels": 0, "n_campaign_labels": 0})
        t.move_job(name, "ready", "submitted")
    return folder / "jobs" / name


def look(folder: Path) -> None:
    for verb in (status, collect, report):
        verb(folder)


@pytest.mark.parametrize("engine", sorted(DAMAGES))
@pytest.mark.parametrize("is_relaxation", [False, True])
def test_every_file_damaged_alone_and_all_together(
    tmp_path: Path, engine: str, is_relaxation: bool
) -> None:
    run = campaigns.small_plan()
    plan = relaxation_of(run, RelaxationSettings()) if is_relaxation else run
    damages = DAMAGES[engine] | {"relaxed.npz": b"PK", "stop.json": b"[", "trajectory.traj": b"x"}
    for number, chosen in enumerate([*({k: v} for k, v in damages.items()), damages]):
        where = handed_over(tmp_path / str(number), engine, plan)
        for name, content in chosen.items():
            (where / name).write_bytes(content)
        look(tmp_path / str(number))


@pytest.mark.parametrize(
    "damage", [lambda b: b[:40], lambda b: b[:-30], lambda b: b.replace(b"step", b"stop")]
)
def test_a_checkpoint_that_cannot_be_read_is_said(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    where = handed_over(tmp_path / "c", "gpaw", campaigns.small_plan())
    (where / "checkpoint.npz").write_bytes(damage(WHOLE))
    (where / "frames.jsonl").write_text(FRAME)
    (seen,) = status(tmp_path / "c")["open_jobs"].values()
    assert seen["state"] == "unreadable"
    assert str(where) in seen["why"]
    found = collect(tmp_path / "c")
    assert (list(found.refused), found.failed, found.results) == ([where.name], {}, {})
    # The job is as it was: with the file away it goes on.
    (where / "checkpoint.npz").unlink()
    (seen,) = status(tmp_path / "c")["open_jobs"].values()
    assert seen["state"] == "started elsewhere, or killed"
