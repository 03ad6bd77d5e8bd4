"""Run one job folder: ``python -m ionsieve.screening.engines.md_job FOLDER``."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from ...data.errors import InputError, IonsieveError
from ..jobs.plan import AimdPlan
from .md import run_md
from .registry import AseEngine, engine

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
    plan = AimdPlan.from_dict(content["plan"])
    chosen = engine(content["engine"])
    if not isinstance(chosen, AseEngine):
        raise InputError(f"{folder}: {chosen.name} is an external program; run job.sh")
    return run_md(plan, chosen.calculator(plan, folder), folder)


def main() -> int:
    """Command-line entry; one line and status 1 on failure."""
    if len(sys.argv) != 2:
        print("usage: python -m ionsieve.screening.engines.md_job FOLDER", file=sys.stderr)
        return 2
    try:
        if not run_job(Path(sys.argv[1])):
            print("another process is running this job", file=sys.stderr)
    except IonsieveError as error:
        print(f"ionsieve: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
