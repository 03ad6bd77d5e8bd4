"""Export as a jobflow Flow, read back and run by jobflow itself where it is installed."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

import campaigns
from ionsieve.data.errors import InputError, MissingDependencyError
from ionsieve.data.records import StructureRecord
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.export import export_flow, run_job_script
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.jobs.plan import AimdPlan

FREE_FLIGHT = Path(__file__).parents[2] / "free_flight.py"
needs_jobflow = pytest.mark.skipif(
    importlib.util.find_spec("jobflow") is None, reason="jobflow is not installed"
)


@pytest.fixture
def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, str]:
    monkeypatch.setenv("IONSIEVE_VASP", f"{sys.executable} {FREE_FLIGHT}")
    box = StructureRecord.ordered(
        "LiCl", [[5.1, 0, 0], [0, 5.1, 0], [0, 0, 5.1]], ["Li", "Cl"], [[0] * 3, [0.5] * 3]
    )
    plan = AimdPlan(
        record=box, mobile="Li", temperature_K=800.0, time_step_fs=2.0, n_steps=20,
        equilibration_ps=0.0, frame_every=2, moments=(0.0, 0.0), n_electrons=10.0, seed=0,
        demonstration=True,
    )  # fmt: skip
    name = campaigns.one_job(tmp_path / "c", "vasp", plan)
    (tmp_path / "c" / "jobs" / name / "POTCAR").write_text("the user's\n")
    return tmp_path / "c", name


def test_without_jobflow_one_clear_line(waiting: tuple[Path, str], tmp_path: Path) -> None:
    if importlib.util.find_spec("jobflow") is not None:
        pytest.skip("jobflow is installed")
    with pytest.raises(MissingDependencyError, match="pip install jobflow"):
        export_flow(waiting[0], tmp_path / "flow.json")
    assert not (tmp_path / "flow.json").exists()


def test_unknown_format_is_refused(waiting: tuple[Path, str], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="jobflow, atomate2"):
        export_flow(waiting[0], tmp_path / "flow.json", "fireworks")


def test_what_a_flow_calls_runs_the_job(waiting: tuple[Path, str], tmp_path: Path) -> None:
    folder, name = waiting
    assert run_job_script(str(folder / "jobs" / name))["exit_status"] == 0
    assert collect(folder).results == {name: "too_short"}
    with pytest.raises(InputError, match="--root"):
        run_job_script(str(tmp_path / "elsewhere"))


@needs_jobflow
# jobflow calls monty's deprecated cd: https://github.com/materialsproject/jobflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore:cd is deprecated:FutureWarning")
def test_jobflow_reads_and_runs_it(waiting: tuple[Path, str], tmp_path: Path) -> None:
    from jobflow import Flow, run_locally
    from monty.json import MontyDecoder

    folder, name = waiting
    done = export_flow(folder, tmp_path / "flow.json")
    assert done["jobs"] == [name]
    flow = MontyDecoder().decode((tmp_path / "flow.json").read_text())
    assert isinstance(flow, Flow)
    run_locally(flow, root_dir=tmp_path, ensure_success=True)
    assert collect(folder).results == {name: "too_short"}
    with CampaignStore(folder) as store:
        assert store.results()[0].details["n_steps"] == 20
    with pytest.raises(InputError, match="no job waits"):
        export_flow(folder, tmp_path / "flow.json")


@needs_jobflow
@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_atomate2_gets_the_planned_inputs(waiting: tuple[Path, str], tmp_path: Path) -> None:
    from monty.json import MontyDecoder

    pytest.importorskip(
        "atomate2.vasp.jobs.md",
        reason="no atomate2 that goes with this pymatgen",
        exc_type=ImportError,
    )
    folder, _ = waiting
    export_flow(folder, tmp_path / "flow.json", "atomate2")
    flow = MontyDecoder().decode((tmp_path / "flow.json").read_text())
    (made,) = flow.jobs
    structure = made.function_args[0]
    inputs = made.maker.input_set_generator.get_input_set(structure, potcar_spec=True)
    incar = inputs.incar
    assert (incar["NSW"], incar["POTIM"], incar["TEBEG"], incar["MDALGO"]) == (20, 2.0, 800.0, 2)
    # PBE, as the protocol says; atomate2's own default is PBEsol.
    assert incar["GGA"].upper() == "PE"
    assert inputs.kpoints.kpts == [(1, 1, 1)]
    assert json.loads((tmp_path / "flow.json").read_text())["@class"] == "Flow"
