"""``ionsieve featurize`` as users run it: a process, killed at bad moments, run again."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

import structures
from ionsieve.data.convert import to_pymatgen

SRC = Path(__file__).parents[2] / "src"
FAMILIES = "isolated_anions,density"
N_FILES = 40


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Forty files: twenty crystals twice, as strained copies."""
    path = tmp_path_factory.mktemp("inputs")
    ordered = [n for n in structures.names() if structures.get(n).is_ordered and "Li" in n]
    for name in ordered[: N_FILES // 2]:
        structure = to_pymatgen(structures.get(name))
        structure.to(str(path / f"{name}.vasp"), fmt="poscar")
        structure.apply_strain(0.01)
        structure.to(str(path / f"{name}_strained.vasp"), fmt="poscar")
    return path


def _command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ionsieve.cli.main", *map(str, arguments)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SRC)}


def _run(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        _command(*arguments), capture_output=True, text=True, env=_environment(), check=False
    )


def _content(out: Path) -> dict[str, bytes]:
    found = [path for path in sorted(out.rglob("*")) if path.is_file()]
    return {str(path.relative_to(out)): path.read_bytes() for path in found}


def _rows_in_journals(out: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in out.rglob("*.jsonl"))


def _kill_when(process: subprocess.Popen[bytes], out: Path, rows: int) -> bool:
    """Kill when the journal has that many rows; False if the process was faster."""
    while process.poll() is None:
        if _rows_in_journals(out) >= rows:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            return True
        time.sleep(0.0005)
    return False


def test_killed_at_random_moments_nothing_is_lost_and_nothing_doubled(
    folder: Path, tmp_path: Path
) -> None:
    undisturbed, killed = tmp_path / "undisturbed", tmp_path / "killed"
    arguments = ("featurize", folder, "--families", FAMILIES, "--workers", 2)
    done = _run(*arguments, "--out", undisturbed)
    assert done.returncode == 0, done.stderr
    moments = random.Random(20).sample(range(1, N_FILES - 1), 2)
    n_killed = 0
    for rows in [0, *sorted(moments)]:
        command = _command(*arguments, "--out", killed)
        process = subprocess.Popen(
            command, env=_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        n_killed += _kill_when(process, killed, rows)
    # The machine may be faster than the watch; some of the kills must have met a live process.
    assert n_killed >= 1
    done = _run(*arguments, "--out", killed, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["reused"] > 0
    assert _content(killed) == _content(undisturbed)
    table = pd.read_parquet(next(killed.rglob("*.parquet")))
    assert len(table) == N_FILES == table["id"].nunique()


def test_json_is_one_object_and_the_terminal_stays_quiet(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "broken.cif").write_text("not a crystal")
    good = next(folder.glob("*_strained.vasp"))
    options = ("--families", "density", "--shard", "1/1", "--timeout", 60, "--json")
    done = _run("featurize", tmp_path / "in", good, "--out", tmp_path / "out", *options)
    assert done.returncode == 0
    assert done.stderr == ""
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["ok"], summary["failed"]) == (2, 1, 1)
    assert Path(summary["folder"], summary["shards"][0]).exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("absent-folder",), "absent-folder: no such file or folder"),
        ((".", "--shard", "4/3"), "i from 1 to n"),
        ((".", "--families", "density,astrology"), "no feature family 'astrology'"),
        ((".", "--mobile", "Xe"), "mobile species 'Xe' is not supported"),
        ((".", "--timeout", "0"), "must be positive"),
    ],
)
def test_wrong_use_is_one_line_and_exit_code_1(
    tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = _run("featurize", *arguments, "--out", tmp_path / "out")
    assert done.returncode == 1
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()
