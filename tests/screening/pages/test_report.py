"""The page: what it says, that strangers' text stays text, and that a browser agrees."""

import hashlib
import html.parser
import json
import re
from collections.abc import Iterator
from dataclasses import replace
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
    TABLE_ROWS,
    TEMPERATURE_COLUMNS,
    Quality,
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
LISTED = {1: 1, 4: 2, 30: 3}
"""Row → place in the shortlist."""


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
            "known_relation": ["same" if k in (0, 9) else "" for k in range(N_ROWS)],
            "known_structure": ["a" if k in (0, 9) else "" for k in range(N_ROWS)],
            "flags": [flags[k % 5] for k in range(N_ROWS)],
            "flag_reasons": [HOSTILE[k % 6] if k % 5 else "" for k in range(N_ROWS)],
            "follow_up": pd.array([LISTED.get(k) for k in range(N_ROWS)], dtype="Int64"),
            "follow_up_reason": [HOSTILE[1] if k in LISTED else "" for k in range(N_ROWS)],
            "core_hours": rng.uniform(50, 900, N_ROWS),
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


def known(rank: int, name: str, value: float | None, upper: float | None) -> dict:
    return {
        "id": name, "formula": "Li6PS5Cl", "rank": rank, "p_fast": 0.9, "known_structure": "a",
        "temperature_K": 300.0, "log10_sigma_S_cm": value, "log10_sigma_lower_S_cm": None,
        "log10_sigma_upper_S_cm": upper,
    }  # fmt: skip


def temperatures(ids: list[str]) -> pd.DataFrame:
    rows = [(i, t, -500.0 / t, -700.0 / t, -300.0 / t) for i in ids for t in (300.0, 600.0)]
    return pd.DataFrame(rows, columns=list(TEMPERATURE_COLUMNS))


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
        "follow_up": {
            "n": 3,
            "n_known": 2,
            "expected_fast": 1.7,
            "fast_low": 1,
            "fast_high": 3,
            "core_hours": 1234.0,
            "expected_by_conductivity": 1.9,
            "core_hours_by_conductivity": 2000.0,
            "line_log10_S_cm": -2.1,
            "temperature_K": 1000.0,
            "engine": "gpaw",
        },
        "follow_up_commands": ["ionsieve campaign init STUDY --from DIR", HOSTILE[2]],
        "known": [known(1, HOSTILE[0], -2.0, None), known(10, "id-9", None, -4.0)],
        "landmarks": [
            {
                "name": HOSTILE[0],
                "known": "fast",
                "n": 2,
                "label": -3.0,
                "prediction": -3.5,
                "low": -5.0,
                "high": -2.0,
            },
            {
                "name": "LiF",
                "known": "slow",
                "n": 1,
                "label": None,
                "prediction": -8.0,
                "low": -11.0,
                "high": -5.0,
            },
        ],
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
    records = [argyrodite(table["id"][0]), antifluorite(table["id"][1]), argyrodite("id-30")]
    scenes, undrawn = top_scenes(records, [*table["id"][:3], "id-30"], "Li")
    entries = [
        (text, text, "read", f"{text}: no atoms in line {k}") for k, text in enumerate(HOSTILE)
    ]
    funnel = [("input", 60, 0, "given"), (HOSTILE[2], 46, 14, HOSTILE[0]), ("roles", 40, 6, "none")]
    return ReportData(
        ranking=table,
        funnel=pd.DataFrame(funnel, columns=["stage", "kept", "dropped", "reason"]),
        quarantine=pd.DataFrame(entries, columns=["id", "file", "stage", "reason"]),
        run=run_facts(),
        calibration=calibration_frame(held_out()),
        temperatures=temperatures(list(table["id"][:10])),
        scenes=scenes,
        undrawn=undrawn,
        quality=Quality(text=HOSTILE[0], columns=("set", HOSTILE[1]), rows=((HOSTILE[2], "0.8"),)),
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
    assert len(json.loads(data)["rows"]) == N_ROWS
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
    page = render_report(
        ReportData(
            ranking=data.ranking, funnel=data.funnel, quarantine=data.quarantine, run=data.run
        )
    )
    assert "no held-out predictions on file" in page
    assert "no table of tests against conductors" in page
    assert 'class="card"' not in page


def test_a_page_of_one_row(data: ReportData) -> None:
    run = {**data.run, "known": [], "follow_up": {**data.run["follow_up"], "n": 0}}
    page = render_report(
        ReportData(
            ranking=data.ranking.head(1),
            funnel=data.funnel,
            quarantine=data.quarantine.head(0),
            run={**run, "follow_up_commands": []},
        )
    )
    assert page.count("<tr data-rank") == 1
    assert "<h3>Quarantine</h3>" not in page
    assert "Nothing new to compute" in page
    assert "None of the ranked structures is in the AIMD table" in page


def test_the_first_screen_is_the_shortlist(text: str) -> None:
    """Before any table: what to compute, what to expect, what it costs, how to start."""
    first = text[: text.index('id="explore"')]
    assert "Compute these 3 next" in first
    assert "1.7" in first
    assert "1 to 3" in first
    assert "1,230" in first
    assert "ionsieve campaign init STUDY --from DIR" in first
    assert re.findall(r'<li data-rank="(\d+)"', first) == ["2", "5", "31"]


def test_a_thousand_structures_fit_in_six_megabytes(data: ReportData) -> None:
    """Real structures of the size of a database's: 60 sites in the conventional cell."""
    ids = [f"s{k}" for k in range(TABLE_ROWS)]
    rows = [data.ranking.iloc[[k % N_ROWS]] for k in range(TABLE_ROWS)]
    table = pd.concat(rows, ignore_index=True).assign(id=ids, rank=range(1, TABLE_ROWS + 1))
    table["flags"] = "uncertain"
    scene = top_scenes([argyrodite("s0")], ["s0"], "Li")[0][0]
    scenes = tuple(replace(scene, id=name) for name in ids)
    page = render_report(
        replace(
            data, ranking=table, scenes=scenes, temperatures=temperatures(ids), undrawn={},
            run={**data.run, "known": []},
        )
    )  # fmt: skip
    assert len(page.encode()) < 6_000_000
    assert page.count("<tr data-rank") == TABLE_ROWS


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


def test_landmarks_stand_in_the_page(text: str, data: ReportData) -> None:
    assert "1 of 1 pairs of a fast and a slow one are ordered right" in text
    assert "LiF, known to be slow: predicted -8.00" in text
    without = {**data.run, "landmarks": []}
    assert "Landmarks" not in render_report(replace(data, run=without))


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


HEADINGS = "[...document.querySelectorAll('#ranking th')].map(h => h.textContent)"


def cells(page: Page, heading: str) -> list[str]:
    names = page.run(HEADINGS)
    k = next(k for k, name in enumerate(names) if name.startswith(heading))
    rows = "[...document.querySelectorAll('#ranking tbody tr')]"
    return page.run(f"{rows}.map(r => r.cells[{k}].dataset.v || r.cells[{k}].textContent)")


def press(page: Page, heading: str) -> None:
    k = next(k for k, name in enumerate(page.run(HEADINGS)) if name.startswith(heading))
    page.run(f"document.querySelectorAll('#ranking th')[{k}].click()")


@needs_browser
def test_the_first_click_on_a_heading_sorts_the_useful_way(page: Page) -> None:
    start = cells(page, "rank")
    assert start == [str(k) for k in range(1, N_ROWS + 1)]
    press(page, "domain")
    distance = [float(v) for v in cells(page, "domain")]
    assert distance == sorted(distance)
    assert cells(page, "rank") != start
    press(page, "domain")
    assert [float(v) for v in cells(page, "domain")] == sorted(distance, reverse=True)
    press(page, "log10")
    sigma = [float(v.replace("−", "-")) for v in cells(page, "log10")]
    assert sigma == sorted(sigma, reverse=True)
    press(page, "next")
    assert cells(page, "next")[:4] == ["1", "2", "3", ""]
    press(page, "rank")
    assert cells(page, "rank") == start


def choose(page: Page, name: str, value: str) -> int:
    page.run(
        f"(e => {{ e.value = {json.dumps(value)}; e.dispatchEvent(new Event('input')); }})"
        f"(document.getElementById('{name}'))"
    )
    return page.run("document.querySelectorAll('#ranking tbody tr:not([hidden])').length")


@needs_browser
def test_filters_leave_what_they_say(page: Page, data: ReportData) -> None:
    flags = data.ranking["flags"]
    n_framework = (data.ranking["isolated_class"] == "framework").sum()
    assert choose(page, "class", "framework") == n_framework
    assert page.run("document.querySelectorAll('#scatter .off').length") == 26
    assert choose(page, "class", "") == N_ROWS
    assert choose(page, "flag", "-") == (flags == "").sum()
    assert choose(page, "flag", "+") == (flags != "").sum()
    assert choose(page, "flag", "uncertain") == flags.str.contains("uncertain").sum()
    assert choose(page, "flag", "") == N_ROWS
    assert choose(page, "known-only", "s") == len(LISTED)
    known_rows = data.ranking["known_formula"] | (data.ranking["known_relation"] == "same")
    assert choose(page, "known-only", "y") == known_rows.sum()
    assert choose(page, "known-only", "") == N_ROWS
    assert choose(page, "filter", "li20ps5.5") == 1
    assert "1 of 40 rows" in page.run("document.getElementById('count').textContent")
    assert choose(page, "filter", "element:p") == N_ROWS - 1
    page.run("document.getElementById('clear').click()")
    page.run(
        "document.querySelector('#periodic [data-element=P]').dispatchEvent(new Event('click'))"
    )
    assert page.run("document.getElementById('filter').value") == "element:P"
    page.run("document.getElementById('clear').click()")
    assert choose(page, "filter", "") == N_ROWS


CHOSEN = """({chosen: document.documentElement.dataset.chosen,
  row: document.querySelector('#ranking tr.hit').dataset.rank,
  point: document.querySelector('#scatter .hit').dataset.rank,
  title: document.getElementById('chosen').textContent})"""


@needs_browser
def test_plot_table_and_picture_follow_each_other(page: Page) -> None:
    clicks = {
        "2": "document.querySelector('#scatter [data-rank=\"2\"]')",
        "7": "document.querySelector('#ranking tr[data-rank=\"7\"] td.flags')",
        "1": "document.querySelector('#cards .card')",
        "31": "document.querySelector('#short .pick:last-child')",
    }
    for rank, element in clicks.items():
        page.run(f"{element}.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))")
        page.settle()
        found = page.run(CHOSEN)
        assert [found[k] for k in ("chosen", "row", "point")] == [rank] * 3
        assert found["title"].startswith(f"#{rank} ")
    page.run("document.getElementById('before').click()")
    assert page.run(CHOSEN)["chosen"] == "30"


@needs_browser
def test_a_structure_is_unpacked_when_it_is_chosen(page: Page) -> None:
    """Also one far down the ranking; what is not in the page is said."""
    absent = "!document.getElementById('absent').hidden"
    row = "document.querySelector('#ranking tr[data-rank=\"{}\"]').click()"
    page.run(row.format(31) + "; new Promise(r => setTimeout(r, 400))")
    assert page.run(absent) is False
    assert "P, framework cation" in page.run("document.getElementById('chosen-key').textContent")
    page.run(row.format(12) + "; new Promise(r => setTimeout(r, 400))")
    assert page.run(absent) is True
    assert "not in the page" in page.run("document.getElementById('absent').textContent")


@needs_browser
def test_colours_and_the_arrhenius_sketch(page: Page) -> None:
    colours = "new Set([...document.querySelectorAll('#scatter .pt')].map(p => p.style.color)).size"
    by_class = page.run(colours)
    choose(page, "colour", "p")
    assert page.run(colours) > by_class
    choose(page, "colour", "anion")
    assert "S " in page.run("document.getElementById('legend').textContent")
    choose(page, "colour", "class")
    page.run("document.querySelector('#ranking tr[data-rank=\"1\"]').click()")
    ends = page.run("document.querySelector('#arrhenius .centre').points.length")
    assert ends == 2


@needs_browser
@pytest.mark.parametrize("width", [1440, 390])
def test_nothing_sticks_out_and_id_and_flags_are_seen(file, width: int) -> None:
    with browser(*SOFTWARE_WEBGL, width=width) as opened:
        opened.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        opened.open(file)
        assert opened.run("document.documentElement.scrollWidth") == width
        for selector in ("#ranking tr[data-rank='2'] td.id", "#ranking tr[data-rank='2'] .flag"):
            box = opened.box(selector)
            assert box["width"] > 20
            assert box["x"] >= 0
            assert box["x"] + box["width"] <= width
        assert opened.requests() == []
        assert opened.complaints() == []


@needs_browser
def test_axe_finds_no_serious_fault(file) -> None:
    axe = files(pytest.importorskip("axe_core_python")).joinpath("axe.min.js").read_text("utf-8")
    with browser(*SOFTWARE_WEBGL, width=1440) as opened:
        opened.open(file)
        opened.run(axe + "; 0")
        found = opened.run("axe.run().then(r => r.violations.map(v => [v.impact, v.id, "
                           "v.nodes.slice(0, 3).map(n => n.html.slice(0, 120))]))")  # fmt: skip
        assert [v for v in found if v[0] in ("serious", "critical")] == []


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
        "document.querySelector('#view canvas:not(#still)').dispatchEvent(e);"
        "return e.defaultPrevented; })()"
    )
    point = "document.getElementById('view').dispatchEvent(new PointerEvent('pointer{}'))"
    page.run(point.format("leave"))
    assert page.run(wheel) is False
    page.run(point.format("down"))
    assert page.run(wheel) is True
    page.run(point.format("leave"))
    assert page.run(wheel) is False


@needs_browser
def test_without_webgl_structures_are_drawn_flat(file) -> None:
    with browser(*NO_WEBGL, width=420) as opened:
        opened.open(file)
        assert opened.run("document.documentElement.dataset.viewer") == "flat"
        assert "no WebGL" in opened.run("document.getElementById('hint').textContent")
        opened.run("document.querySelectorAll('#cards .card')[1].click()")
        opened.run("new Promise(r => setTimeout(r, 400))")
        count = (
            "(c => { const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            "let n = 0; for (let k = 3; k < d.length; k += 4) { n += d[k] > 0; } return n; })"
            "(document.getElementById('still'))"
        )
        assert opened.run(count) > 1000
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
        assert opened.count("#short .thumb svg") == 2
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
