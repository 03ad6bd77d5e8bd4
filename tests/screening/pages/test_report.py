"""The page: what it says, that strangers' text stays text, and that a browser agrees."""

import hashlib
import html.parser
import json
import re
from collections.abc import Iterator
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest

from browser import CHROMIUM, NO_WEBGL, SOFTWARE_WEBGL, Page, browser
from ionsieve.data.records import StructureRecord
from ionsieve.models.selfcheck import HELD_OUT_COLUMNS
from ionsieve.screening.pages.plots import LEVELS, build_parity, observed_coverage
from ionsieve.screening.pages.report import (
    CALIBRATION_COLUMNS,
    ReportData,
    calibration_frame,
    content_security_policy,
    render_report,
    top_scenes,
    verdicts,
)
from ionsieve.screening.pages.view import formula_html, json_for_script
from ionsieve.screening.screen.ranking import RANKING_COLUMNS

HOSTILE = [
    '<img src="http://example.org/x" onerror="window.pwned=1">',
    '"><script>window.pwned=1</script>',
    "</script><script>window.pwned=1</script><!--<script>",
    "' onmouseover='window.pwned=1",
    "</style></svg><svg onload=window.pwned=1>",
    "javascript:window.pwned=1//${7*7}{{7*7}}{% raw %}\u2028",
]
N_ROWS = 40


def argyrodite(name: str) -> StructureRecord:
    """Li6PS5Cl, F-43m, lithium on 24g: isolated S and Cl."""
    from pymatgen.core import Lattice, Structure

    from ionsieve.data.convert import from_pymatgen

    structure = Structure.from_spacegroup(
        "F-43m",
        Lattice.cubic(10.2795),
        ["Li", "P", "S", "S", "Cl"],
        [
            [0.25, 0.0179, 0.25],
            [0.5, 0.5, 0.5],
            [0.25, 0.25, 0.25],
            [0.6199, 0.6199, 0.6199],
            [0, 0, 0],
        ],
    )
    return from_pymatgen(structure, name)


def antifluorite(name: str) -> StructureRecord:
    """Li2S in its primitive cell."""
    lattice = 2.855 * np.array([(0, 1, 1), (1, 0, 1), (1, 1, 0)], dtype=float)
    frac = np.array([(0, 0, 0), (0.25, 0.25, 0.25), (0.75, 0.75, 0.75)])
    return StructureRecord.ordered(name, lattice, ["S", "Li", "Li"], frac)


def ranking() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    centre = np.sort(rng.uniform(-6, 0, N_ROWS))[::-1]
    half = rng.uniform(1, 4, N_ROWS)
    ids = [HOSTILE[k] if k < len(HOSTILE) else f"id-{k}" for k in range(N_ROWS)]
    flags = ["", "uncertain", "uncertain;out_of_domain", "novel_mechanism", HOSTILE[3]]
    table = pd.DataFrame(
        {
            "rank": np.arange(1, N_ROWS + 1),
            "id": ids,
            "formula": [HOSTILE[0] if k == 7 else f"Li{k + 2}PS5.5" for k in range(N_ROWS)],
            "log10_sigma_300K_S_cm": centre,
            "log10_sigma_300K_low": centre - half,
            "log10_sigma_300K_high": centre + half,
            "p_fast": np.linspace(0.97, 0.02, N_ROWS),
            "domain_distance": rng.uniform(0, 3, N_ROWS),
            "isolated_class": [
                ("framework", "antistructure", "none")[k % 3] for k in range(N_ROWS)
            ],
            "isolated_fraction": rng.uniform(0, 1, N_ROWS),
            "known_formula": [k % 5 == 0 for k in range(N_ROWS)],
            "flags": [flags[k % 5] for k in range(N_ROWS)],
            "source": ids,
        }
    )
    return table.reindex(columns=list(RANKING_COLUMNS))


def held_out(n: int = 60) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    parts = []
    for way in ("leave_material_out", "leave_group_out"):
        label = rng.uniform(-6, 0, n)
        centre, half = label + rng.normal(0, 1, n), rng.uniform(1.5, 2.5, n)
        lower = np.where(np.arange(n) % 5 == 0, np.nan, label)
        values = (way, [HOSTILE[k % 6] for k in range(n)], 600.0, lower, label, centre)
        columns = dict(zip(HELD_OUT_COLUMNS, (*values, centre - half, centre + half), strict=True))
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)


def run_facts() -> dict:
    score = {"mae": [1.4, 1.1, 1.8], "spearman": [0.4, 0.1, 0.6], "coverage": [0.94, 0.87, 1.0]}
    naive = {"mae": [1.3, 1.0, 1.6], "spearman": [0.6, 0.4, 0.8], "coverage": [None, None, None]}
    return {
        "inputs": HOSTILE,
        "settings": {
            "mobile": "Li",
            "seed": 0,
            "threshold_S_cm": 1e-3,
            "flags": {
                "crossing": 0.2,
                "out_of_domain": 1.5,
                "disagreement_log10": 1.0,
            },
        },
        "versions": {"ionsieve": "0.1.0"},
        "counts": {"input": 60, "ranked": N_ROWS, "filtered": 0, "quarantined": 6},
        "isolated_class_counts": {"framework": 14, "antistructure": 13, "none": 13},
        "flag_counts": {"uncertain": 16, HOSTILE[1]: 8},
        "model": {
            "coverage": 0.9,
            "label_mobile": "Li",
            "training": {
                "n_labels": 96,
                "n_bounds": 23,
                "n_structures": 60,
                "temperature_min_K": 300.0,
                "temperature_max_K": 1500.0,
            },
            "held_out": {"leave_group_out": {"model": score, "temperature only": naive}},
        },
    }


@pytest.fixture(scope="module")
def data() -> ReportData:
    table = ranking()
    records = [argyrodite(table["id"][0]), antifluorite(table["id"][1])]
    scenes, undrawn = top_scenes(records, list(table["id"][:3]), "Li")
    entries = [
        (text, text, "read", f"{text}: no atoms in line {k}") for k, text in enumerate(HOSTILE)
    ]
    funnel = [("input", 60, 0, "given"), (HOSTILE[2], 46, 14, HOSTILE[0]), ("roles", 40, 6, "none")]
    return ReportData(
        table,
        pd.DataFrame(funnel, columns=["stage", "kept", "dropped", "reason"]),
        pd.DataFrame(entries, columns=["id", "file", "stage", "reason"]),
        run_facts(),
        calibration_frame(held_out()),
        scenes,
        undrawn,
    )


@pytest.fixture(scope="module")
def text(data: ReportData) -> str:
    return render_report(data)


class _Collector(html.parser.HTMLParser):
    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.open = False
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.open = tag == "script"
        if self.open:
            self.scripts.append("")

    def handle_endtag(self, tag: str) -> None:
        self.open = False

    def handle_data(self, data: str) -> None:
        if self.open:
            self.scripts[-1] += data


def test_strangers_text_makes_no_element_and_no_attribute(text: str) -> None:
    found = _Collector(text)
    assert not {"img", "iframe", "object", "embed", "base"} & {tag for tag, _ in found.tags}
    for tag, attributes in found.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert "src" not in attributes
        for target in filter(None, [attributes.get("href")]):
            assert tag in ("a", "link")
            assert re.fullmatch(r"#[a-z]+|data:,|[a-z_]+\.(csv|json)", target)
    for hostile in HOSTILE[:5]:
        assert hostile not in text


def test_only_the_scripts_of_the_policy_are_there(text: str) -> None:
    found = _Collector(text)
    policy = next(a["content"] for t, a in found.tags if t == "meta" and "http-equiv" in a)
    data, *scripts = found.scripts
    assert json.loads(data)
    assert policy == content_security_policy(scripts)
    assert len(scripts) == 3
    assert policy.startswith("default-src 'none';")
    assert "unsafe-eval" not in policy


def test_the_viewer_is_the_published_one() -> None:
    """3Dmol.js 2.5.5, build/3Dmol-min.js of the npm package, unchanged."""
    library = files("ionsieve.screening").joinpath("templates", "3Dmol-min.js").read_bytes()
    expected = "f7cc78921ae72e7623e89cdd111434f58c2efddd2ffda1cd212644b406fb8016"
    assert hashlib.sha256(library).hexdigest() == expected
    # What would end a script element early or change between reading and hashing.
    assert not re.search(rb"</script|<!--|\r", library)


def test_same_bytes_each_time(data: ReportData, text: str) -> None:
    assert render_report(data) == text


def test_what_is_not_drawn_says_why(data: ReportData, text: str) -> None:
    assert data.undrawn == {HOSTILE[2]: "its structure was not kept"}
    assert "is not drawn: its structure was not kept" in text
    scenes, undrawn = top_scenes([argyrodite("a")], ["a", "b"], "Na")
    assert scenes == ()
    assert set(undrawn) == {"a", "b"}
    assert "holds no Na" in undrawn["a"]


def test_counts_reasons_and_verdict_are_on_the_page(text: str) -> None:
    assert "46 kept, 14 dropped" in text
    assert "does not beat a guess from the temperature alone" in text
    assert "16 candidates" in text


def test_a_page_without_calibration_or_structures_says_so(data: ReportData) -> None:
    page = render_report(ReportData(data.ranking, data.funnel, data.quarantine, data.run))
    assert "no held-out predictions on file" in page
    assert 'class="card"' not in page


def test_a_page_of_one_row(data: ReportData) -> None:
    page = render_report(
        ReportData(data.ranking.head(1), data.funnel, data.quarantine.head(0), data.run)
    )
    assert page.count("<tr data-rank") == 1
    assert "Quarantine" not in page


@pytest.mark.parametrize(
    ("mae", "naive", "expected"),
    [
        ([1.1, 0.9, 1.3], 1.4, "beats"),
        ([1.1, 0.9, 1.5], 1.4, "cannot be told apart from"),
        ([1.5, 1.1, 1.8], 1.4, "does not beat"),
        ([1.5, None, None], 1.4, "does not beat"),
    ],
)
def test_the_verdict_needs_the_whole_interval(mae: list, naive: float, expected: str) -> None:
    methods = {"model": {"mae": mae}, "temperature only": {"mae": [naive, None, None]}}
    (line,) = verdicts({"leave_group_out": methods})
    assert f"the model {expected} a guess" in line
    assert f"{mae[0]:.2f}" in line


def test_a_naive_method_that_does_as_well_is_named() -> None:
    methods = {
        "model": {"mae": [1.1, 0.9, 1.3]},
        "temperature only": {"mae": [1.4, 1.2, 1.6]},
        "nearest neighbour": {"mae": [1.08, 0.8, 1.4]},
        "group mean": {"mae": [1.2, 0.8, 1.4]},
    }
    (line,) = verdicts({"leave_material_out": methods})
    assert line.endswith("against 1.40 decades; the nearest neighbour does as well (1.08).")


def test_formulas_have_subscripts_and_no_rounding_noise() -> None:
    assert formula_html("Li8SiSe6") == "Li<sub>8</sub>SiSe<sub>6</sub>"
    assert formula_html("Li27.999984Si4") == "Li<sub>28</sub>Si<sub>4</sub>"
    assert formula_html("<b>2</b>") == "&lt;b&gt;<sub>2</sub>&lt;/b&gt;"


def test_json_in_a_script_cannot_end_it() -> None:
    value = {"a": HOSTILE, "b": [1.5, None, "σ & <"]}
    markup = json_for_script(value)
    assert json.loads(markup) == value
    assert not re.search("[<>&\u2028]", markup)


def test_names_in_the_file_carry_the_unit() -> None:
    table = calibration_frame(held_out(3))
    assert list(table.columns) == list(CALIBRATION_COLUMNS.values())
    assert tuple(CALIBRATION_COLUMNS) == HELD_OUT_COLUMNS


def test_labels_from_the_stated_distribution_are_covered_as_stated() -> None:
    from scipy.stats import t

    n = 40_000
    centre = np.zeros(n)
    label = t.rvs(5, size=n, random_state=0)
    half = np.full(n, t.ppf(0.95, 5))
    values = ("x", "a", 300.0, label, label, centre, centre - half, centre + half)
    table = calibration_frame(pd.DataFrame(dict(zip(HELD_OUT_COLUMNS, values, strict=True))))
    np.testing.assert_allclose(observed_coverage(table, 0.9), LEVELS, rtol=0.02)


def test_bounds_are_drawn_as_bounds() -> None:
    sides = [point.side for point in build_parity(calibration_frame(held_out(10))).points]
    assert sides.count("upper") == 4
    assert sides.count("") == 16


needs_browser = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
OFFLINE = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}


@pytest.fixture(scope="module")
def file(text: str, tmp_path_factory: pytest.TempPathFactory):
    path = tmp_path_factory.mktemp("page") / "report <b>&amp;.html"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def page(file) -> Iterator[Page]:
    """The page in a browser with WebGL, cut off from the network."""
    with browser(*SOFTWARE_WEBGL, width=880, height=560) as opened:
        opened.send("Network.emulateNetworkConditions", **OFFLINE)
        opened.open(file)
        yield opened
        # Whatever the tests did, the page asked for nothing and complained about nothing.
        assert opened.requests() == []
        assert opened.complaints() == []
        assert opened.run("typeof window.pwned") == "undefined"


@needs_browser
def test_a_browser_shows_strangers_text_as_text(page: Page) -> None:
    assert page.run("typeof window.pwned") == "undefined"
    assert page.run("document.images.length") == 0
    shown = page.run("[...document.querySelectorAll('#ranking td.id')].map(c => c.textContent)")
    assert shown[: len(HOSTILE)] == HOSTILE


@needs_browser
def test_a_click_on_a_heading_sorts(page: Page) -> None:
    column = "[...document.querySelectorAll('#ranking tbody tr')].map(r => r.cells[{}].textContent)"
    heading = "document.querySelectorAll('#ranking th')[{}].click()"
    start = page.run(column.format(0))
    assert start == [str(k) for k in range(1, N_ROWS + 1)]
    page.run(heading.format(5))
    distance = [float(v) for v in page.run(column.format(5))]
    assert distance == sorted(distance)
    assert page.run(column.format(0)) != start
    page.run(heading.format(5))
    assert [float(v) for v in page.run(column.format(5))] == sorted(distance, reverse=True)
    page.run(heading.format(3))
    sigma = [float(v.replace("−", "-")) for v in page.run(column.format(3))]
    assert sigma == sorted(sigma)
    page.run(heading.format(0))
    assert page.run(column.format(0)) == start


@needs_browser
def test_filters_leave_what_they_say(page: Page, data: ReportData) -> None:
    def choose(name: str, value: str) -> int:
        page.run(
            f"(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('input')); }})"
            f"(document.getElementById('{name}'))"
        )
        return page.run("document.querySelectorAll('#ranking tbody tr:not([hidden])').length")

    flags = data.ranking["flags"]
    assert choose("class", "framework") == (data.ranking["isolated_class"] == "framework").sum()
    assert page.run("document.querySelectorAll('#scatter .off').length") == 26
    assert choose("class", "") == N_ROWS
    assert choose("flag", "-") == (flags == "").sum()
    assert choose("flag", "uncertain") == flags.str.contains("uncertain").sum()
    assert choose("flag", "") == N_ROWS
    assert choose("known", "y") == data.ranking["known_formula"].sum()
    assert choose("known", "") == N_ROWS
    assert choose("filter", "li20ps5.5") == 1
    assert "1 of 40 rows" in page.run("document.getElementById('count').textContent")
    page.run("document.getElementById('clear').click()")
    assert page.run("document.querySelectorAll('#ranking tbody tr:not([hidden])').length") == N_ROWS


@needs_browser
def test_a_structure_turns_when_dragged(page: Page) -> None:
    if page.run("document.documentElement.dataset.viewer") != "webgl":
        pytest.skip("this Chromium has no software WebGL")
    page.run("document.documentElement.style.scrollBehavior = 'auto'")
    page.run("document.getElementById('stage').scrollIntoView()")
    page.settle()
    box = page.box("#view")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = page.screenshot()
    assert page.screenshot() == before
    page.drag(x, y, 120, 40)
    turned = page.screenshot()
    assert turned != before
    page.run(
        "document.getElementById('view')"
        ".dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowRight'}))"
    )
    page.settle()
    assert page.screenshot() != turned
    page.run("document.getElementById('home').click()")
    page.settle()
    # Parts can be hidden, another structure can be chosen.
    shown = page.screenshot()
    page.run("document.querySelector('[data-part=cages]').click()")
    page.settle()
    assert page.screenshot() != shown
    page.run("document.querySelectorAll('#cards .card')[1].click()")
    page.settle()
    assert page.run("document.getElementById('chosen').textContent") == "#2 Li3PS5.5"


@needs_browser
def test_the_wheel_scrolls_past_the_structure_until_it_is_clicked(page: Page) -> None:
    if page.run("document.documentElement.dataset.viewer") != "webgl":
        pytest.skip("this Chromium has no software WebGL")
    wheel = (
        "(() => { const e = new WheelEvent('wheel', {deltaY: 9, bubbles: true, cancelable: true});"
        "document.querySelector('#view canvas').dispatchEvent(e); return e.defaultPrevented; })()"
    )
    point = "document.getElementById('view').dispatchEvent(new PointerEvent('pointer{}'))"
    page.run(point.format("leave"))
    assert page.run(wheel) is False
    page.run(point.format("down"))
    assert page.run(wheel) is True
    page.run(point.format("leave"))
    assert page.run(wheel) is False


@needs_browser
def test_without_webgl_the_still_pictures_are_shown(file) -> None:
    with browser(*NO_WEBGL, width=420) as opened:
        opened.open(file)
        assert opened.run("document.documentElement.dataset.viewer") == "still"
        assert "no WebGL" in opened.run("document.getElementById('hint').textContent")
        assert opened.box("#still svg")["height"] > 200
        assert opened.box("#tools")["height"] == 0
        opened.run("document.querySelectorAll('#cards .card')[1].click()")
        drawn = opened.run("document.querySelector('#still svg title').textContent")
        assert drawn.startswith("Li₂S")
        # Narrow: nothing sticks out sideways.
        assert opened.run("document.documentElement.scrollWidth <= innerWidth")
        assert opened.requests() == []
        assert opened.complaints() == []


@needs_browser
def test_without_scripts_tables_and_pictures_remain(file) -> None:
    with browser(*NO_WEBGL) as opened:
        opened.send("Emulation.setScriptExecutionDisabled", value=True)
        opened.load(file)
        assert opened.count("html.js") == 0
        assert opened.count("noscript p") == 1
        assert opened.count("#ranking tbody tr") == N_ROWS
        assert opened.count("#cards figure svg") == 2
        assert opened.requests() == []


@needs_browser
def test_the_browser_would_notice_a_request_or_an_error(tmp_path) -> None:
    """Otherwise silence would prove nothing."""
    bad = tmp_path / "bad.html"
    bad.write_text("<img src='http://127.0.0.1:9/x.png'><script>missing();</script>")
    with browser(*NO_WEBGL) as opened:
        opened.open(bad)
        assert opened.requests() == ["http://127.0.0.1:9/x.png"]
        assert any("missing is not defined" in line for line in opened.complaints())
