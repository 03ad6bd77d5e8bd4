"""An explanation agrees with the ranking that it explains, and its files are safe to have."""

import html.parser
import json
import re
import shutil
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Composition, Lattice, Structure

from browser import CHROMIUM, SOFTWARE_WEBGL, browser
from ionsieve.data import InputError, ModelError, StructureRecord
from ionsieve.data.atomic import write_rows_atomic
from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.sources.files import read_one_structure
from ionsieve.data.stability.hull import HullEntry, HullIndex
from ionsieve.data.store.hulls import _COLUMNS as HULL_COLUMNS
from ionsieve.data.store.hulls import _row as hull_row
from ionsieve.data.store.store import HULLS
from ionsieve.features.core.prepared import prepare
from ionsieve.screening.explain import contributions as explain_module
from ionsieve.screening.explain import text as text
from ionsieve.screening.explain.anions import anion_groups, n_ambiguous_bonded, nets
from ionsieve.screening.explain.contributions import Explanation, Neighbour, explain_candidate
from ionsieve.screening.explain.write import safe_name, write_explanation
from ionsieve.screening.results.read import FinishedRun, read_table
from ionsieve.screening.results.write import write_report, write_screen
from ionsieve.screening.screen.options import ScreenSettings
from ionsieve.screening.screen.pipeline import run_screen

FAMILIES = ("isolated_anions", "isolated_net", "density")
HOSTILE = "<img src=x onerror=alert(1)>&'\""
ARGYRODITE_SITES = [
    [0.25, 0.0179, 0.25],
    [0.5, 0.5, 0.5],
    [0.25, 0.25, 0.25],
    [0.6199, 0.6199, 0.6199],
    [0, 0, 0],
]


def argyrodite(species: list[str], a: float) -> Structure:
    return Structure.from_spacegroup("F-43m", Lattice.cubic(a), species, ARGYRODITE_SITES)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> FinishedRun:
    """Four crystals: a known one, an isostructural one, an antistructure of a hostile name, and one
    with partial occupancy."""
    folder = tmp_path_factory.mktemp("explain")
    (folder / "in").mkdir()
    crystals = {
        "Li6PS5Cl": argyrodite(["Li", "P", "S", "S", "Cl"], 9.86),
        "selenide": argyrodite(["Li", "P", "Se", "Se", "I"], 10.6),
        HOSTILE: Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(5.719), ["Li", "S"], [[0.25, 0.25, 0.25], [0, 0, 0]]
        ),
    }
    for name, structure in crystals.items():
        structure.to(filename=str(folder / "in" / f"{name}.vasp"), fmt="poscar")
    partial = argyrodite(["Li", "P", "S", "S", "Br"], 10.0)
    partial.replace_species({"Br": {"Br": 0.75, "Cl": 0.25}})
    partial.to(filename=str(folder / "in" / "mixed.cif"), fmt="cif")
    result = run_screen([folder / "in"], ScreenSettings(families=FAMILIES), cache=folder / "models")
    write_screen(result, folder / "out", [str(folder / "in")], top_structures=3)
    return FinishedRun(folder / "out")


@pytest.fixture(scope="module")
def explained(run: FinishedRun) -> dict[str, tuple[Explanation, StructureRecord]]:
    cache = run.folder.parent / "models"
    return {name: explain_candidate(run, name, cache) for name in run.ranking["id"]}


def test_contributions_lead_from_the_population_to_the_prediction(
    explained: dict[str, tuple[Explanation, StructureRecord]],
) -> None:
    for found, _ in explained.values():
        total = found.population + sum(share.decades for share in found.families)
        assert total == pytest.approx(found.row["log10_sigma_300K_S_cm"], abs=1e-4)
        assert {share.family for share in found.families} <= set(FAMILIES)
        assert len(found.columns) == explain_module.TOP_COLUMNS
        for share in found.columns:
            assert share.quantile is None or 0 <= share.quantile <= 1
            assert (share.value is None) == (share.quantile is None)


def test_flags_and_their_reasons_are_those_of_the_ranking(
    explained: dict[str, tuple[Explanation, StructureRecord]],
) -> None:
    assert any(found.flags for found, _ in explained.values())
    for found, _ in explained.values():
        assert ";".join(found.flags) == found.row["flags"]
        assert all(reasons for reasons in found.flags.values())


def test_the_nearest_structure_is_the_one_the_domain_distance_is_measured_to(
    explained: dict[str, tuple[Explanation, StructureRecord]],
) -> None:
    for found, _ in explained.values():
        distances = [n.distance for n in found.by_features]
        assert distances[0] == pytest.approx(found.row["domain_distance"], abs=2e-3)
        assert distances == sorted(distances)


def test_neighbours_have_measured_labels_with_sources(
    explained: dict[str, tuple[Explanation, StructureRecord]],
) -> None:
    found, _ = explained["Li6PS5Cl"]
    assert found.by_composition[0].distance == 0.0
    assert found.by_composition[0].formula == "Li6PS5Cl"
    for neighbour in (*found.by_features, *found.by_composition):
        assert neighbour.labels
        for label in neighbour.labels:
            bounds = (label.value_S_cm, label.lower_S_cm, label.upper_S_cm)
            assert any(b is not None for b in bounds)
            assert label.doi
            assert label.doi in text.labels_text(Neighbour("", "", 0.0, (label,)))


def test_known_structures_are_said_to_be_known(
    explained: dict[str, tuple[Explanation, StructureRecord]],
) -> None:
    lines = {name: " ".join(text.verdict_lines(found)) for name, (found, _) in explained.items()}
    assert "of the AIMD table itself" in lines["Li6PS5Cl"]
    assert "has the structure type of" in lines["selenide"]
    assert "AIMD table" not in lines[HOSTILE] or "another structure" in lines[HOSTILE]


def test_isolated_anions_of_an_argyrodite(
    explained: dict[str, tuple[Explanation, StructureRecord]],
) -> None:
    found, _ = explained["Li6PS5Cl"]
    assert {(g.element, g.count, g.site_symmetry) for g in found.anions} == {
        ("S", 4, "Td"),
        ("Cl", 4, "Td"),
    }
    assert all(
        g.ewald_site_energy_eV is not None and g.ewald_site_energy_eV < 0 for g in found.anions
    )
    by_element = {net.element: net for net in found.nets}
    assert set(by_element) == {"", "S", "Cl"}
    # 2 (r_Li + r_X), Slater radii 1.45, 1.00, 1.00 Å.
    assert by_element["S"].critical_A == pytest.approx(4.90, rel=1e-9)
    assert by_element["S"].nearest_A == pytest.approx(9.86 / np.sqrt(2), rel=1e-6)


def test_ambiguous_margins_are_said() -> None:
    record = next(r for r in load_aimd_structures() if r.id == "Li5SbS3I2_Pnnm")
    groups = anion_groups(prepare(record, "Li"))
    assert [g.is_ambiguous for g in groups].count(True) == 1
    assert any("ambiguous: 1.15 to 1.40" in text.anion_text(g) for g in groups)
    assert len(nets(prepare(record, "Li"))) == 2
    assert n_ambiguous_bonded(prepare(record, "Li")) >= 0


def test_by_rank_and_by_id(run: FinishedRun) -> None:
    first = run.ranking.iloc[0]
    assert run.find("1")["id"] == run.find(first["id"])["id"] == first["id"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("Li6PS5C1", r"not among the 4 ranked; nearest: Li6PS5Cl"),
        ("SELENIDE", r"nearest: selenide"),
        ("Li6PSe5I", r"nearest: selenide"),
        ("99", r"neither an id nor a rank; 4 are ranked"),
        ("0", r"neither an id nor a rank"),
        ("zzzzzzzz", r"see ranking.csv|nearest"),
    ],
)
def test_an_unknown_id_names_the_nearest(run: FinishedRun, name: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        run.find(name)
    assert "\n" not in str(caught.value)


class _Collector(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_files_of_a_hostile_name(
    explained: dict[str, tuple[Explanation, StructureRecord]], tmp_path: Path
) -> None:
    written = write_explanation(tmp_path, *explained[HOSTILE])
    names = {p.name for p in (tmp_path / "explain").iterdir()}
    assert len(names) == 3
    assert all(re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]*\.(html|svg|cif)", name) for name in names)
    page = written.page.read_text()
    assert HOSTILE not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    collector = _Collector()
    collector.feed(page)
    tags = {tag for tag, _ in collector.tags}
    assert not {"img", "iframe", "object", "embed", "base"} & tags
    # Its own scripts are listed by hash; the data are no script that runs.
    policy = next(a["content"] for t, a in collector.tags if t == "meta" and "http-equiv" in a)
    assert str(policy).count("'sha256-") == 3
    assert [t for t, _ in collector.tags].count("script") == 4
    assert "svg" in tags
    for _, attributes in collector.tags:
        assert not {"src", "onerror", "onload", "onclick"} & set(attributes)
        assert not str(attributes.get("href") or "#").startswith(("http", "//", "java"))
    assert written.picture is not None
    assert HOSTILE not in written.picture.read_text()


def test_stability_has_the_reaction_beside_the_window(run: FinishedRun, tmp_path: Path) -> None:
    """From the energies of the phases that were given with the screen."""
    folder = tmp_path / "run"
    shutil.copytree(run.folder, folder)
    per_eV = 1.0 / 96.485332
    # Enthalpies of formation, kJ/mol (NIST-JANAF): Li2S; that of the argyrodite is made up.
    energies = {"Li": 0.0, "P": 0.0, "S": 0.0, "Cl2": 0.0, "Li2S": -441.41, "LiCl": -408.27,
                "Li3P": -334.0, "Li6PS5Cl": -2000.0}  # fmt: skip

    def entry(formula: str) -> HullEntry:
        composition = Composition(formula)
        energy = energies[formula] * per_eV / composition.num_atoms
        return HullEntry(formula, composition.as_dict(), energy, "given")

    with HullIndex(tmp_path / "index.sqlite") as index:
        index.add([entry(formula) for formula in energies], wanted=True)
        index.place_all(windows=True)
        placed = index.placed("Li6PS5Cl", "given")
    assert placed is not None
    (folder / "store").mkdir()
    write_rows_atomic(folder / "store" / HULLS, [HULL_COLUMNS, hull_row(placed)])
    found, record = explain_candidate(FinishedRun(folder), "Li6PS5Cl", run.folder.parent / "models")
    found.row.update(
        e_above_hull_meV_atom=0.0,
        li_window_low_V=placed.li_window_low_V,
        li_window_high_V=placed.li_window_high_V,
    )
    hull, window, reaction, profile = text.stability_lines(found)
    assert hull == "0 meV/atom above the hull"
    low, high = placed.li_window_low_V, placed.li_window_high_V
    assert window == f"stable from {low:.2f} to {high:.2f} V against Li/Li+"
    assert reaction.startswith("reacts with lithium metal to Li2S + Li3P + LiCl: -")
    assert profile.endswith("Li2S + Li3P + LiCl")
    page = write_explanation(tmp_path, found, record).page.read_text("utf-8")
    assert page.index('<h2 id="stability">') < page.index("reacts with lithium metal to")


def test_stability_is_left_out_where_nothing_is_known(
    explained: dict[str, tuple[Explanation, StructureRecord]], tmp_path: Path
) -> None:
    found, record = explained["selenide"]
    assert text.stability_lines(found) == []
    assert "Stability" not in write_explanation(tmp_path, found, record).page.read_text("utf-8")
    endless = replace(found, row={**found.row, "li_window_low_V": 0.0, "li_window_high_V": np.inf})
    assert text.stability_lines(endless) == [
        "stable from 0.00 V upwards, without a limit, against Li/Li+"
    ]


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
@pytest.mark.parametrize("width", [1440, 390])
def test_the_page_turns_fits_and_has_no_serious_fault(
    explained: dict[str, tuple[Explanation, StructureRecord]], tmp_path: Path, width: int
) -> None:
    written = write_explanation(tmp_path, *explained["Li6PS5Cl"])
    with browser(*SOFTWARE_WEBGL, width=width) as opened:
        opened.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=width < 500,
        )  # fmt: skip
        opened.open(written.page)
        assert opened.run("document.documentElement.scrollWidth") == width
        assert opened.run("document.documentElement.dataset.viewer") in ("webgl", "flat")
        before = opened.screenshot()
        opened.run("document.querySelector('[data-part=points]').click()")
        opened.settle()
        assert opened.screenshot() != before
        assert opened.requests() == []
        assert opened.complaints() == []
        axe = files(pytest.importorskip("axe_core_python")).joinpath("axe.min.js")
        opened.run(axe.read_text("utf-8") + "; 0")
        found = opened.run("axe.run().then(r => r.violations.map(v => [v.impact, v.id]))")
        assert [v for v in found if v[0] in ("serious", "critical")] == []


def test_safe_names_stay_apart_and_inside_the_folder() -> None:
    hostile = [
        "../../etc/passwd",
        "/abs",
        "a/b",
        "a\\b",
        "..",
        ".",
        "",
        "a b",
        "a_b",
        "x" * 300,
        "é",
        "\0",
    ]
    names = [safe_name(name) for name in hostile]
    assert len(set(names)) == len(hostile)
    for name in names:
        assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}", name), name
    assert safe_name("mp-28828") == "mp-28828"


def test_the_structure_file_is_the_structure(
    explained: dict[str, tuple[Explanation, StructureRecord]], tmp_path: Path
) -> None:
    """It is what the command for AIMD is given."""
    for found, record in explained.values():
        written = write_explanation(tmp_path, found, record)
        again = read_one_structure(written.structure)
        assert again.composition == pytest.approx(record.composition, rel=1e-9)
        assert again.volume_A3 == pytest.approx(record.volume_A3, rel=1e-7)
        assert str(written.structure) in text.next_lines(found, str(written.structure))[1]


def test_an_explanation_is_json_and_the_same_each_time(
    run: FinishedRun, explained: dict[str, tuple[Explanation, StructureRecord]], tmp_path: Path
) -> None:
    for found, _ in explained.values():
        json.dumps(found.as_dict(), allow_nan=False)
    found, record = explained["selenide"]
    again, _ = explain_candidate(FinishedRun(run.folder), "selenide", run.folder.parent / "models")
    assert again.as_dict() == found.as_dict()
    first, second = (write_explanation(tmp_path / d, found, record) for d in "ab")
    pages = [w.page.read_text().replace(f"/{d}/", "/") for w, d in ((first, "a"), (second, "b"))]
    assert pages[0] == pages[1]


def test_another_model_than_the_runs_is_refused(
    run: FinishedRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(explain_module, "model_key", lambda *_: "0" * 16)
    with pytest.raises(InputError, match=r"was ranked by model .* trains 0000.*screen again"):
        explain_candidate(run, "1", None)


def test_a_prediction_that_does_not_agree_is_refused(run: FinishedRun, tmp_path: Path) -> None:
    """Descriptors and ranking of two runs in one folder."""
    for file in run.folder.iterdir():
        if file.is_file():
            (tmp_path / file.name).write_bytes(file.read_bytes())
    features = pd.read_parquet(tmp_path / "features.parquet")
    features["id"] = features["id"].to_numpy()[::-1]
    features.to_parquet(tmp_path / "features.parquet", index=False)
    with pytest.raises(ModelError, match="screen again"):
        explain_candidate(FinishedRun(tmp_path), "1", run.folder.parent / "models")


def test_explanations_of_a_replaced_ranking_go(tmp_path: Path) -> None:
    folder, out = tmp_path / "in", tmp_path / "out"
    folder.mkdir()
    argyrodite(["Li", "P", "S", "S", "Cl"], 9.86).to(filename=str(folder / "a.vasp"), fmt="poscar")
    result = run_screen([folder], ScreenSettings(families=FAMILIES), cache=tmp_path / "models")
    write_screen(result, out, [str(folder)], top_structures=0)
    write_explanation(out, *explain_candidate(FinishedRun(out), "1", tmp_path / "models"))
    (out / "explain" / "notes.txt").write_text("mine")
    assert len(list((out / "explain").iterdir())) == 4
    write_screen(result, out, [str(folder)], top_structures=0)
    assert [p.name for p in (out / "explain").iterdir()] == ["notes.txt"]


def test_the_report_is_made_again_byte_for_byte(run: FinishedRun) -> None:
    page = run.folder / "report.html"
    before = page.read_bytes()
    page.unlink()
    write_report(run.folder, FinishedRun(run.folder).facts)
    assert page.read_bytes() == before


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("run.json", None, "no finished screen"),
        ("run.json", "{", "run.json: damaged"),
        ("run.json", "{}", "not written by 'ionsieve screen'"),
        ("ranking.csv", "rank\n1\n", "is not the ranking of run.json"),
        ("ranking.parquet", "x", "ranking.parquet: absent or damaged"),
        ("optimade.jsonl", None, "optimade.jsonl: absent"),
        ("funnel.csv", None, "funnel.csv: absent or damaged"),
    ],
)
def test_a_damaged_run_is_named(
    run: FinishedRun, tmp_path: Path, file: str, content: str | None, message: str
) -> None:
    for one in run.folder.iterdir():
        if one.is_file():
            (tmp_path / one.name).write_bytes(one.read_bytes())
    if content is None:
        (tmp_path / file).unlink()
    else:
        (tmp_path / file).write_text(content)
    before = (tmp_path / "report.html").read_bytes()
    with pytest.raises(InputError, match=message):
        write_report(tmp_path, FinishedRun(tmp_path).facts)
    assert (tmp_path / "report.html").read_bytes() == before


def test_ids_that_look_like_numbers_stay_text(tmp_path: Path) -> None:
    (tmp_path / "quarantine.csv").write_text("id,file,stage,reason\n007,,read,NA\n1e5,,read,null\n")
    table = read_table(tmp_path / "quarantine.csv")
    assert table.to_dict("list") == {
        "id": ["007", "1e5"],
        "file": ["", ""],
        "stage": ["read", "read"],
        "reason": ["NA", "null"],
    }
