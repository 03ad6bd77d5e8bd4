"""ionsieve benchmark: template, scores, page."""

import json
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from ionsieve.cli.main import app
from ionsieve.data import InputError

runner = CliRunner(env={"COLUMNS": "200"})


def run(*given: object) -> str:
    return runner.invoke(app, ["benchmark", *map(str, given)], catch_exceptions=False).stdout


def test_template_to_scores(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    assert "478 rows to fill in" in run("--template", "--on", "experiment", "--out", path)
    with pytest.raises(InputError, match="may be filled in already"):
        run("--template", "--out", path)
    table = pd.read_csv(path, dtype=str)
    table.assign(log10_sigma_S_cm=-5.0, low=-8.0, high=-2.0).to_csv(path, index=False)
    text = run(path, "--on", "experiment")
    assert "mine" in text
    assert "temperature only" in text
    found = json.loads(run(path, "--json", "--out", tmp_path / "scores.json"))
    assert found == json.loads((tmp_path / "scores.json").read_text())
    assert 0 < found["scores"]["mine"]["coverage"][0] < 1


def test_the_page_in_the_docs_is_that_of_the_submissions(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    run("--leaderboard", root / "benchmarks" / "submissions", "--out", tmp_path / "page.md")
    page = (root / "docs" / "leaderboard.md").read_text(encoding="utf-8")
    assert page == (tmp_path / "page.md").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ((), "give one of PREDICTIONS, --template"),
        (("x.csv", "--template"), "give one of PREDICTIONS, --template"),
        (("--template", "--on", "theory"), "choose experiment or aimd"),
        (("absent.csv",), "no such file"),
    ],
)
def test_wrong_use_is_said(given: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        run(*given)
