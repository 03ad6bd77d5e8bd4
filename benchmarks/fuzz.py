"""Spoiled inputs of every kind into every reader: what comes of them, counted.

``python benchmarks/fuzz.py --inputs 10000 --workers 2`` prints one line a kind: accepted, set aside
in quarantine, refused in one line; and what must not be: defects (any other error), hangs (over
20 s), over 2 GB of memory, and deaths by a signal. Each such input is kept under ``--keep`` and
named, so that ``--only KIND --number N`` runs it again.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import resource
import selectors
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_inputs import SEEDS, spoiled_database, spoiled_file

HANG_S: Final = 20.0
PATIENCE: Final = 15.0
"""Waiting for something is a hang after so many times as long as computing."""
IMPORT_S: Final = 600.0
"""For the first input of a process, which loads libraries and compiled kernels."""
MEMORY_BYTES: Final = 2_000_000_000
MAX_MESSAGE: Final = 2000
GOOD: Final = ("accepted", "quarantined", "refused")
BAD: Final = ("defect", "hang", "memory", "signal")
FOLDERS: Final = ("model/", "campaign/", "jobs/")
JOB: Final = "001-LiCl-4572eb-800K"


def structures(path: Path) -> str:
    """Read as an input of any command; what is accepted is described, too."""
    from ionsieve.data.records import Quarantined
    from ionsieve.data.sources.paths import PathSource
    from ionsieve.features.catalogue import families
    from ionsieve.features.rows import featurize_one

    accepted = set_aside = 0
    for item in PathSource(str(path)).items():
        if isinstance(item.entry, Quarantined):
            set_aside += 1
            if "\n" in item.entry.reason or len(item.entry.reason) > MAX_MESSAGE:
                raise AssertionError("a reason of several lines, or a very long one")
        else:
            accepted += 1
            featurize_one(item.entry, families(["composition", "density", "symmetry"]))
    return "quarantined" if set_aside else "accepted" if accepted else "refused"


def trajectory(path: Path) -> str:
    """Read as an input of ``aimd``."""
    from ionsieve.data.trajectories.readers import read_trajectory

    states_time = path.name.startswith(("vasprun", "md"))
    read_trajectory([path], frame_spacing_fs=None if states_time else 2.0)
    return "accepted"


def labels(path: Path) -> str:
    """Read as labels of ``train``."""
    from ionsieve.data.transport.label_table import label_report, read_label_table

    label_report(read_label_table(path)).lines()
    return "accepted"


def points(path: Path) -> str:
    """Read as input of ``arrhenius``."""
    from ionsieve.data.transport.arrhenius import fit_arrhenius, read_points

    fit = fit_arrhenius(read_points(path))
    fit.diffusivity_cm2_s(300.0), fit.interval_cm2_s(300.0, 0.95)
    return "accepted"


def compositions(path: Path) -> str:
    """Read as compositions of ``predict``."""
    from ionsieve.data.sources.compositions import read_compositions

    read_compositions(path)
    return "accepted"


def settings(path: Path) -> str:
    """Read as settings of ``screen``."""
    from ionsieve.data.settings import read_settings_file, resolved
    from ionsieve.screening.screen.options import ScreenSettings

    resolved(ScreenSettings, [read_settings_file(path, ScreenSettings)]).settled()
    return "accepted"


def filters(path: Path) -> str:
    """Read as filters of ``screen``."""
    from ionsieve.screening.screen.filters import load_filters

    load_filters(path, "Li")
    return "accepted"


def entries(path: Path) -> str:
    """Read as computed entries."""
    from ionsieve.data.stability.given_entries import read_given_entries

    list(read_given_entries(path))
    return "accepted"


def model(path: Path) -> str:
    """Load as ``predict`` does, which asks it once."""
    from ionsieve.models.persistence import load_model

    load_model(path)
    return "accepted"


def campaign(path: Path) -> str:
    """Open as every command of a campaign, and read all of it."""
    from ionsieve.screening.campaign.access import open_campaign

    store, _ = open_campaign(path)
    with store:
        for read in (store.candidates, store.jobs, store.results, store.rounds, store.models,
                     store.history, store.prescreens):  # fmt: skip
            read()
    return "accepted"


def jobs(path: Path) -> str:
    """Look at a campaign whose jobs have run, and collect from it."""
    from ionsieve.screening.campaign.collection import collect
    from ionsieve.screening.campaign.status import status

    status(path)
    found = collect(path)
    return "refused" if found.refused else "accepted"


TARGETS: Final[Mapping[str, Callable[[Path], str]]] = {
    **dict.fromkeys(
        ("a.cif", "b.cif", "c.cif.gz", "POSCAR", "a.extxyz", "a.jsonl", "a.json", "a.json.bz2",
         "a.parquet", "a.zip", "a.db"), structures,
    ),
    **dict.fromkeys(
        ("XDATCAR", "XDATCAR.gz", "a.lammpstrj", "b.dump.gz", "md-pos-1.xyz", "md.extxyz",
         "vasprun.xml", "a.npz"), trajectory,
    ),
    "labels.csv": labels,
    "points.csv": points,
    "compositions.csv": compositions,
    "settings.yaml": settings,
    "settings.toml": settings,
    "filters.yaml": filters,
    "entries.json": entries,
    "model/model.json": model,
    "model/extra_trees.skops": model,
    "model/xgboost.ubj": model,
    "model/domain.parquet": model,
    "campaign/campaign.sqlite": campaign,
    **dict.fromkeys(("jobs/checkpoint.npz", "jobs/frames.jsonl", "jobs/run-1.ener"), jobs),
}  # fmt: skip
"""What reads each kind."""


def write_seeds(folder: Path) -> None:
    """One sound input of each kind, a small model and a small campaign."""
    for name, make in SEEDS.items():
        content = make()
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    _write_model(folder / "model")
    _write_campaign(folder / "campaign")
    _write_jobs(folder / "jobs")


def _write_model(folder: Path) -> None:
    import numpy as np
    import pandas as pd

    from ionsieve.models import ConductivityModel
    from ionsieve.models.persistence import save_model

    rng = np.random.default_rng(0)
    features = pd.DataFrame(rng.random((24, 4)), [f"m{i}" for i in range(24)], list("abcd"))
    table = pd.DataFrame(
        {
            "structure_id": features.index,
            "temperature_K": 600.0,
            "kind": "aimd",
            "quantity": "sigma_S_cm",
            "value": 10 ** (-5.0 + 3.0 * features["a"].to_numpy()),
            "lower": np.nan,
            "upper": np.nan,
            "error_log10": 0.1,
            "group": [f"g{i % 6}" for i in range(24)],
            "source": "made",
        }
    )
    parameters = {"extra_trees": {"n_trees": 20}, "xgboost": {"n_rounds": 20}}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        made = ConductivityModel(n_folds=3, parameters=parameters).fit(features, table)
        save_model(made, folder)


def _write_campaign(folder: Path) -> None:
    from ionsieve.screening.campaign.records import Candidate, Job, Result
    from ionsieve.screening.campaign.settings import CampaignSettings
    from ionsieve.screening.campaign.store import CampaignStore

    folder.mkdir()
    (folder / "models" / "000").mkdir(parents=True)
    candidate = Candidate(
        id="Li3N", formula="Li3N", system="Li-N", record="{}", n_electrons=14.0, volume_A3=45.0
    )
    store = CampaignStore.create(folder, CampaignSettings().as_dict(), [candidate])
    with store, store.transaction() as t:
        t.add_model("models/000", "", {"n": 1})
        t.add_round(0, {"batch": 1})
        t.add_job(
            Job(id="001-Li3N", candidate_id="Li3N", round=1, temperature_K=1000.0, attempt=1,
                state="proposed", plan={"steps": 5}, reason="score")
        )  # fmt: skip
        t.put_result(
            Result(job_id="001-Li3N", complete=True, verdict="diffusive", label={}, details={})
        )


def _write_jobs(folder: Path) -> None:
    """Two campaigns of one job that has run for eight steps, by GPAW and by CP2K."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import numpy as np

    import campaigns
    from ionsieve.screening.campaign.store import CampaignStore

    folder.mkdir()
    for engine in ("gpaw", "cp2k"):
        name = campaigns.one_job(folder / engine, engine, campaigns.small_plan())
        with CampaignStore(folder / engine) as store, store.transaction() as t:
            t.add_model("models/000", "", {"n_labels": 0, "n_campaign_labels": 0})
            t.move_job(name, "ready", "submitted")
    places = [[[0.1 * k, 0.0, 0.0], [2.5, 2.5, 2.5]] for k in range(5)]
    where = folder / "gpaw" / "jobs" / JOB
    np.savez(where / "checkpoint.npz", step=8, positions_A=places[-1], core_seconds=9.0)
    facts = {"energy_eV": -1.0, "temperature_K": 800.0, "conserved_eV": -1.0, "pressure_GPa": None}
    (where / "frames.jsonl").write_text(
        "".join(
            json.dumps({"step": 2 * k, **facts, "positions_A": place}) + "\n"
            for k, place in enumerate(places)
        )
    )
    where = folder / "cp2k" / "jobs" / JOB
    (where / "run-pos-1.xyz").write_text(
        "".join(
            f"2\n i = {k}, time = {2.0 * k}, E = -1.0\nLi {0.1 * k} 0 0\nCl 2.5 2.5 2.5\n"
            for k in range(5)
        )
    )
    (where / "run-1.cell").write_text("# cell\n0 0.0 5.1 0 0 0 5.1 0 0 0 5.1 132.651\n")
    (where / "run-1.ener").write_text(
        "".join(f" {k} {2.0 * k} 0.01 800.0 -1.0 -0.99 3.0\n" for k in range(5))
    )
    (where / "cp2k.out").write_text("PROGRAM STARTED AT\n")


def input_of(kind: str, number: int, seed: int, seeds: Path, folder: Path) -> Path:
    """Write input ``number`` of a kind; number 0 is the sound one."""
    rng = random.Random(f"{seed}:{kind}:{number}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if kind.startswith(FOLDERS):
        top, name = kind.split("/")
        shutil.copytree(seeds / top, folder / top)
        if top == "jobs":
            engine = "cp2k" if name == "run-1.ener" else "gpaw"
            _spoil_part(folder / top / engine / "jobs" / JOB, name, number, rng)
            return folder / top / engine
        _spoil_part(folder / top, name, number, rng)
        return folder / top
    content = (seeds / kind).read_bytes()
    (folder / kind).write_bytes(spoiled_file(kind, content, rng) if number else content)
    if kind.endswith(".xyz"):
        cell = "# cell\n" + " ".join(map(str, [0, 0.0, 5.13, 0, 0, 0, 5.13, 0, 0, 0, 5.13, 135]))
        (folder / "md-1.cell").write_text(cell + "\n")
    return folder / kind


def _spoil_part(folder: Path, name: str, number: int, rng: random.Random) -> None:
    from hashlib import sha256

    path = folder / name
    if not number:
        return
    if name.endswith(".sqlite"):
        spoiled_database(path, rng)
        return
    path.write_bytes(spoiled_file(name, path.read_bytes(), rng))
    if (folder / "model.json").exists() and name != "model.json":
        # Whoever changes a file can write its hash, too.
        description = json.loads((folder / "model.json").read_text())
        description["files"][name] = sha256(path.read_bytes()).hexdigest()
        (folder / "model.json").write_text(json.dumps(description))


def outcome_of(kind: str, path: Path) -> tuple[str, str]:
    """What came of one input, and the error if it is a bad one."""
    from ionsieve.data.errors import IonsieveError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return TARGETS[kind](path), ""
    except IonsieveError as error:
        text = str(error)
        if "\n" in text or len(text) > MAX_MESSAGE:
            return "defect", f"a message of {len(text)} characters: {text[:300]!r}"
        return "refused", ""
    except OSError as error:
        return "refused", "" if error.strerror or error.args else "an error without a word"
    except MemoryError:
        return "memory", "MemoryError"
    except Exception:
        return "defect", traceback.format_exc()[-3000:]


def work(seeds: Path, folder: Path, seed: int) -> None:
    """A worker: reads ``kind number`` lines, answers one JSON line each."""
    resource.setrlimit(resource.RLIMIT_DATA, (3 * MEMORY_BYTES, 3 * MEMORY_BYTES))
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    for line in sys.stdin:
        kind, number = line.rstrip("\n").rsplit(" ", 1)
        path = input_of(kind, int(number), seed, seeds, folder)
        before = time.process_time()
        result, told = outcome_of(kind, path)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        if peak > MEMORY_BYTES:
            result, told = "memory", f"{peak / 1e9:.1f} GB"
        seconds = time.process_time() - before
        print(json.dumps([result, told, seconds]), file=answers, flush=True)


def cpu_seconds(pid: int) -> float:
    """Processor time of a running process, s; 0.0 where it is gone."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return 0.0


class Worker:
    """A process that may hang or die."""

    def __init__(self, seeds: Path, folder: Path, seed: int) -> None:
        self.line = [sys.executable, __file__, "--work", str(seeds), str(folder), str(seed)]
        self.folder, self.job, self.started = folder, ("", 0), 0.0
        self.process: subprocess.Popen[str] | None = None

    def give(self, kind: str, number: int) -> None:
        if self.process is None:
            self.process = subprocess.Popen(
                self.line, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL, text=True, bufsize=1,
            )  # fmt: skip
            self.fresh = True
        self.job, self.started = (kind, number), time.monotonic()
        self.cpu_before = cpu_seconds(self.process.pid)
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.write(f"{kind} {number}\n")
            self.process.stdin.flush()

    def answer(self) -> tuple[str, str]:
        """What came of the job; the process is ended where it is of no more use."""
        assert self.process is not None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            status = self.process.wait()
            self.end()
            return ("signal", f"signal {-status}") if status < 0 else ("defect", f"exit {status}")
        result, told, seconds = json.loads(line)
        if result == "memory":
            self.end()
        # The first input of a process pays for its imports.
        if seconds > HANG_S and not self.fresh:
            return "hang", f"{seconds:.0f} s"
        self.fresh = False
        return result, told

    def is_late(self) -> bool:
        """By processor time: other processes may keep this one waiting; in the end by the clock."""
        assert self.process is not None
        waited = time.monotonic() - self.started
        if self.fresh:
            return waited > IMPORT_S
        used = cpu_seconds(self.process.pid) - self.cpu_before
        return waited > PATIENCE * HANG_S or (waited > HANG_S and used > HANG_S)

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            for stream in (self.process.stdin, self.process.stdout):
                assert stream is not None
                with contextlib.suppress(BrokenPipeError):
                    stream.close()
            self.process = None


def run(
    jobs: Iterator[tuple[str, int]], seed: int, n_workers: int, seeds: Path, keep: Path | None
) -> dict[str, Counter[str]]:
    """Run all jobs; counts by kind."""
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        workers = [Worker(seeds, Path(scratch) / str(n), seed) for n in range(n_workers)]
        busy: list[Worker] = []
        for worker in workers:
            _next(worker, jobs, busy)
        while busy:
            for worker in _ready(busy):
                late = worker.is_late() and not _has_answer(worker)
                if late:
                    result, told = "hang", f"over {HANG_S:g} s"
                    worker.end()
                else:
                    result, told = worker.answer()
                counts.setdefault(worker.job[0], Counter())[result] += 1
                if result in BAD:
                    _report(worker, result, told, keep)
                busy.remove(worker)
                _next(worker, jobs, busy)
        for worker in workers:
            worker.end()
    return counts


def _next(worker: Worker, jobs: Iterator[tuple[str, int]], busy: list[Worker]) -> None:
    job = next(jobs, None)
    if job is not None:
        worker.give(*job)
        busy.append(worker)


def _has_answer(worker: Worker) -> bool:
    with selectors.DefaultSelector() as selector:
        assert worker.process is not None
        selector.register(worker.process.stdout, selectors.EVENT_READ)  # type: ignore[arg-type]
        return bool(selector.select(0))


def _ready(busy: list[Worker]) -> list[Worker]:
    with selectors.DefaultSelector() as selector:
        for worker in busy:
            assert worker.process is not None
            selector.register(worker.process.stdout, selectors.EVENT_READ, worker)  # type: ignore[arg-type]
        found = [key.data for key, _ in selector.select(1.0)]
    return found or [worker for worker in busy if worker.is_late()]


def _report(worker: Worker, result: str, told: str, keep: Path | None) -> None:
    kind, number = worker.job
    last = told.strip().splitlines()[-1][:200] if told else ""
    print(f"{result}: --only {kind} --number {number}: {last}", flush=True)
    if keep is not None:
        target = keep / f"{kind.replace('/', '_')}-{number}"
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(worker.folder, target)
        (target / "what.txt").write_text(told)


def table(counts: dict[str, Counter[str]]) -> str:
    """One line a kind, and the sums."""
    names = (*GOOD, *BAD)
    total: Counter[str] = sum(counts.values(), Counter())
    rows = [(kind, counts[kind]) for kind in TARGETS if kind in counts] + [("all", total)]
    head = f"{'kind':26}" + "".join(f"{name:>12}" for name in ("inputs", *names))
    lines = [
        f"{kind:26}{sum(c.values()):12}" + "".join(f"{c[name]:12}" for name in names)
        for kind, c in rows
    ]
    return "\n".join([head, *lines])


def main() -> int:
    if sys.argv[1:2] == ["--work"]:
        work(Path(sys.argv[2]), Path(sys.argv[3]), int(sys.argv[4]))
        return 0
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1000, help="in all, over the kinds")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", choices=sorted(TARGETS), action="append", help="kinds")
    parser.add_argument("--number", type=int, help="this one input of --only; shows its error")
    parser.add_argument("--keep", type=Path, help="folder for inputs that do harm")
    given = parser.parse_args()
    kinds = given.only or list(TARGETS)
    with tempfile.TemporaryDirectory() as folder:
        seeds = Path(folder)
        write_seeds(seeds)
        if given.number is not None:
            path = input_of(kinds[0], given.number, given.seed, seeds, seeds / "one")
            print(*outcome_of(kinds[0], path), sep="\n")
            return 0
        rounds = max(1, -(-given.inputs // len(kinds)))
        jobs = ((kind, number) for number in range(rounds) for kind in kinds)
        counts = run(iter(jobs), given.seed, given.workers, seeds, given.keep)
    print(table(counts))
    return int(any(c[name] for c in counts.values() for name in BAD))


if __name__ == "__main__":
    sys.exit(main())
