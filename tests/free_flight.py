"""Stands for VASP: atoms in free flight, files in VASP's formats; may die in the midst of a frame.

``free_flight.py`` in a job folder with INCAR and POSCAR. ``DIE_AT`` kills it while it writes that
step's frame, ``DIE_AT_CONTCAR`` while it writes that step's CONTCAR. Not a physics engine: it shows
whether a restart keeps velocities and loses or repeats a frame.
"""

import os
import re
import signal
from pathlib import Path

import numpy as np


def numbers(lines: list[str]) -> np.ndarray:
    return np.array([[float(x) for x in line.split()[:3]] for line in lines])


def rows(table: np.ndarray) -> str:
    return "".join("".join(f"{x:16.8f}" for x in row) + "\n" for row in table)


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    incar = dict(re.findall(r"^(\w+) *= *(.*)$", Path("INCAR").read_text(), re.MULTILINE))
    lines = Path("POSCAR").read_text().splitlines()
    head, count = lines[:8], sum(int(n) for n in lines[6].split())
    frac, cell = numbers(lines[8 : 8 + count]), numbers(lines[2:5])
    velocities = numbers(lines[9 + count : 9 + 2 * count])
    if len(velocities) < count:
        # A start without velocities draws them, as VASP does.
        velocities = np.random.default_rng(0).normal(scale=0.01, size=(count, 3))
    step_fs = float(incar["POTIM"])
    with Path("XDATCAR").open("w") as frames, Path("OUTCAR").open("w") as out:
        frames.write("".join(f"{line}\n" for line in head[:7]))
        out.write(" running    2 mpi-ranks, with    1 threads/rank\n")
        for step in range(1, int(incar["NSW"]) + 1):
            text = f"Direct configuration={step:6d}\n{rows(frac % 1.0)}"
            if str(step) == os.environ.get("DIE_AT"):
                frames.write(text[: len(text) // 2])
                frames.flush()
                die()
            frames.write(text)
            frames.flush()
            if str(step) != os.environ.get("UNCONVERGED_AT"):
                out.write(
                    " ------------------------ aborting loop because EDIFF is reached ------\n"
                )
            drift = step * float(os.environ.get("DRIFT_EV", "0"))
            out.write(
                f"  kin. lattice  EKIN_LAT=         0.000000  (temperature{800 + step:8.2f} K)\n"
                f"  total energy   ETOTAL =     {-100.0 + drift:14.6f} eV\n"
                "     LOOP+:  cpu time    1.9000: real time    2.0000\n"
            )
            out.flush()
            frac = frac + velocities * step_fs @ np.linalg.inv(cell)
            end = "".join(f"{line}\n" for line in head) + rows(frac) + "\n" + rows(velocities)
            if str(step) == os.environ.get("DIE_AT_CONTCAR"):
                Path("CONTCAR").write_text(end[: len(end) // 2])
                die()
            Path("CONTCAR").write_text(end)
        out.write(" General timing and accounting informations for this job:\n")


main()
