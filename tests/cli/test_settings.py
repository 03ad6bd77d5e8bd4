"""Settings of the commands: precedence, and a run repeated by the file it wrote."""

import json
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner, Result

import structures
from ionsieve.cli.main import app
from ionsieve.data.settings import Layer, resolved
from ionsieve.screening.generate.write import cif_text
from ionsieve.screening.screen.filters import default_filters, parse_filters
from ionsieve.screening.screen.options import ScreenSettings

NAMES = ("Li8TiS6_hcp", "Li6PS5Cl_F43m", "Li3OCl", "Li3YCl6_exp", "Li3PS4_gamma")


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [*map(str, arguments)])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("cifs")
    for name in NAMES:
        (folder / f"{name}.cif").write_text(cif_text(structures.get(name)))
    return folder


def content(out: Path) -> dict[str, bytes]:
    # What a run took differs from one to the next.
    return {p.name: p.read_bytes() for p in out.iterdir() if p.name != "cost.json"}


def test_a_screen_is_repeated_by_the_settings_it_wrote(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text(
        "seed: 9\nfamilies: [isolated_anions, density]\nflags: {out_of_domain: 0.5}\n"
        "filters:\n- {name: small, column: n_sites, max: 40, reason: too large}\n"
    )
    options = ["--settings", tmp_path / "own.yaml", "--set", "seed=5", "--set", "workers=2"]
    first = run("screen", folder, "--out", tmp_path / "a", *options, "--seed", 3, "--json")
    assert first.exit_code == 0, first.output
    used = yaml.safe_load((tmp_path / "a" / "settings.yaml").read_text())
    assert (used["seed"], used["workers"], used["flags"]["out_of_domain"]) == (3, 2, 0.5)
    facts = json.loads(first.stdout)
    assert facts["settings"]["seed"] == 3
    # The Li3PS4 cell has 16 sites, the disordered Li3YCl6 35: the filter was applied.
    assert facts["counts"]["filtered"] == 0
    again = run(
        "screen", folder, "--out", tmp_path / "b", "--settings", tmp_path / "a" / "settings.yaml"
    )
    assert again.exit_code == 0, again.output
    assert content(tmp_path / "b") == content(tmp_path / "a")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--set", "treshold_mS_cm=1"], "did you mean threshold_mS_cm?"),
        (["--set", "seed=x"], "--set: seed: must be a whole number"),
        (["--set", "seed=-1"], "seed -1: must be from 0"),
        (["--set", "mobile=Mg"], "mobile species 'Mg' is not supported"),
        (["--set", "disorder=maybe"], "disorder: 'maybe'; use one of"),
        (["--set", "policy.min_full_framework=3"], "min_full_framework 3.0: must be from 0 to 1"),
        (["--set", "families=acsf"], "no descriptor family 'acsf'; choose from isolated_anions"),
        (["--set", "families=density"], "the ranking needs 'isolated_anions'"),
        (["--threshold-mS-cm", "0"], "threshold_mS_cm 0: must be positive"),
        (["--settings", "absent.yaml"], "absent.yaml: cannot be read"),
    ],
)
def test_a_wrong_setting_writes_nothing(
    folder: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = run("screen", folder, "--out", tmp_path / "out", *arguments)
    assert done.exit_code != 0
    assert message in str(done.exception)
    assert not (tmp_path / "out" / "ranking.csv").exists()


def test_filters_are_written_out_and_read_back() -> None:
    options = ScreenSettings(filters="default").settled()
    again = resolved(ScreenSettings, [Layer("file", {"filters": list(options.filters or ())})])
    assert again.chosen_filters == default_filters("Li") == options.chosen_filters
    rows = [one.as_dict() for one in default_filters("Na")]
    assert parse_filters({"filters": rows}, "x", "Na") == default_filters("Na")


def test_ingest_takes_and_writes_settings(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "own.toml").write_text('disorder = "ordered"\nlicence = "CC0"\n')
    options = ["--settings", tmp_path / "own.toml", "--set", "licence=CC BY 4.0"]
    done = run("ingest", folder, "--out", tmp_path / "a", *options, "--json")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["counts"]["quarantined_policy"] == 1
    used = yaml.safe_load((tmp_path / "a" / "settings.yaml").read_text())
    assert (used["disorder"], used["licence"]) == ("ordered", "CC BY 4.0")
    again = run(
        "ingest", folder, "--out", tmp_path / "b", "--settings", tmp_path / "a" / "settings.yaml"
    )
    assert again.exit_code == 0, again.output
    assert content(tmp_path / "b") == content(tmp_path / "a")


def test_generate_lists_makes_and_repeats(folder: Path, tmp_path: Path) -> None:
    listed = json.loads(run("generate", "--list", "--json").stdout)["prototypes"]
    assert {"argyrodite-F43m", "LiTi2P3O12-R3c"} <= {p["name"] for p in listed}
    name = folder / "Li8TiS6_hcp.cif"
    options = ["--elements", "Ge,Se", "--set", "max_substitutions=1", "--json"]
    done = run("generate", "--prototype", name, "--out", tmp_path / "a", *options)
    assert done.exit_code == 0, done.output
    facts = json.loads(done.stdout)
    assert facts["counts"]["candidates"] == 2
    assert {p.name for p in (tmp_path / "a").glob("*.cif")} == {
        "Li8TiS6-hcp_Li8GeS6.cif",
        "Li8TiS6-hcp_Li8TiSe6.cif",
    }
    settings = tmp_path / "a" / "settings.yaml"
    again = run("generate", "--prototype", name, "--out", tmp_path / "b", "--settings", settings)
    assert again.exit_code == 0, again.output
    assert content(tmp_path / "b") == content(tmp_path / "a")
    none = run("generate", "--prototype", name, "--out", tmp_path / "c", "--elements", "Na")
    assert none.exit_code != 0
    assert "no candidate: all" in str(none.exception)
    missing = run("generate", "--out", tmp_path / "d")
    assert "give --prototype and --out" in str(missing.exception)
