"""One longer AIMD run through a campaign: submitted, killed once, continued, collected.

``python benchmarks/long_run.py FOLDER``: 12 atoms of Li2S, 1000 K, GPAW. About 2 s a step on one
core. Called again after an interruption it goes on. Prints the numbers of docs/campaign.md.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.engines.md import CHECKPOINT, read_checkpoint, read_frames

A_LI2S_A = 5.72
SETTINGS = {
    "engine_settings": {"cutoff_eV": 300.0, "density_convergence": 1e-5},
    "protocol": {
        "target_A": 5.0, "max_atoms": 12, "time_step_fs": 1.0, "equilibration_ps": 0.0,
        "max_temperatures": 1, "frame_spacing_fs": 2.0, "demonstration": True,
    },
    "minimum_gain_decades": 0.0, "minimum_hits": 0.0,
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--engine", default="gpaw")
    given = parser.parse_args()
    folder: Path = given.folder
    study = folder / "study"
    if not study.exists():
        start(folder, study, given.steps, given.engine)
    with CampaignStore(study) as store:
        (job,) = store.jobs()
    where = study / job.folder
    marker = folder / "killed.json"
    if not marker.exists():
        marker.write_text(json.dumps(submit_and_kill(study, where, given.steps // 2)))
    verb("submit", str(study), "--run")
    verb("collect", str(study))
    print(json.dumps(facts(study, where) | json.loads(marker.read_text()), indent=2))


def verb(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "ionsieve.cli.main", "campaign", *words], check=True)


def start(folder: Path, study: Path, n_steps: int, engine: str) -> None:
    import yaml
    from pymatgen.core import Lattice, Structure

    (folder / "cifs").mkdir(parents=True, exist_ok=True)
    crystal = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(A_LI2S_A), ["S", "Li"], [[0.0] * 3, [0.25] * 3]
    )
    crystal.to(str(folder / "cifs" / "Li2S.cif"))
    length_ps = n_steps / 1000.0
    protocol = {**SETTINGS["protocol"], "production_ps": length_ps, "max_production_ps": length_ps}  # type: ignore[dict-item]
    (folder / "settings.yaml").write_text(yaml.safe_dump({**SETTINGS, "protocol": protocol}))
    options = ["--engine", engine, "--settings", str(folder / "settings.yaml")]
    verb("init", str(study), str(folder / "cifs"), *options)
    verb("propose", str(study))


def submit_and_kill(study: Path, where: Path, at_step: int) -> dict[str, Any]:
    """Kill the campaign and the MD that it started, in their midst."""
    words = [sys.executable, "-m", "ionsieve.cli.main", "campaign", "submit", str(study), "--run"]
    running = subprocess.Popen(words, start_new_session=True)
    while steps_done(where) < at_step:
        if running.poll() is not None:
            raise SystemExit(f"the run ended with status {running.returncode} before the kill")
        time.sleep(2.0)
    os.killpg(running.pid, signal.SIGKILL)
    running.wait()
    return {"killed_after_step": steps_done(where)}


def steps_done(where: Path) -> int:
    state = read_checkpoint(where / CHECKPOINT)
    return 0 if state is None else int(state["step"])


def facts(study: Path, where: Path) -> dict[str, Any]:
    with CampaignStore(study) as store:
        (result,) = store.results()
    steps = [f["step"] for f in read_frames(where / "frames.jsonl")[1]]
    details = {k: v for k, v in result.details.items() if k != "sources"}
    spacing = {b - a for a, b in pairwise(steps)}
    details["core_seconds_per_step"] = details["core_seconds"] / details["n_steps"]
    return {"verdict": result.verdict, "step_spacing": sorted(spacing), **details}


if __name__ == "__main__":
    main()
