"""``ionsieve screen`` as its user runs it."""

import json
import os
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
README = runpy.run_path(str(ROOT / "docs" / "readme.py"))
OUTSIDE = [
    "id",
    "formula",
    "rank",
    "log10_sigma_300K_S_cm",
    "log10_sigma_300K_low",
    "log10_sigma_300K_high",
    "p_fast",
    "domain_distance",
    "isolated_class",
    "isolated_fraction",
    "flags",
]
FLAGS = {"uncertain", "out_of_domain", "models_disagree", "novel_mechanism"}


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return {**os.environ, **README["TERMINAL"], "PYTHONPATH": str(SOURCE)}


def run(
    environment: dict[str, str], *arguments: object, cwd: Path | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "ionsieve.cli.main", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=environment, cwd=cwd
    )


@pytest.fixture(scope="module")
def embedded(
    environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, subprocess.CompletedProcess[str]]:
    folder = tmp_path_factory.mktemp("run")
    return folder / README["OUT"], run(environment, "screen", "--out", README["OUT"], cwd=folder)


def test_no_input_ranks_the_embedded_candidates(
    embedded: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, done = embedded
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    table = pd.read_csv(out / "ranking.csv", keep_default_na=False)
    assert set(OUTSIDE) <= set(table.columns)
    assert len(table) >= 300
    assert list(table["rank"]) == list(range(1, len(table) + 1))
    assert {"framework", "antistructure", "none"} <= set(table["isolated_class"])
    assert set(table["isolated_class"]) <= {"framework", "antistructure", "none", "zintl"}
    assert set(filter(None, ";".join(table["flags"]).split(";"))) <= FLAGS


def test_terminal_shows_the_top_ten_and_the_next_step(
    embedded: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    lines = embedded[1].stdout
    assert "Top 10 of" in lines
    assert "quarantined" in lines
    assert "next: open" in lines
    assert "optimistic against experiment" in lines


def test_readme_shows_this_run(
    embedded: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    page = README["PAGE"].read_text("utf-8")
    assert README["block"](page, "screen") == README["shown"](embedded[1].stdout), "make readme"


def test_readme_shows_the_scores_that_ship() -> None:
    page = README["PAGE"].read_text("utf-8")
    assert README["block"](page, "accuracy") == README["accuracy"](), "make readme"


def test_json_is_one_object_and_the_ranking_is_the_same(
    environment: dict[str, str],
    embedded: tuple[Path, subprocess.CompletedProcess[str]],
    tmp_path: Path,
) -> None:
    done = run(environment, "screen", "--out", tmp_path, "--json")
    run_facts = json.loads(done.stdout)
    assert run_facts["counts"]["ranked"] == len(pd.read_csv(tmp_path / "ranking.csv"))
    assert run_facts["settings"]["seed"] == 0
    for name in ("ranking.csv", "ranking.parquet", "quarantine.csv", "optimade.jsonl"):
        assert (tmp_path / name).read_bytes() == (embedded[0] / name).read_bytes()


def test_yang_2025_structures_are_among_the_candidates(
    embedded: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    table = pd.read_csv(embedded[0] / "ranking.csv", keep_default_na=False)
    for formula in ("Li8SiSe6", "Li8TiS6", "Li6PS5Cl"):
        rows = table[(table["formula"] == formula) & (table["isolated_class"] == "framework")]
        assert len(rows) > 0, formula


def test_explain_by_rank_says_why(
    environment: dict[str, str], embedded: tuple[Path, subprocess.CompletedProcess[str]]
) -> None:
    out, _ = embedded
    first = pd.read_csv(out / "ranking.csv", keep_default_na=False).iloc[0]
    done = run(environment, "explain", out, 1)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    for words in (f"#1 of {len(pd.read_csv(out / 'ranking.csv'))}", first["id"], "What moved it"):
        assert words in done.stdout
    for words in ("Isolated anions", "Nearest in the AIMD table", "ionsieve campaign init STUDY"):
        assert words in done.stdout
    assert len(list((out / "explain").iterdir())) == 3


def test_the_export_holds_the_ranking_in_its_order(
    embedded: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, _ = embedded
    table = pd.read_csv(out / "ranking.csv", keep_default_na=False)
    lines = (out / "optimade.jsonl").read_text().splitlines()[2:]
    entries = [json.loads(line) for line in lines]
    assert [e["id"] for e in entries] == table["id"].tolist()
    flags = [";".join(e["attributes"]["_ionsieve_flags"]) for e in entries]
    assert flags == table["flags"].tolist()
    assert set(table["known_relation"]) == {"", "same", "isostructural"}


def test_descriptors_are_kept_in_the_order_of_the_ranking(
    embedded: tuple[Path, subprocess.CompletedProcess[str]],
) -> None:
    out, _ = embedded
    ids = pd.read_parquet(out / "features.parquet")["id"].tolist()
    assert ids == pd.read_csv(out / "ranking.csv")["id"].tolist()
