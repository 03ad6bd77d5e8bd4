"""Run one job folder, run or relaxation: ``python -m ionsieve.screening.engines.md_job FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ...data.errors import InputError, IonsieveError, MissingDependencyError
from ..jobs.plan import RelaxPlan, plan_from_dict
from .ase_engine import AseEngine
from .md import run_md
from .registry import engine
from .relax import run_relaxation

PLAN = "plan.json"


def run_job(folder: Path) -> bool:
    """Run or continue the job in a folder; False if another process is at it.

    Raises
    ------
    InputError
        If the folder holds no plan, or one of an engine that is an external program.
    """
    path = folder / PLAN
    if not path.is_file():
        raise InputError(f"{folder}: no {PLAN} here")
    content = json.loads(path.read_text("utf-8"))
    plan = plan_from_dict(content["plan"])
    chosen = engine(content["engine"])
    if not isinstance(chosen, AseEngine):
        raise InputError(f"{folder}: {chosen.name} is an external program; run job.sh")
    calculator = chosen.calculator(plan, folder)
    if isinstance(plan, RelaxPlan):
        return run_relaxation(plan, calculator, folder)
    return run_md(plan, calculator, folder)


def main() -> int:
    """Command-line entry; one line and status 1 on failure, 127 where the engine is absent."""
    if len(sys.argv) != 2:
        print("usage: python -m ionsieve.screening.engines.md_job FOLDER", file=sys.stderr)
        return 2
    try:
        if not run_job(Path(sys.argv[1])):
            print("another process is running this job", file=sys.stderr)
    except MissingDependencyError as error:
        print(f"ionsieve: {error}", file=sys.stderr)
        return 127
    except IonsieveError as error:
        print(f"ionsieve: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
