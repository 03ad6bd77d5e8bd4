"""From a screen to a campaign: the flagged candidates, their structures found again."""

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

import campaigns
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.embedded.experiment import load_experiment_structures
from ionsieve.data.errors import InputError
from ionsieve.screening.campaign import setup as campaign_setup
from ionsieve.screening.campaign.from_screen import ScreenChoice, screened_candidates
from ionsieve.screening.campaign.loop import propose
from ionsieve.screening.campaign.setup import init_campaign
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.results.write import write_screen
from ionsieve.screening.screen.options import ScreenSettings
from ionsieve.screening.screen.pipeline import run_screen

FLAGS = {
    "LiI": "uncertain;out_of_domain",
    "LiBr": "",
    "LiF": "out_of_domain",
    "LiCl": "uncertain",
}
"""In the order of the ranking."""


@pytest.fixture(scope="module")
def crystals(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return campaigns.write_cifs(tmp_path_factory.mktemp("crystals") / "cifs")


@pytest.fixture
def screen(crystals: Path, tmp_path: Path) -> Path:
    """What ``ionsieve screen`` leaves, as far as a campaign reads it."""
    cifs = shutil.copytree(crystals, tmp_path / "cifs")
    folder = tmp_path / "screen"
    folder.mkdir()
    run = {"inputs": [str(cifs)], "settings": {"mobile": "Li", "disorder": "occupancy"}}
    (folder / "run.json").write_text(json.dumps(run))
    pd.DataFrame({"id": list(FLAGS), "flags": list(FLAGS.values())}).to_parquet(
        folder / "ranking.parquet"
    )
    return folder


def chosen(folder: Path, **choice) -> list[str]:
    found = screened_candidates(ScreenChoice(folder, **choice), [], "Li", lambda *_: None)
    return [record.id for record in found]


def test_flagged_candidates_come_in_the_order_of_the_ranking(screen: Path) -> None:
    assert chosen(screen) == ["LiI", "LiF", "LiCl"]
    assert chosen(screen, flags=("uncertain",)) == ["LiI", "LiCl"]
    assert chosen(screen, top=1) == ["LiI"]


def test_inputs_that_moved_can_be_named(screen: Path, tmp_path: Path) -> None:
    moved = (tmp_path / "cifs").rename(tmp_path / "elsewhere")
    with pytest.raises(InputError, match="name the inputs"):
        chosen(screen)
    found = screened_candidates(ScreenChoice(screen), [moved], "Li", lambda *_: None)
    assert [r.id for r in found] == ["LiI", "LiF", "LiCl"]


def test_structure_that_is_gone_is_named(screen: Path, tmp_path: Path) -> None:
    (tmp_path / "cifs" / "LiF.cif").unlink()
    with pytest.raises(InputError, match=r"1 of 3 candidates .* the first is LiF"):
        chosen(screen)


@pytest.mark.parametrize(
    ("choice", "mobile", "words"),
    [
        ({"flags": ("fast",)}, "Li", "flags in this screen: out_of_domain, uncertain"),
        ({}, "Na", "screened for Li; give --mobile Li"),
    ],
)
def test_wrong_choice_says_what_there_is(screen: Path, choice, mobile: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        screened_candidates(ScreenChoice(screen, **choice), [], mobile, lambda *_: None)


@pytest.mark.parametrize("content", ["", "[]", '{"inputs": []}', "no json"])
def test_folder_that_holds_no_screen(screen: Path, content: str) -> None:
    (screen / "run.json").write_text(content)
    with pytest.raises(InputError, match="holds no finished screen"):
        chosen(screen)


def test_campaign_from_a_screen(
    screen: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    monkeypatch.setattr(campaign_setup, "embedded_model", campaigns.light_model)
    choice = ScreenChoice(screen, ("uncertain",))
    counts = init_campaign(tmp_path / "study", [], campaigns.settings(), screen=choice)
    assert counts == {"candidates": 2, "quarantined": 0, "known": 0}
    with CampaignStore(tmp_path / "study") as store:
        assert {c.id for c in store.candidates()} == {"LiI", "LiCl"}


def test_the_shortlist_of_a_screen_is_the_batch_of_its_campaign(
    crystals: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the structures to the job folders, with nothing written by hand between."""
    cifs = shutil.copytree(crystals, tmp_path / "cifs")
    # Of the experiment table: ranked, and not proposed.
    measured = next(r for r in load_experiment_structures() if r.id == "9lo")
    to_pymatgen(measured).to(filename=str(cifs / "measured.cif"))
    options = ScreenSettings(families=("density", "isolated_anions"), follow_up=3, workers=1)
    result = run_screen([cifs], options, cache=tmp_path / "models")
    write_screen(result, tmp_path / "screen", [str(cifs)])
    ranking = pd.read_csv(tmp_path / "screen" / "ranking.csv").set_index("id")
    listed = ranking["follow_up"].dropna().sort_values()
    assert listed.tolist() == [1, 2, 3]
    assert "measured" not in listed.index
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    monkeypatch.setattr(campaign_setup, "embedded_model", campaigns.light_model)
    study = tmp_path / "study"
    choice = ScreenChoice(tmp_path / "screen", ("follow_up",))
    counts = init_campaign(study, [], campaigns.settings(batch_size=3), screen=choice)
    assert counts == {"candidates": 3, "quarantined": 0, "known": 0}
    proposed = propose(study)
    with CampaignStore(study) as store:
        assert {job.candidate_id for job in store.jobs()} == set(listed.index)
    assert len(list((study / "jobs").iterdir())) == len(listed), proposed
