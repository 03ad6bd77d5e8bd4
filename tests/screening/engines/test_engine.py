"""A new engine is one value object: written here, it passes through a whole campaign."""

import re
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

import campaigns
from ionsieve.data.errors import TrajectoryError
from ionsieve.data.records import Kind
from ionsieve.data.trajectories.trajectory import Trajectory
from ionsieve.screening.acquisition.cost import GPAW_COST, CostLine
from ionsieve.screening.campaign import loop, relaxations
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.loop import propose
from ionsieve.screening.campaign.status import report, status
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.campaign.submission import submit
from ionsieve.screening.engines.engine import Engine, Progress, Readiness, Relaxed, Script, stopped
from ionsieve.screening.engines.exits import exit_failure, exit_status
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.engines.run_log import RunLog
from ionsieve.screening.engines.settings import SettingNames
from ionsieve.screening.jobs.plan import AimdPlan, Plan, RelaxPlan
from ionsieve.screening.jobs.protocol import RelaxationSettings


@dataclass(frozen=True, kw_only=True)
class StretchEngine:
    """Relaxes by a given strain, and runs in which nothing moves; all by awk."""

    strain: float = 0.01
    name: str = "stretch"
    kind: Kind = "aimd"
    settings: SettingNames = field(default_factory=lambda: SettingNames(frozenset({"strength"})))
    cost: CostLine = GPAW_COST

    def ready(self) -> Readiness:
        return Readiness(shutil.which("awk") is not None, "awk")

    def write_inputs(self, plan: Plan, folder: Path) -> None:
        np.savetxt(folder / "start.txt", plan.record.frac)

    def script(self, plan: Plan) -> Script:
        return Script("run awk '{ print }' start.txt > end.txt\nexit $?\n")

    def progress(self, plan: Plan, folder: Path) -> Progress:
        status = exit_status(folder)
        if status:
            return stopped(exit_failure(folder, self.name, status, 0), 0)
        done = status == 0
        return Progress(state="finished" if done else "waiting", n_steps=plan.n_steps * done)

    def trajectory(self, plan: AimdPlan, folder: Path) -> Trajectory:
        n_frames = plan.n_steps // plan.frame_every + 1
        frac = np.repeat(np.loadtxt(folder / "end.txt")[None], n_frames, axis=0)
        symbols = tuple(content[0].element for content in plan.record.species)
        return Trajectory(
            species=symbols,
            lattices=plan.record.lattice[None],
            frac=frac,
            frame_spacing_fs=plan.frame_spacing_fs,
        )

    def log(self, plan: AimdPlan, folder: Path) -> RunLog | None:
        return None

    def relaxed(self, plan: RelaxPlan, folder: Path) -> Relaxed:
        if not (folder / "end.txt").exists():
            raise TrajectoryError("no geometry")
        frac = np.loadtxt(folder / "end.txt")
        record = replace(plan.record, lattice=(1 + self.strain) * plan.record.lattice, frac=frac)
        return Relaxed(record=record, converged=True, n_steps=1, pressure_GPa=0.1)

    def ask_to_stop(self, folder: Path) -> None:
        (folder / "stop").touch()


@pytest.fixture
def study(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    campaigns.quick(monkeypatch, loop)
    monkeypatch.setattr(relaxations, "load_model", campaigns.quick_load)

    def make(engine: Engine) -> Path:
        monkeypatch.setitem(ENGINES, "stretch", engine)
        cifs = campaigns.write_cifs(tmp_path / "cifs")
        return campaigns.quick_campaign(tmp_path / "study", cifs, relaxing("stretch"))

    return make


def relaxing(engine: str):
    chosen = campaigns.settings(engine=engine, batch_size=1)
    return replace(chosen, protocol=replace(chosen.protocol, relaxation=RelaxationSettings()))


def test_a_new_engine_goes_through_the_loop(study) -> None:
    folder = study(StretchEngine(strain=-0.02))
    (name,) = propose(folder).jobs
    assert name.endswith("-relax")
    assert submit(folder, run=True).ran == {name: 0}
    found = collect(folder)
    assert found.results == {name: "relaxed"}
    with CampaignStore(folder) as store:
        (run,) = store.jobs("ready")
        details = store.results()[0].details
    assert details["survival"]["volume_ratio"] == pytest.approx(0.98**3, rel=1e-9)
    assert details["reason"].startswith("volume -5.9 %, host Fm-3m")
    # What is expected of the relaxed crystal stands beside what was.
    assert {"log10_sigma_300K", "log10_sigma_300K_before", "features"} <= details.keys()
    cell, relaxed = run.plan["record"]["lattice_A"], details["relaxed"]["lattice_A"]
    np.testing.assert_allclose(cell, relaxed, rtol=1e-12)
    assert submit(folder, run=True).ran == {run.id: 0}
    assert set(collect(folder).results) == {run.id}
    assert report(folder)["verdicts"]["relaxed"] == 1


@pytest.mark.parametrize(
    ("engine", "why"),
    [
        (StretchEngine(strain=0.15), r"its volume changed by \+52 %"),
        (StretchEngine(strain=-0.12), r"its volume changed by -32 %"),
    ],
)
def test_a_crystal_that_falls_apart_is_dropped_with_the_reason(study, engine, why: str) -> None:
    folder = study(engine)
    (name,) = propose(folder).jobs
    submit(folder, run=True)
    found = collect(folder)
    assert found.results == {name: "fell_apart"}
    (step,) = found.follow_up.values()
    assert step.startswith("close: fell apart when relaxed: ")
    with CampaignStore(folder) as store:
        (closed,) = [c for c in store.candidates() if c.closed]
        assert len(store.jobs()) == 1
    assert re.search(why, closed.closed)


def test_an_engine_that_is_absent_touches_no_job(study, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = study(StretchEngine())
    propose(folder)
    monkeypatch.setattr(StretchEngine, "ready", lambda self: Readiness(False, "no awk here"))
    with pytest.raises(Exception, match="no job was run: no awk here"):
        submit(folder, run=True)
    assert status(folder)["jobs"] == {"ready": 1}


def test_settings_are_those_of_the_engine() -> None:
    engine = StretchEngine()
    assert engine.settings.clean("stretch", {"strength": "1e-3"}) == {"strength": 1e-3}
    with pytest.raises(Exception, match="stretch has no strenght; it has strength"):
        engine.settings.clean("stretch", {"strenght": 1.0})
