"""``ionsieve campaign``: help, one-line errors, and the verbs that need no simulation."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from campaigns import light_model
from ionsieve.screening.campaign import setup

Run = Callable[..., CompletedProcess[str]]
CIF = """data_LiF
_cell_length_a 2.85
_cell_length_b 2.85
_cell_length_c 2.85
_cell_angle_alpha 60
_cell_angle_beta 60
_cell_angle_gamma 60
_symmetry_space_group_name_H-M 'P 1'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Li1 Li 0 0 0
F1 F 0.5 0.5 0.5
"""


@pytest.fixture
def run(run_here: Run) -> Run:
    """Short for what nearly every test here does."""
    return partial(run_here, "campaign")


def test_help_names_the_verbs_in_a_shell() -> None:
    command = [sys.executable, "-m", "ionsieve.cli.main", "campaign", "--help"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2] / "src")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0
    for verb in ("init", "propose", "submit", "status", "collect", "retrain", "stop", "report",
                 "prescreen", "export"):  # fmt: skip
        assert verb in done.stdout


@pytest.mark.parametrize("verb", ["propose", "status", "collect", "retrain", "report", "submit"])
def test_folder_without_campaign_is_one_line(run: Run, verb: str, tmp_path: Path) -> None:
    done = run(verb, str(tmp_path))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "no campaign here" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_screen_that_is_none_is_one_line(run: Run, tmp_path: Path) -> None:
    done = run("init", "c", "--from", ".", cwd=tmp_path)
    assert done.returncode == 1
    assert "holds no finished screen" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("verb", ["status", "collect"])
def test_damaged_campaign_is_one_line(run: Run, verb: str, tmp_path: Path) -> None:
    (tmp_path / "campaign.sqlite").write_bytes(b"not a database at all" * 400)
    done = run(verb, str(tmp_path))
    assert done.returncode == 1
    assert "take it from a copy" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("protocol: {time_step_fs: -1}", "time_step_fs"),
        ("batchsize: 3", "batchsize"),
        ("engine: abinit", "abinit"),
        ("[1, 2]", "names and values"),
        ("a: [", "not valid YAML"),
    ],
)
def test_wrong_settings_are_one_line(run: Run, text: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "s.yaml").write_text(text)
    (tmp_path / "LiF.cif").write_text(CIF)
    done = run("init", "c", "LiF.cif", "--settings", "s.yaml", cwd=tmp_path)
    assert done.returncode == 1
    assert words in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "c").exists()


def test_init_to_report_for_an_external_engine(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The whole model is trained by the tests of screens.
    monkeypatch.setattr(setup, "embedded_model", light_model)
    (tmp_path / "LiF.cif").write_text(CIF)
    (tmp_path / "s.yaml").write_text("minimum_gain_decades: 0\nminimum_hits: 0\n")
    made = run(
        "init", "c", "LiF.cif", "--engine", "vasp", "--settings", "s.yaml", "--json", cwd=tmp_path
    )
    told = json.loads(made.stdout)
    assert (told["candidates"], told["quarantined"], told["known"]) == (1, 0, 0)
    assert told["engine_here"] is False
    assert "IONSIEVE_VASP" in told["engine_needs"]
    proposed = json.loads(run("propose", "c", "--json", cwd=tmp_path).stdout)
    (name,) = proposed["jobs"]
    assert proposed["picks"][0]["candidate"] == "LiF"
    assert "not both below" in proposed["decision"]["reason"]
    again = run("propose", "c", cwd=tmp_path).stdout
    assert "proposed before and not submitted yet" in again
    assert (tmp_path / "c" / "jobs" / name / "INCAR").is_file()
    scripts = json.loads(run("submit", "c", "--json", cwd=tmp_path).stdout)["scripts"]
    assert all((tmp_path / "c" / script).is_file() for script in scripts)
    found = json.loads(run("status", "c", "--json", cwd=tmp_path).stdout)
    assert found["jobs"] == {"ready": 1}
    assert run("stop", "c", "--reason", "enough", cwd=tmp_path).returncode == 0
    refused = run("propose", "c", cwd=tmp_path)
    assert refused.returncode == 0 or "enough" in refused.stderr
    assert run("report", "c", cwd=tmp_path).returncode == 0
    assert name in (tmp_path / "c" / "report" / "report.html").read_text()
