"""Speed of the trajectory analysis: 200 atoms × 60,000 frames, beside other tools where installed.

    python benchmarks/bench_trajectory.py [--frames 60000] [--out table.csv]

Times are CPU seconds of one process with one thread (set OMP_NUM_THREADS=1), memory is the peak of
a fresh process for each row. Peers (tidynamics, kinisi, pymatgen-analysis-diffusion) come with
``pip install -e '.[bench]'`` in a clone; a missing one is a row that says so. Peers that compute
fewer lags say how many.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

N_ATOMS, N_MOBILE, EDGE_A = 200, 80, 15.0


def positions(n_frames: int) -> np.ndarray:
    """A walk of the mobile ions, (n_frames, n_mobile, 3), Å."""
    return np.cumsum(np.random.default_rng(0).normal(0, 0.1, (n_frames, N_MOBILE, 3)), axis=0)


def write_xdatcar(path: Path, n_frames: int) -> None:
    rng = np.random.default_rng(0)
    blocks = [
        "".join(f"  {x:.8f}  {y:.8f}  {z:.8f}\n" for x, y, z in rng.random((N_ATOMS, 3)))
        for _ in range(50)
    ]
    with path.open("w") as stream:
        stream.write(f"bench\n1.0\n{EDGE_A} 0 0\n0 {EDGE_A} 0\n0 0 {EDGE_A}\nLi S\n")
        stream.write(f"{N_MOBILE} {N_ATOMS - N_MOBILE}\n")
        for frame in range(n_frames):
            stream.write(f"Direct configuration={frame + 1:6d}\n{blocks[frame % 50]}")


def own_msd(n_frames: int) -> Callable[[], str]:
    from ionsieve.data.trajectories.msd import collective_msd, mean_squared_displacement

    data = positions(n_frames)

    def work() -> str:
        mean_squared_displacement(data)
        collective_msd(data)
        return f"MSD and charge displacement, {n_frames} lags"

    return work


def own_msd_all_atoms(n_frames: int) -> Callable[[], str]:
    from ionsieve.data.trajectories.msd import collective_msd, mean_squared_displacement

    steps = np.random.default_rng(0).normal(0, 0.1, (n_frames, N_ATOMS, 3))
    data = np.cumsum(steps, axis=0, out=steps)

    def work() -> str:
        mean_squared_displacement(data)
        collective_msd(data)
        return f"as above, all {N_ATOMS} atoms mobile"

    return work


def fft_floor(n_frames: int) -> Callable[[], str]:
    from scipy import fft

    data = np.ascontiguousarray(positions(n_frames).reshape(n_frames, -1).T)
    n_fft = fft.next_fast_len(2 * n_frames - 1, real=True)

    def work() -> str:
        for row in data:
            fft.rfft(row, n_fft)
        return "the forward transforms alone"

    return work


def own_read(n_frames: int) -> Callable[[], str]:
    from ionsieve.data.trajectories.xdatcar import read_xdatcar

    folder = Path(tempfile.mkdtemp())
    path = folder / "XDATCAR"
    write_xdatcar(path, n_frames)
    size = path.stat().st_size / 1e6

    def work() -> str:
        read_xdatcar(path, 2.0)
        path.unlink()
        folder.rmdir()
        return f"XDATCAR of {size:.0f} MB"

    return work


def own_label(n_frames: int) -> Callable[[], str]:
    from ionsieve.data.trajectories.trajectory import Trajectory
    from ionsieve.data.transport.analysis import AnalysisSettings, analyse

    rest = np.random.default_rng(1).normal(0, 0.1, (n_frames, N_ATOMS - N_MOBILE, 3))
    frac = np.concatenate([positions(n_frames), rest], axis=1) / EDGE_A
    species = ("Li",) * N_MOBILE + ("S",) * (N_ATOMS - N_MOBILE)
    run = Trajectory(species=species, lattices=np.eye(3) * EDGE_A, frac=frac, frame_spacing_fs=2.0)

    settings = AnalysisSettings(mobile="Li", temperature_K=800.0)

    def work() -> str:
        return f"whole analysis, verdict {analyse(run, settings).verdict}"

    return work


def tidynamics_msd(n_frames: int) -> Callable[[], str]:
    import tidynamics

    data = positions(n_frames)

    def work() -> str:
        for ion in range(N_MOBILE):
            tidynamics.msd(data[:, ion])
        tidynamics.msd(data.sum(axis=1))
        return f"MSD and charge displacement, {n_frames} lags"

    return work


def pymatgen_msd(n_frames: int) -> Callable[[], str]:
    from pymatgen.analysis.diffusion.analyzer import DiffusionAnalyzer
    from pymatgen.core import Lattice, Structure

    data = positions(n_frames)
    structure = Structure(
        Lattice.cubic(EDGE_A), ["Li"] * N_MOBILE + ["S"], np.zeros((N_MOBILE + 1, 3))
    )
    moved = np.concatenate([data - data[0], np.zeros((n_frames, 1, 3))], axis=1)

    def work() -> str:
        analyzer = DiffusionAnalyzer(
            structure, moved.transpose(1, 0, 2), "Li", 800, 2.0, 1, smoothed="max"
        )
        return f"MSD and charge displacement, {len(analyzer.dt)} lags"

    return work


def kinisi_msd(n_frames: int) -> Callable[[], str]:
    import scipp as sc
    from kinisi.displacement import calculate_msd, calculate_mstd

    data = positions(n_frames)
    lags = np.unique(np.linspace(1, n_frames // 2, 100).astype(int))

    class Parsed:
        displacements = sc.array(
            dims=["obs", "particle", "dimension"], values=data, unit="angstrom"
        )
        dt = sc.array(dims=["time interval"], values=lags * 2.0, unit="fs")
        dt_index = sc.array(dims=["time interval"], values=lags)
        dimensionality = sc.scalar(3)

    def work() -> str:
        calculate_msd(Parsed, progress=False)
        calculate_mstd(Parsed, progress=False)
        return f"MSD and charge displacement, {len(lags)} lags only"

    return work


ROWS: dict[str, tuple[Callable[[int], Callable[[], str]], str | None]] = {
    "ionsieve MSD": (own_msd, None),
    "ionsieve MSD, all atoms": (own_msd_all_atoms, None),
    "FFT floor": (fft_floor, None),
    "ionsieve read": (own_read, None),
    "ionsieve label": (own_label, None),
    "tidynamics": (tidynamics_msd, "tidynamics"),
    "pymatgen-analysis-diffusion": (pymatgen_msd, "pymatgen.analysis.diffusion"),
    "kinisi": (kinisi_msd, "kinisi"),
}


def installed(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        return False


def measure(name: str, n_frames: int) -> dict[str, Any]:
    prepare, module = ROWS[name]
    if module is not None and not installed(module):
        return {"task": name, "what": "not installed"}
    if name.startswith("ionsieve read"):
        # Compile outside of the timed part.
        prepare(2)()
    work = prepare(n_frames)
    wall, cpu = time.perf_counter(), time.process_time()
    what = work()
    return {
        "task": name,
        "what": what,
        "cpu_s": round(time.process_time() - cpu, 2),
        "wall_s": round(time.perf_counter() - wall, 2),
        "peak_MB": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=60_000)
    parser.add_argument("--out", type=Path)
    parser.add_argument("--only")
    arguments = parser.parse_args()
    if arguments.only:
        print(json.dumps(measure(arguments.only, arguments.frames)))
        return
    rows = []
    for name in ROWS:
        command = [sys.executable, __file__, "--only", name, "--frames", str(arguments.frames)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            rows.append(json.loads(done.stdout.splitlines()[-1]))
        else:
            last = (done.stderr.strip().splitlines() or ["killed"])[-1]
            rows.append({"task": name, "what": f"failed: {last[:80]}"})
        row = rows[-1]
        numbers = [str(row.get(k, "")) for k in ("cpu_s", "wall_s", "peak_MB")]
        print(f"{row['task']:30s} {'  '.join(f'{n:>8s}' for n in numbers)}  {row['what']}")
    if arguments.out:
        with arguments.out.open("w", newline="") as stream:
            writer = csv.DictWriter(stream, ["task", "what", "cpu_s", "wall_s", "peak_MB"])
            writer.writeheader()
            writer.writerows(rows)


if __name__ == "__main__":
    main()
