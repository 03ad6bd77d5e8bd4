"""The leaderboard page: made from a folder, faults named, text of strangers escaped."""

from pathlib import Path

import pytest

from ionsieve.data import InputError
from ionsieve.data.embedded.benchmark import benchmark_template
from ionsieve.models.evaluation.benchmark import ANSWER
from ionsieve.models.evaluation.leaderboard import leaderboard

ABOUT = "method: {method}\ndescription: {text}\nreference: ''\nfolds: held_out\n"


def submit(folder: Path, name: str, method: str = "flat", text: str = "one number") -> Path:
    (folder / name).mkdir(parents=True)
    (folder / name / "about.yaml").write_text(ABOUT.format(method=method, text=text))
    table = benchmark_template("experiment").assign(**{ANSWER: -4.0})
    table.to_csv(folder / name / "experiment.csv", index=False)
    return folder / name


def test_submissions_stand_beside_baselines_best_first(tmp_path: Path) -> None:
    submit(tmp_path, "a")
    page = leaderboard(tmp_path)
    rows = [line for line in page.splitlines() if line.startswith("| ") and "MAE" not in line]
    first = page.split("## aimd")[0].splitlines()
    experiment = [line for line in rows if line in first]
    errors = [float(line.split("|")[2].split()[0]) for line in experiment]
    assert errors == sorted(errors)
    assert sum("**flat**: one number" in line for line in rows) == 1
    assert "## aimd" in page


def test_text_of_strangers_cannot_break_the_table(tmp_path: Path) -> None:
    submit(tmp_path, "a", "'x|y <b>&'", "'![i](j)'")
    page = leaderboard(tmp_path)
    assert "**x&#124;y &lt;b&gt;&amp;**: \\!\\[i\\]\\(j\\)" in page


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ("method: [", "not readable YAML"),
        ("method: x\n", "give exactly method, description, reference, folds"),
        (ABOUT.format(method="''", text="t"), "method is empty"),
        (ABOUT.format(method="m", text="t").replace("held_out", "none"), "folds must be"),
        (ABOUT.format(method="m", text="t" * 400), "at most 300 characters"),
    ],
)
def test_a_bad_description_is_named(tmp_path: Path, about: str, words: str) -> None:
    folder = submit(tmp_path, "a")
    (folder / "about.yaml").write_text(about)
    with pytest.raises(InputError, match=r"about\.yaml") as caught:
        leaderboard(tmp_path)
    assert words in str(caught.value)


def test_no_folder_and_no_description_are_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such folder"):
        leaderboard(tmp_path / "absent")
    (tmp_path / "a").mkdir()
    with pytest.raises(InputError, match=r"about\.yaml: missing"):
        leaderboard(tmp_path)
