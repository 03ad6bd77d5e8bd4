"""The front door: free import, one-line errors, fixed exit codes."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

import ionsieve
from ionsieve.cli.main import app

HEAVY = ("pymatgen", "numpy", "pandas", "sklearn", "scipy", "matminer", "xgboost", "numba", "ase")


def run(*arguments: str, **options) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ionsieve.cli.main", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, **options)


@pytest.fixture(autouse=True)
def source_on_path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2] / "src"))


def test_help_names_the_verbs() -> None:
    done = run("--help")
    assert done.returncode == 0
    assert "screen" in done.stdout


def test_help_imports_no_science() -> None:
    code = (
        f"import sys; import ionsieve.cli.main; print([m for m in {HEAVY!r} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


SELDOM = ["matminer", "dscribe", "skops", "optuna", "matplotlib", "distributed", "ase", "torch"]


@pytest.mark.parametrize(
    "module",
    [
        "ionsieve.screening.screen.pipeline",
        "ionsieve.screening.results.write",
        "ionsieve.screening.batch.engines",
        "ionsieve.models",
        "ionsieve.data.store.ingest",
    ],
)
def test_what_few_commands_need_is_imported_by_them_alone(module: str) -> None:
    code = f"import sys; import {module}; print([m for m in {SELDOM!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_version() -> None:
    done = run("--version")
    assert done.stdout.strip() == f"ionsieve {ionsieve.__version__}"


def test_wrong_usage_ends_with_2() -> None:
    assert run("screen").returncode == 2
    assert run("no-such-verb").returncode == 2
    for verb in ("screen", "train", "evaluate"):
        done = run(verb, "--out", "out", "--seed", "-1")
        assert done.returncode == 2
        assert "--seed" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("screen", "absent.cif", "--out", "{tmp}/out"), ("absent.cif", "no such file")),
        (("screen", "{tmp}", "--out", "{tmp}/out"), ("no file of a known format",)),
        (("screen", "--out", "{tmp}/file"), ("is a file",)),
        (("screen", "--out", "{tmp}/out", "--disorder", "maybe"), ("maybe", "occupancy")),
        (("screen", "--out", "{tmp}/out", "--threshold-mS-cm", "-1"), ("positive",)),
        (("screen", "--out", "{tmp}/out", "--threshold-mS-cm", "inf"), ("finite",)),
    ],
)
def test_bad_input_is_one_line_and_exit_code_1(
    tmp_path: Path, arguments: tuple[str, ...], words: tuple[str, ...]
) -> None:
    (tmp_path / "file").write_text("")
    done = run(*(a.replace("{tmp}", str(tmp_path)) for a in arguments), cwd=tmp_path)
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stderr.startswith("ionsieve: ")
    for word in words:
        assert word in done.stderr
    assert not (tmp_path / "out" / "ranking.csv").exists()


def _leaves(command: Any, name: str) -> list[tuple[str, Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        return [(name, command)]
    return [leaf for key, c in inner.items() for leaf in _leaves(c, f"{name} {key}")]


def test_every_verb_can_answer_in_json() -> None:
    leaves = _leaves(typer.main.get_command(app), "ionsieve")
    assert {"ionsieve generate", "ionsieve screen", "ionsieve campaign propose"} <= {
        name for name, _ in leaves
    }
    without = [n for n, c in leaves if not any("--json" in p.opts for p in c.params)]
    assert without == []


def test_the_shell_completes_verbs_and_options() -> None:
    found = {}
    for words in ("ionsieve gen", "ionsieve generate --proto"):
        number = str(len(words.split()) - 1)
        environment = {
            "_IONSIEVE_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": number,
        }  # fmt: skip
        found[words] = CliRunner().invoke(app, [], prog_name="ionsieve", env=environment).stdout
    assert [text.split() for text in found.values()] == [["generate"], ["--prototype"]]
