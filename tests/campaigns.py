"""A small campaign for tests: six crystals, a light model, an engine that walks at random."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
import pytest

from ionsieve.data.embedded.aimd import load_aimd_labels, load_aimd_structures
from ionsieve.data.records import SiteSpecies, StructureRecord, reduced_formula
from ionsieve.features import StructureFeaturizer
from ionsieve.features.featurizer import numeric_columns
from ionsieve.models import ConductivityModel
from ionsieve.screening.campaign.settings import CampaignSettings
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.engines.ase_engine import AseEngine
from ionsieve.screening.engines.engine import Script
from ionsieve.screening.engines.settings import SettingNames
from ionsieve.screening.jobs.plan import AimdPlan, Plan
from ionsieve.screening.jobs.protocol import ProtocolSettings, RelaxationSettings
from ionsieve.screening.screen.training import TrainedModel

WALK = Path(__file__).parent / "walk_job.py"


@dataclass(frozen=True, kw_only=True)
class WalkEngine(AseEngine):
    """Random walk with a given hop per frame, Å."""

    hop_A: float = 0.4

    def script(self, plan: Any) -> Script:
        return Script(f'run "$IONSIEVE_PYTHON" "{WALK}" {self.hop_A}\nexit $?\n')


def walk_engine(hop_A: float = 0.4) -> WalkEngine:
    return WalkEngine(
        name="walk",
        kind="aimd",
        calculator=lambda plan, folder: None,  # type: ignore[arg-type,return-value]
        settings=SettingNames(None),
        hop_A=hop_A,
    )


class LightModel(ConductivityModel):
    """One learner, three folds: enough to see a model trained, saved and loaded."""

    def __init__(self, seed: int = 0, threshold_S_cm: float = 1e-3) -> None:
        super().__init__(seed, threshold_S_cm, n_folds=3, members=("extra_trees",))


def light_model(*_: Any, **__: Any) -> TrainedModel:
    """Trained on fifteen materials of the embedded table."""
    records = load_aimd_structures()[:15]
    features = StructureFeaturizer().fit_transform(records)
    features["formula"] = [reduced_formula(r.composition) for r in records]
    labels = load_aimd_labels()
    labels = labels[labels["structure_id"].isin(features.index)].reset_index(drop=True)
    model = LightModel().fit(features[numeric_columns()], labels)
    return TrainedModel(
        model=model, features=features, labels=labels, from_cache=False, key="light"
    )


class QuickModel:
    """Stands for the trained model: kills are about state, not about learning."""

    coverage = 0.9
    evaluation_: ClassVar[dict] = {}

    def __init__(self, *_: object) -> None: ...

    def fit(self, features: pd.DataFrame, labels: pd.DataFrame) -> "QuickModel":
        return self

    def predict(self, features: pd.DataFrame, temperature_K: float) -> pd.DataFrame:
        mean = -3.0 - 0.1 * np.arange(len(features))
        columns = {"prediction": mean, "low": mean - 1, "high": mean + 1, "domain_distance": 1.0}
        return pd.DataFrame(columns, index=features.index)

    def unfitted(self) -> "QuickModel":
        return self


def quick_save(model: object, folder: Path) -> None:
    folder.mkdir()
    (folder / "model.json").write_text("{}")


def quick_load(folder: Path) -> QuickModel:
    assert (folder / "model.json").is_file()
    return QuickModel()


def quick(patch: pytest.MonkeyPatch, module: Any) -> None:
    """The module saves and loads models that learn nothing."""
    patch.setattr(module, "load_model", quick_load)
    patch.setattr(module, "save_model", quick_save)


def settings(**changes: Any) -> CampaignSettings:
    protocol = ProtocolSettings(
        target_A=5.0,
        max_atoms=24,
        equilibration_ps=1.0,
        production_ps=20.0,
        max_production_ps=40.0,
        frame_spacing_fs=100.0,
        max_temperatures=2,
        relaxation=RelaxationSettings(by="none"),
    )
    fields = {"engine": "walk", "batch_size": 2, "protocol": protocol} | changes
    return CampaignSettings(**fields, minimum_gain_decades=0.0, minimum_hits=0.0)


CELLS = {
    "LiF": ("F", 4.03), "LiCl": ("Cl", 5.13), "LiBr": ("Br", 5.50), "LiI": ("I", 6.00),
}  # fmt: skip


def write_cifs(folder: Path) -> Path:
    from pymatgen.core import Lattice, Structure

    folder.mkdir()
    for name, (anion, a) in CELLS.items():
        crystal = Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(a), ["Li", anion], [[0.0] * 3, [0.5] * 3]
        )
        crystal.to(str(folder / f"{name}.cif"))
    return folder


def fingerprint(folder: Path) -> dict[str, Any]:
    """Everything in the campaign but time stamps and the order of the history."""
    with CampaignStore(folder) as store:
        return {
            "jobs": store.jobs(),
            "results": store.results(),
            "models": store.models(),
            "rounds": [{k: v for k, v in r.items() if k != "utc"} for r in store.rounds()],
            "candidates": store.candidates(),
            "history": sorted(
                json.dumps({k: v for k, v in h.items() if k not in ("utc", "seq")}, sort_keys=True)
                for h in store.history()
            ),
        }


def argyrodite(inversion: float = 0.5) -> StructureRecord:
    """Li6PS5Cl, Kraft 2017 (10.1021/jacs.7b06327): Li on 48h half filled, S and Cl mixed."""
    from pymatgen.core import Lattice, Structure

    structure = Structure.from_spacegroup(
        "F-43m",
        Lattice.cubic(9.859),
        [{"Li": 0.5}, "P", "S", {"S": 1 - inversion, "Cl": inversion},
         {"Cl": 1 - inversion, "S": inversion}],
        [[0.3137, 0.0183, 0.6863], [0, 0, 0.5], [0.1195, -0.1195, 0.6195], [0.25, 0.25, 0.75],
         [0, 0, 0]],
    )  # fmt: skip
    content = tuple(
        tuple(SiteSpecies(s.symbol, float(o)) for s, o in site.species.items())
        for site in structure
    )
    return StructureRecord(
        id="Li6PS5Cl", lattice=structure.lattice.matrix, species=content, frac=structure.frac_coords
    )


def small_plan(**changes: Any) -> AimdPlan:
    """Twenty steps of two atoms."""
    box = StructureRecord.ordered(
        "LiCl", [[5.1, 0, 0], [0, 5.1, 0], [0, 0, 5.1]], ["Li", "Cl"], [[0] * 3, [0.5] * 3]
    )
    fields: dict[str, Any] = {
        "record": box, "mobile": "Li", "temperature_K": 800.0, "time_step_fs": 2.0, "n_steps": 20,
        "equilibration_ps": 0.0, "frame_every": 2, "moments": (0.0, 0.0), "n_electrons": 10.0,
        "seed": 0, "demonstration": True,
    }  # fmt: skip
    return AimdPlan(**(fields | changes))


def one_job(folder: Path, engine: str, plan: Plan) -> str:
    """A campaign of one candidate and one planned job, without a model; gives the job's name."""
    from ionsieve.screening.campaign.folders import write_job_folders
    from ionsieve.screening.campaign.records import Candidate, Job, job_name
    from ionsieve.screening.jobs.structure_json import record_to_json

    folder.mkdir()
    record = plan.record
    length = plan.production_ps if isinstance(plan, AimdPlan) else 1.0
    chosen = CampaignSettings(
        engine=engine,
        protocol=ProtocolSettings(production_ps=length, max_production_ps=length,
                                  equilibration_ps=0.0, max_temperatures=1),
    )  # fmt: skip
    candidate = Candidate(
        id=record.id, formula=reduced_formula(record.composition),
        system="-".join(sorted(record.elements)), record=record_to_json(record),
        n_electrons=plan.n_electrons, volume_A3=record.volume_A3,
    )  # fmt: skip
    name = job_name(1, record.id, plan.temperature_K, 1)
    with CampaignStore.create(folder, chosen.as_dict(), [candidate]) as store:
        with store.transaction() as t:
            t.add_round(0, {"acquisition": "none", "n_candidates": 1, "best_log10_sigma": -3.0,
                            "core_hours_estimated": 0.0, "picks": []})  # fmt: skip
            t.add_job(
                Job(id=name, candidate_id=record.id, round=1, temperature_K=plan.temperature_K,
                    attempt=1, state="proposed", plan=plan.as_dict(), reason="test")
            )  # fmt: skip
        write_job_folders(store, chosen)
    return name


def engine_of(folder: Path) -> str:
    with CampaignStore(folder) as store:
        return str(store.settings()["engine"])


def quick_campaign(folder: Path, cifs: Path, chosen: CampaignSettings | None = None) -> Path:
    """Candidates with features of chance and a :class:`QuickModel`: no training, seconds saved."""
    from ionsieve.data.sources.files import read_structures
    from ionsieve.screening.campaign.setup import FEATURES, TRAINING_FEATURES, _candidate

    folder.mkdir()
    chosen = chosen or settings()
    records = read_structures([cifs], "Li").records
    rng = np.random.default_rng(0)
    columns = numeric_columns()
    for name, index in ((FEATURES, [r.id for r in records]), (TRAINING_FEATURES, ["a", "b"])):
        values = rng.normal(size=(len(index), len(columns)))
        pd.DataFrame(values, index=index, columns=columns).to_parquet(folder / name)
    candidates = [_candidate(record, chosen) for record in records]
    with CampaignStore.create(folder, chosen.as_dict(), candidates) as store:
        (folder / "models").mkdir()
        quick_save(QuickModel(), folder / "models" / "000")
        with store.transaction() as t:
            t.add_model("models/000", "quick", {"n_labels": 2, "n_campaign_labels": 0})
    return folder
