"""A screen from files to output: everything is ranked or quarantined, and the page is safe."""

import html.parser
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.records import StructureRecord
from ionsieve.screening.results.write import run_facts, write_nothing, write_screen
from ionsieve.screening.screen.options import ScreenSettings
from ionsieve.screening.screen.pipeline import NothingToRank, ScreenResult, run_screen
from ionsieve.screening.screen.ranking import RANKING_COLUMNS
from pool import crystals

FAMILIES = ("isolated_anions", "density")
HOSTILE = "<img src=x onerror=alert(1)>&'\""


def _write(folder: Path) -> None:
    lithium_sulfide = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.719), ["Li", "S"], [[0.25, 0.25, 0.25], [0, 0, 0]]
    )
    argyrodite = Structure.from_spacegroup(
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
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    alloy = Structure(Lattice.cubic(3.2), ["Li", "Mg"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    lithium_sulfide.to(filename=str(folder / f"{HOSTILE}.vasp"), fmt="poscar")
    for name, structure in (("Li6PS5Cl", argyrodite), ("NaCl", salt), ("LiMg", alloy)):
        structure.to(filename=str(folder / f"{name}.vasp"), fmt="poscar")
    (folder / "broken.cif").write_text("data_\nloop_\n")


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> tuple[ScreenResult, Path]:
    folder = tmp_path_factory.mktemp("input")
    _write(folder)
    return run_screen([folder], ScreenSettings(families=FAMILIES)), folder


@pytest.fixture(scope="module")
def written(
    result: tuple[ScreenResult, Path], tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict]:
    out = tmp_path_factory.mktemp("out")
    return out, write_screen(result[0], out, [str(result[1])])


def test_every_input_is_ranked_or_quarantined(result: tuple[ScreenResult, Path]) -> None:
    screen, _ = result
    assert set(screen.ranking["id"]) == {HOSTILE, "Li6PS5Cl"}
    stages = screen.quarantine.set_index("id")["stage"].to_dict()
    assert stages == {"broken": "read", "NaCl": "policy", "LiMg": "roles"}
    assert (screen.quarantine["reason"].str.len() > 0).all()
    expected = {"input": 5, "ranked": 2, "filtered": 0, "quarantined": 3, "with_notes": 0}
    assert screen.counts == expected


def test_classes_of_known_structures(result: tuple[ScreenResult, Path]) -> None:
    table = result[0].ranking.set_index("id")
    assert table.loc["Li6PS5Cl", "isolated_class"] == "framework"
    assert table.loc[HOSTILE, "isolated_class"] == "antistructure"
    assert table.loc["Li6PS5Cl", "isolated_fraction"] == pytest.approx(2 / 6, rel=1e-5)


def test_intervals_and_probabilities_are_consistent(result: tuple[ScreenResult, Path]) -> None:
    table = result[0].ranking
    assert (table["log10_sigma_300K_low"] < table["log10_sigma_300K_S_cm"]).all()
    assert (table["log10_sigma_300K_S_cm"] < table["log10_sigma_300K_high"]).all()
    assert table["p_fast"].between(0, 1).all()
    assert (table["domain_distance"] >= 0).all()


def test_files_hold_the_same_table(written: tuple[Path, dict]) -> None:
    out, run = written
    names = {"ranking.csv", "ranking.parquet", "quarantine.csv", "run.json", "report.html"}
    assert names <= {path.name for path in out.iterdir()}
    table = pd.read_csv(out / "ranking.csv", keep_default_na=False, na_values=[""])
    assert tuple(table.columns) == RANKING_COLUMNS
    parquet = pd.read_parquet(out / "ranking.parquet")
    assert list(parquet["id"]) == list(table["id"])
    assert json.loads((out / "run.json").read_text()) == json.loads(json.dumps(run))
    cost = json.loads((out / "cost.json").read_text())
    assert {"training", "descriptors", "known", "report"} <= set(cost["stages"])
    assert cost["cpu_s"] >= cost["cpu_main_s"] + cost["cpu_workers_s"] > 0
    assert not list(out.glob(".*tmp"))


class _Collector(html.parser.HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))


def test_report_is_self_contained_and_escapes_strangers(written: tuple[Path, dict]) -> None:
    page = (written[0] / "report.html").read_text()
    assert HOSTILE not in page
    assert "&lt;img src=x onerror=alert(1)&gt;" in page
    collector = _Collector()
    collector.feed(page)
    assert "img" not in {tag for tag, _ in collector.tags}
    for _, attributes in collector.tags:
        assert not {"src", "onerror", "onload"} & set(attributes)


def test_the_best_are_drawn_with_net_and_cages(written: tuple[Path, dict]) -> None:
    page = (written[0] / "report.html").read_text()
    assert page.count('<figure class="card"') == 2
    assert "its structure was not kept" not in page
    assert "one conventional cell" in page or "one unit cell" in page
    calibration = pd.read_csv(written[0] / "model_calibration.csv")
    assert set(calibration["left_out"]) == {"leave_material_out", "leave_group_out"}
    assert len(calibration) == 2 * written[1]["model"]["training"]["n_labels"]


def test_as_many_are_drawn_as_asked_for(result: tuple[ScreenResult, Path], tmp_path: Path) -> None:
    for number in (1, 0):
        write_screen(result[0], tmp_path, [str(result[1])], top_structures=number)
        assert (tmp_path / "report.html").read_text().count('<figure class="card"') == number
    # The shortlist keeps its pictures, and every structure can be viewed.
    assert '<div class="thumb"><svg' in (tmp_path / "report.html").read_text()


def test_same_seed_same_bytes_with_any_number_of_workers(
    result: tuple[ScreenResult, Path], written: tuple[Path, dict], tmp_path: Path
) -> None:
    again = run_screen([result[1]], ScreenSettings(families=FAMILIES, workers=2))
    write_screen(again, tmp_path, [str(result[1])])
    for name in sorted({path.name for path in tmp_path.iterdir()} - {"run.json", "cost.json"}):
        assert (tmp_path / name).read_bytes() == (written[0] / name).read_bytes()


def test_the_cached_model_gives_the_same_bytes(
    result: tuple[ScreenResult, Path], tmp_path: Path
) -> None:
    settings = ScreenSettings(families=FAMILIES)
    first = run_screen([result[1]], settings, cache=tmp_path)
    second = run_screen([result[1]], settings, cache=tmp_path)
    assert (first.trained.from_cache, second.trained.from_cache) == (False, True)
    pd.testing.assert_frame_equal(first.ranking, second.ranking, check_exact=True)
    write_screen(first, tmp_path / "first", [])
    write_screen(second, tmp_path / "second", [])
    for path in set((tmp_path / "first").iterdir()) - {tmp_path / "first" / "cost.json"}:
        assert (tmp_path / "second" / path.name).read_bytes() == path.read_bytes()
    pd.testing.assert_frame_equal(first.ranking, result[0].ranking, check_exact=True)


def test_the_hash_of_an_input_is_that_of_its_structures(
    result: tuple[ScreenResult, Path], tmp_path: Path
) -> None:
    def digest() -> str:
        return run_facts(result[0], [str(tmp_path)], "")["input_sha256"][str(tmp_path)]

    (tmp_path / "a.cif").write_text("data_")
    before = digest()
    (tmp_path / "notes.txt").write_text("no structure, such as results of an earlier run")
    assert digest() == before
    (tmp_path / "b.cif").symlink_to("nowhere")
    (tmp_path / "c.cif").mkdir()
    assert digest() != before
    (tmp_path / "a.cif").write_text("data_x")
    assert digest() != before


def test_nothing_to_rank_is_an_error_that_says_why(tmp_path: Path) -> None:
    from ionsieve.data import InputError

    (tmp_path / "broken.cif").write_text("data_\n")
    with pytest.raises(NothingToRank, match=r"1 quarantined, the first .*no atoms") as caught:
        run_screen([tmp_path], ScreenSettings(families=FAMILIES))
    assert isinstance(caught.value, InputError)
    write_nothing(caught.value, tmp_path / "out")
    assert pd.read_csv(tmp_path / "out" / "ranking.csv").empty
    assert list(pd.read_csv(tmp_path / "out" / "quarantine.csv")["id"]) == ["broken"]
    assert list(pd.read_csv(tmp_path / "out" / "funnel.csv")["stage"])[:2] == ["input", "read"]


def test_blocks_leave_no_trace_in_what_is_written(
    result: tuple[ScreenResult, Path],
    written: tuple[Path, dict],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ionsieve.screening.results.write.BLOCK_ROWS", 1)
    assert write_screen(result[0], tmp_path, [str(result[1])]) == written[1]
    for file in sorted(written[0].iterdir()):
        if file.suffix == ".parquet":
            one, many = pd.read_parquet(file), pd.read_parquet(tmp_path / file.name)
            pd.testing.assert_frame_equal(many, one)
        elif file.name != "cost.json":
            assert (tmp_path / file.name).read_bytes() == file.read_bytes(), file.name


def _files(folder: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in folder.iterdir() if p.is_file()}


@pytest.mark.parametrize("cached", [True, False])
def test_candidates_in_blocks_are_one_screen(
    shared_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cached: bool
) -> None:
    """Blocks of seven against one block: crystals of a pool, disordered ones, refused ones."""
    monkeypatch.setattr("ionsieve.screening.screen.describe.FEW", 5)
    pool = list(crystals(shared_data, every=40, element="Li", max_sites=40))[:20]
    disordered = [r for r in load_aimd_structures() if not r.is_ordered][:3]
    metal = StructureRecord.ordered("alloy", 3 * np.eye(3), ["Li", "Mg"], [[0, 0, 0], [0.5] * 3])
    settings = ScreenSettings(families=FAMILIES, disorder="enumerate", timeout_s=600.0)
    for name, size in (("one", 10_000), ("seven", 7)):
        found = run_screen(
            [],
            settings,
            cache=tmp_path / "cache" if cached else None,
            work=tmp_path / f"work-{name}",
            records=[*pool, metal, *disordered],
            block=size,
        )
        assert found.counts["ordered"] == 3
        assert list(found.quarantine["id"]) == ["alloy"]
        write_screen(found, tmp_path / name, [])
        assert found.described.features.is_in_file == (size == 7)
    one, seven = _files(tmp_path / "one"), _files(tmp_path / "seven")
    assert one.keys() == seven.keys()
    for file in one.keys() - {"cost.json"}:
        assert one[file] == seven[file], file
