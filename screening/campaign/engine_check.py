"""How a potential ranks against AIMD: it is run over the AIMD table before it orders candidates."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from ...data.atomic import write_json_atomic, write_text_atomic
from ...data.csv_text import csv_text
from ...data.embedded.aimd import load_aimd_labels, load_aimd_structures
from ...data.errors import IonsieveError
from ...data.records import StructureRecord
from ...models.labels.targets import ArrheniusTarget
from ..engines.ase_engine import AseEngine
from ..engines.md import run_md
from ..engines.md_job import PLAN
from ..jobs.plan import ProtocolSettings, make_plan
from .force_check import ForceCheck
from .labels import analyse_job
from .records import Job, Result, job_name
from .settings import CampaignSettings

if TYPE_CHECKING:
    from numpy.random import Generator

    from ...data.records import FloatArray

Advance = Callable[[str, int, int], None]
RUNS: Final[str] = "runs.csv"
PROTOCOL: Final[ProtocolSettings] = ProtocolSettings(
    target_A=9.0,
    max_atoms=220,
    equilibration_ps=2.0,
    production_ps=20.0,
    frame_spacing_fs=100.0,
)
"""Small cells and short runs: the question is whether the order is right."""
_DRAWS: Final[int] = 2000


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Order of a potential's diffusivities beside the order of AIMD.

    Parameters
    ----------
    n_materials, n_molten, n_failed : int
    spearman, low, high : float
        Between log10 D of the potential and the position in the AIMD population, with its 95 %
        bootstrap interval over materials; molten ones left out. A bound stands at the bound.
    core_hours : float
    """

    n_materials: int
    n_molten: int
    n_failed: int
    spearman: float
    low: float
    high: float
    core_hours: float

    def text(self) -> str:
        """The numbers in one line."""
        return (
            f"{self.n_materials} materials with AIMD, {self.n_molten} molten, {self.n_failed} "
            f"failed; Spearman with AIMD, molten left out: {self.spearman:.2f} "
            f"[{self.low:.2f}, {self.high:.2f}]; {self.core_hours:.2f} core hours"
        )


def run_over_aimd_table(
    engine: AseEngine,
    folder: str | Path,
    temperature_K: float = 800.0,
    limit: int | None = None,
    advance: Advance | None = None,
) -> pd.DataFrame:
    """Run the lithium materials of the AIMD table, smallest cells first, and keep what they show.

    May be killed and called again: runs go on from their checkpoints.

    Parameters
    ----------
    engine : AseEngine
    folder : path
        Where the runs lie; ``runs.csv`` holds what they show.
    temperature_K : float
    limit : int, optional
        At most so many materials.
    advance : callable, optional

    Returns
    -------
    DataFrame
        One row a material: ``structure_id``, ``temperature_K``, ``verdict``,
        ``diffusivity_cm2_s``, ``upper_cm2_s``, ``n_atoms``, ``core_seconds``, ``reason``.
    """
    out = Path(folder)
    labelled = set(load_aimd_labels()["structure_id"])
    records = [r for r in load_aimd_structures() if r.id in labelled]
    records.sort(key=lambda r: (r.n_sites, r.id))
    chosen = records[:limit]
    rows = []
    for number, record in enumerate(chosen, start=1):
        rows.append(_run_one(engine, record, out, temperature_K))
        if advance:
            advance("runs", number, len(chosen))
    table = pd.DataFrame(rows)
    write_text_atomic(out / RUNS, csv_text(table))
    return table


def _run_one(
    engine: AseEngine, record: StructureRecord, out: Path, temperature_K: float
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "structure_id": record.id,
        "temperature_K": temperature_K,
        "verdict": "failed",
        "diffusivity_cm2_s": None,
        "upper_cm2_s": None,
        "n_atoms": None,
        "core_seconds": None,
        "reason": "",
    }
    try:
        plan = make_plan(record, temperature_K, PROTOCOL)
        name = job_name(0, record.id, temperature_K, 1)
        where = out / name
        where.mkdir(parents=True, exist_ok=True)
        content = {"engine": engine.name, "job": name, "plan": plan.as_dict()}
        write_json_atomic(where / PLAN, content)
        run_md(plan, engine.calculator(plan, where), where)
        job = Job(
            id=name,
            candidate_id=record.id,
            round=0,
            temperature_K=temperature_K,
            attempt=1,
            state="done",
            plan=plan.as_dict(),
            reason="engine check",
        )
        found = analyse_job(engine, job, plan, where, CampaignSettings(protocol=PROTOCOL))
    except IonsieveError as error:
        return {**row, "reason": str(error)}
    if not isinstance(found, Result):
        return {**row, "reason": "the run left no frames" if found is None else str(found)}
    label = found.label or {}
    return {
        **row,
        "verdict": found.verdict,
        "diffusivity_cm2_s": label.get("value"),
        "upper_cm2_s": label.get("upper"),
        "n_atoms": plan.record.n_sites,
        "core_seconds": found.details.get("core_seconds"),
        "reason": found.details.get("reason", ""),
    }


def rank_against_aimd(runs: pd.DataFrame, seed: int = 0) -> Ranking:
    """Compare the order of runs with the order of the AIMD table.

    Parameters
    ----------
    runs : DataFrame
        As :func:`run_over_aimd_table` gives them.
    seed : int
        Of the bootstrap.

    Returns
    -------
    Ranking
    """
    from scipy.stats import spearmanr

    positions = aimd_positions()
    known = runs[runs["structure_id"].isin(positions.index) & (runs["verdict"] != "failed")]
    solid = known[known["verdict"] != "molten"]
    shown = solid["diffusivity_cm2_s"].fillna(solid["upper_cm2_s"]).astype(float)
    usable = shown.notna()
    x = np.log10(shown[usable].to_numpy())
    y = positions[solid["structure_id"][usable]].to_numpy()
    value = float(spearmanr(x, y).statistic) if len(x) > 2 else float("nan")
    low, high = _interval(x, y, np.random.default_rng(seed))
    return Ranking(
        n_materials=len(known),
        n_molten=int((known["verdict"] == "molten").sum()),
        n_failed=int((runs["verdict"] == "failed").sum()),
        spearman=value,
        low=low,
        high=high,
        core_hours=float(runs["core_seconds"].fillna(0.0).sum() / 3600.0),
    )


def aimd_positions() -> pd.Series:
    """Position of each material in the AIMD population: how much faster than typical it is.

    Mean over its labels of (log10 σ − line) / spread at the label's temperature; a bound stands at
    the bound. Dimensionless, index = structure id.
    """
    labels = load_aimd_labels()
    target = ArrheniusTarget()
    target.fit(target.read(labels, pd.Index(labels["structure_id"].unique())))
    mean, scale = target.line(labels["temperature_K"].to_numpy(dtype=np.float64))
    shown = labels["value"].fillna(labels["upper"]).fillna(labels["lower"]).astype(float)
    position = (np.log10(shown.to_numpy()) - mean) / scale
    return pd.Series(position, labels["structure_id"]).groupby(level=0).mean()


def _interval(x: FloatArray, y: FloatArray, rng: Generator) -> tuple[float, float]:
    from scipy.stats import rankdata

    if len(x) < 5:
        return float("nan"), float("nan")
    draws = np.empty(_DRAWS)
    for i in range(_DRAWS):
        chosen = rng.integers(len(x), size=len(x))
        a, b = rankdata(x[chosen]), rankdata(y[chosen])
        draws[i] = np.corrcoef(a, b)[0, 1] if a.std() > 0 and b.std() > 0 else np.nan
    low, high = np.nanpercentile(draws, [2.5, 97.5])
    return float(low), float(high)


def check_lines(forces: ForceCheck, ranking: Ranking | None) -> list[str]:
    """What ``campaign check-engine`` prints."""
    lines = [forces.text()]
    lines += [f"  {name}: {error:.2f} eV/Å" for name, error in forces.by_system.items()]
    verdict = "resemble" if forces.believed else "do NOT resemble"
    lines.append(f"its forces {verdict} those of DFT")
    return lines if ranking is None else [*lines, ranking.text()]


def check_facts(forces: ForceCheck, ranking: Ranking | None) -> dict[str, Any]:
    """The same as one JSON object."""
    order = None if ranking is None else asdict(ranking)
    return {"forces": {**asdict(forces), "believed": forces.believed}, "ranking": order}
