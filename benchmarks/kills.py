"""``kill -9`` at any moment of a verb, then the verb again: is everything as if nothing had been?

``python benchmarks/kills.py --kills 200`` kills ingest, featurize, train, screen and the verbs of a
campaign at times drawn evenly over their undisturbed duration (and a little beyond), runs them
again, and compares every file with that of an undisturbed run: same bytes, nothing lost or doubled,
nothing left over; of a campaign's database what it says but the times of day. Campaigns are also
killed before every durable effect in ``tests/screening/campaign/test_kills.py``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

sys.path.insert(0, str(Path(__file__).parent))

from fuzz_inputs import CIF, LICL_A, SITES

from ionsieve.data.atomic import file_lock

COLUMNS: Final = ("kills", "while it ran", "same bytes", "differs", "left over", "failed")
FILES: Final = 12


def _salt(anion: str, a: float) -> str:
    sites = "\n".join(f"{e if e == 'Li' else anion} {x} {y} {z} 1" for e, x, y, z in SITES)
    lengths = "\n".join(f"_cell_length_{x} {a}" for x in "abc")
    angles = "\n".join(f"_cell_angle_{x} 90" for x in ("alpha", "beta", "gamma"))
    columns = ("type_symbol", "fract_x", "fract_y", "fract_z", "occupancy")
    loop = "\n".join(f"_atom_site_{name}" for name in columns)
    return f"data_Li{anion}\n{lengths}\n{angles}\nloop_\n{loop}\n{sites}\n"


def write_inputs(folder: Path) -> None:
    """Rock salts as CIF and as JSON lines, and labels for them."""
    (folder / "cifs").mkdir(parents=True)
    rows = ["structure_id,temperature_K,kind,quantity,value,group"]
    lines = []
    for number in range(FILES):
        anion, a = ("F", "Cl", "Br", "I")[number % 4], 4.2 + 0.15 * number
        name = f"Li{anion}-{number}"
        (folder / "cifs" / f"{name}.cif").write_text(_salt(anion, a))
        rows.append(f"{name},800,aimd,sigma_S_cm,{10 ** (0.4 * a - 5):.4g},g{number % 4}")
    for number in range(200):
        scale = 1.0 + 1e-4 * number
        lines.append(
            json.dumps(
                {
                    "id": f"x{number:04d}",
                    "lattice_vectors": [
                        [LICL_A * scale if i == j else 0.0 for j in range(3)] for i in range(3)
                    ],
                    "cartesian_site_positions": [
                        [LICL_A * scale * c for c in s[1:]] for s in SITES
                    ],
                    "species_at_sites": [s[0] for s in SITES],
                }
            )
        )
    (folder / "cifs" / "broken.cif").write_text(CIF.replace("Cl- 0.5", "Cl- x"))
    (folder / "many.jsonl").write_text("\n".join(lines) + "\n")
    (folder / "labels.csv").write_text("\n".join(rows) + "\n")


@dataclass(frozen=True)
class Verb:
    """What is killed.

    Parameters
    ----------
    run : callable
        Takes the folder it works in; called in a child process that has loaded everything.
    begin : path, optional
        What that folder holds before.
    """

    run: Callable[[Path], object]
    begin: Path | None = None


def command_lines(inputs: Path) -> dict[str, Verb]:
    """Verbs of the command line, which write below ``out``."""
    cifs, families = str(inputs / "cifs"), "isolated_anions,composition,density"
    lines = {
        "ingest": ["ingest", str(inputs / "many.jsonl"), "--set", "duplicates=keep"],
        "featurize": ["featurize", cifs, "--families", families],
        "train": ["train", "--labels", str(inputs / "labels.csv"), "--structures", cifs],
        "screen": ["screen", cifs, "--set", f"families={families}", "--set", "top_structures=1"],
    }
    return {name: Verb(partial(_command, line)) for name, line in lines.items()}


def _command(line: Sequence[str], work: Path) -> None:
    from ionsieve.cli.main import main

    sys.argv = ["ionsieve", *line, "--out", str(work / "out")]
    main()


def campaign_verbs(scratch: Path) -> dict[str, Verb]:
    """Verbs of a campaign of four rock salts, whose jobs walk at random and whose model is light.

    The engine and the models of the tests stand in for a DFT program and for hours of training;
    what is killed, the campaign itself, is the real one.
    """
    sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
    import campaigns
    from ionsieve.screening.campaign import loop, setup
    from ionsieve.screening.campaign.collection import collect
    from ionsieve.screening.campaign.setup import init_campaign
    from ionsieve.screening.campaign.status import report
    from ionsieve.screening.campaign.submission import submit
    from ionsieve.screening.engines.registry import ENGINES

    ENGINES["walk"] = campaigns.walk_engine()
    trained = campaigns.light_model()
    setup.embedded_model = lambda *_, **__: trained  # type: ignore[assignment]
    loop.load_model, loop.save_model = campaigns.quick_load, campaigns.quick_save  # type: ignore[assignment]
    cifs = campaigns.write_cifs(scratch / "campaign-cifs")
    runs: dict[str, Callable[[Path], object]] = {
        # Over a campaign that is there, whole, it would be refused.
        "init": lambda work: (
            (work / "out").exists() or init_campaign(work / "out", [cifs], campaigns.settings())
        ),
        "propose": lambda work: loop.propose(work / "out"),
        "submit": lambda work: submit(work / "out", run=True),
        "collect": lambda work: collect(work / "out"),
        "retrain": lambda work: loop.retrain(work / "out"),
        "report": lambda work: report(work / "out"),
    }
    verbs, before = {}, scratch / "stage-0"
    before.mkdir()
    for number, (name, run) in enumerate(runs.items(), start=1):
        verbs[f"campaign {name}"] = Verb(run, before)
        after = scratch / f"stage-{number}"
        shutil.copytree(before, after)
        if status := finish(start(Verb(run), after)):
            raise SystemExit(f"campaign {name}: an undisturbed run ends with status {status}")
        before = after
    return verbs


def start(verb: Verb, work: Path) -> int:
    """Run a verb in a child process that has loaded everything already."""
    child = os.fork()
    if child:
        return child
    status = 99
    try:
        os.setsid()
        with Path(os.devnull).open("w") as nothing:
            os.dup2(nothing.fileno(), 1)
            os.dup2(nothing.fileno(), 2)
        verb.run(work)
        status = 0
    except SystemExit as end:
        status = int(end.code or 0)
    finally:
        os._exit(status)


def finish(child: int) -> int:
    """Exit status, negative for a signal."""
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def contents(folder: Path) -> dict[str, str]:
    """Every file under a folder, hidden ones too → SHA-256; of a campaign what its database says.

    Jobs whose ``submit`` was killed go on: they are waited for.
    """
    for lock in folder.glob("out/jobs/*/.lock"):
        with file_lock(lock, wait=True):
            pass
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    if "out/campaign.sqlite" in found:
        import campaigns

        state = repr(campaigns.fingerprint(folder / "out"))
        found["out/campaign.sqlite"] = hashlib.sha256(state.encode()).hexdigest()
    return found


def begin(verb: Verb, work: Path) -> None:
    """The folder as it is before the verb."""
    shutil.rmtree(work, ignore_errors=True)
    if verb.begin is not None:
        shutil.copytree(verb.begin, work)


def try_verb(name: str, verb: Verb, work: Path, kills: int, rng: random.Random) -> Counter[str]:
    """Kill a verb so many times; counts by :data:`COLUMNS`."""
    durations, clean = [], []
    for _ in range(2):
        begin(verb, work)
        began = time.monotonic()
        if status := finish(start(verb, work)):
            raise SystemExit(f"{name}: an undisturbed run ends with status {status}")
        durations.append(time.monotonic() - began)
        clean.append(contents(work))
    # Times of day differ between any two runs; such files are compared by name only.
    varying = {path for path in clean[0] if clean[0][path] != clean[1].get(path)}
    counts: Counter[str] = Counter()
    for _ in range(kills):
        begin(verb, work)
        child = start(verb, work)
        time.sleep(rng.uniform(0.0, 1.1 * durations[1]))
        os.kill(child, signal.SIGKILL)
        counts["kills"] += 1
        counts["while it ran"] += finish(child) == -signal.SIGKILL
        contents(work)
        _count(counts, finish(start(verb, work)), contents(work), clean[0], varying)
    print(f"{name}: {durations[1]:.1f} s, compared by name only: {sorted(varying)}", flush=True)
    return counts


def _count(
    counts: Counter[str],
    status: int,
    found: dict[str, str],
    clean: dict[str, str],
    varying: set[str],
) -> None:
    if status:
        counts["failed"] += 1
        return
    left = sorted(set(found) - set(clean))
    wrong = sorted(
        path for path in clean if path not in found
        or (path not in varying and found[path] != clean[path])
    )  # fmt: skip
    counts["left over"] += bool(left)
    counts["differs"] += bool(wrong)
    counts["same bytes"] += not left and not wrong
    if left or wrong:
        print(f"  left over: {left[:5]}, differ: {wrong[:5]}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--kills", type=int, default=200, help="in all")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", action="append", help="verbs")
    given = parser.parse_args()
    _load()
    total: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        write_inputs(scratch / "inputs")
        verbs = command_lines(scratch / "inputs")
        if not given.only or any(name.startswith("campaign") for name in given.only):
            verbs |= campaign_verbs(scratch)
        for name in given.only or verbs:
            share = -(-given.kills // len(given.only or verbs))
            rng = random.Random(f"{given.seed}:{name}")
            total[name] = try_verb(name, verbs[name], scratch / "work", share, rng)
    print(f"{'verb':18}" + "".join(f"{column:>14}" for column in COLUMNS))
    for name, counts in total.items():
        print(f"{name:18}" + "".join(f"{counts[column]:14}" for column in COLUMNS))
    return int(any(c["same bytes"] < c["kills"] for c in total.values()))


def _load() -> None:
    """Libraries that every child needs; loaded, not used: their threads do not survive a fork."""
    import ionsieve.cli.main
    import ionsieve.data.store.ingest
    import ionsieve.models.persistence
    import ionsieve.screening.batch.batch
    import ionsieve.screening.screen.pipeline  # noqa: F401


if __name__ == "__main__":
    sys.exit(main())
