"""The page of a campaign: what it says, and that nothing in it can run or leave the machine."""

import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

import campaigns
from ionsieve.screening.campaign import setup as campaign_setup
from ionsieve.screening.campaign.collection import collect
from ionsieve.screening.campaign.loop import propose, retrain, stop
from ionsieve.screening.campaign.plots import Forecast, accuracy_plot, cost_plot, forecast_plot
from ionsieve.screening.campaign.setup import init_campaign
from ionsieve.screening.campaign.status import report
from ionsieve.screening.campaign.store import CampaignStore
from ionsieve.screening.campaign.submission import submit
from ionsieve.screening.engines.registry import ENGINES

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(2)<'


class Page(HTMLParser):
    """Tags, attributes and text of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def turned(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A campaign after one round, one retraining, and the proposal of a second round."""
    base = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(ENGINES, "walk", campaigns.walk_engine())
        patch.setattr(campaign_setup, "embedded_model", campaigns.light_model)
        cifs = campaigns.write_cifs(base / "cifs")
        for name in campaigns.CELLS:
            (cifs / f"{name}.cif").rename(cifs / f"{name}{HOSTILE}.cif")
        settings = campaigns.settings()
        marked = replace(
            settings, protocol=replace(settings.protocol, demonstration=True, max_temperatures=1)
        )
        init_campaign(base / "study", [cifs], marked)
        propose(base / "study")
        submit(base / "study", run=True)
        collect(base / "study")
        retrain(base / "study", with_demonstration=True)
        propose(base / "study", size=1)
    return base / "study"


@pytest.fixture
def folder(turned: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    return Path(shutil.copytree(turned, tmp_path / "study"))


def page_of(folder: Path) -> Page:
    report(folder)
    return Page((folder / "report" / "report.html").read_text("utf-8"))


def test_hostile_names_are_text(folder: Path) -> None:
    stop(folder, f"enough {HOSTILE}")
    page = page_of(folder)
    # The names are shown as they are, and none of them became a tag or an attribute.
    with CampaignStore(folder) as store:
        names = {job.candidate_id for job in store.jobs()}
    assert len(names) == 3
    for name in names:
        assert name.endswith(HOSTILE)
        assert name in page.text
    assert f"enough {HOSTILE}" in page.text
    assert not {"script", "img", "iframe", "object", "link", "base", "form"} & set(page.tags)
    assert not [name for name, _ in page.attributes if name.startswith("on")]


def test_page_needs_nothing_else(folder: Path) -> None:
    page = page_of(folder)
    contents = [value for name, value in page.attributes if name == "content"]
    assert any(value and value.startswith("default-src 'none'") for value in contents)
    assert not [name for name, _ in page.attributes if name in ("src", "href", "action", "data")]
    assert "url(" not in (folder / "report" / "report.html").read_text("utf-8")


def test_page_says_what_was_bought_and_why(folder: Path) -> None:
    page = page_of(folder)
    with CampaignStore(folder) as store:
        rounds, jobs, results = store.rounds(), store.jobs(), store.results()
    assert [len(entry["picks"]) for entry in rounds] == [2, 1]
    for job in jobs:
        assert job.id in page.text
    for result in results:
        assert result.details["reason"] in page.text
    for entry in rounds:
        assert entry["decision"]["reason"] in page.text
        for pick in entry["picks"]:
            assert pick["candidate"] in page.text
            assert f"{pick['score']:.2f}".replace("-", "−") in page.text
    assert "demonstration" in page.text
    # One value a job came back, and the model that chose it had said something of each.
    assert f"{len(results)} values: mean error" in page.text
    assert page.tags.count("svg") == 4


def test_model_of_another_version_is_said_not_hidden(folder: Path) -> None:
    (folder / "models" / "000" / "model.json").write_text("{}")
    page = page_of(folder)
    assert "2 labels are not shown" in page.text


def test_fresh_campaign_has_a_page(folder: Path, tmp_path: Path) -> None:
    with CampaignStore(folder) as store:
        settings, candidates = store.settings(), store.candidates()
    new = tmp_path / "new"
    new.mkdir()
    with CampaignStore.create(new, settings, candidates) as store, store.transaction() as t:
        t.add_model("models/000", "embedded", {"n_labels": 7, "n_campaign_labels": 0})
    page = page_of(new)
    assert "Nothing has been proposed yet" in page.text
    assert "no held-out scores kept" in page.text


def forecast(predicted: float, value: float | None, upper: float | None = None) -> Forecast:
    return Forecast(
        name="job",
        temperature_K=1000.0,
        predicted=predicted,
        low=predicted - 1,
        high=predicted + 1,
        value=value,
        upper=upper,
        demonstration=False,
    )


def test_label_as_expected_lies_on_the_diagonal() -> None:
    chart = forecast_plot([forecast(-3.0, -3.0), forecast(-1.0, -5.0), forecast(0.0, None, -2.0)])
    assert chart is not None
    (x1, y1, x2, y2) = chart.lines[0]
    on, below, bound = chart.marks
    share = (on.x - x1) / (x2 - x1)
    assert on.y == pytest.approx(y1 + share * (y2 - y1), abs=0.2)
    # Found below what was expected: further down, where pixels are larger.
    assert below.y > y1 + (below.x - x1) / (x2 - x1) * (y2 - y1)
    assert [m.css for m in chart.marks] == ["value", "value", "bound"]
    assert "found below -2.00" in bound.title


def test_plots_without_content_are_left_out() -> None:
    assert forecast_plot([]) is None
    assert accuracy_plot([{}, {"leave_group_out": [None, None, None]}]) is None
    assert cost_plot([{"round": 1, "estimated": 0.0, "used": 0.0}]) is None


def test_bars_are_in_proportion() -> None:
    chart = cost_plot(
        [
            {"round": 1, "estimated": 10.0, "used": 40.0},
            {"round": 2, "estimated": 20.0, "used": 0.0},
        ]
    )
    assert chart is not None
    first, second = chart.bars
    assert first.used == pytest.approx(4 * first.estimated, rel=0.01)
    assert second.estimated == pytest.approx(2 * first.estimated, rel=0.01)
