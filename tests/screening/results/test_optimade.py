"""The export is served by OPTIMADE's reference server, searched, and ingested back."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import requests

from ionsieve.data import InputError, StructureRecord
from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.formats.entry import with_values
from ionsieve.data.records import reduced_formula
from ionsieve.data.sources.paths import PathSource
from ionsieve.data.store.ingest import ingest
from ionsieve.data.store.open import open_source
from ionsieve.data.store.store import Store
from ionsieve.screening.generate.prototypes import embedded_candidates
from ionsieve.screening.results.optimade import (
    COLUMNS,
    SERVER,
    read_optimade,
    server_settings,
    write_optimade,
)
from ionsieve.screening.screen.ranking import RANKING_COLUMNS
from reference_server import reference_server


@cache
def records() -> list[StructureRecord]:
    """Ordered candidates with oxidation states, and measured structures with partial occupancy."""
    ordered = list(embedded_candidates("Li").records[:4])
    disordered = [r for r in load_aimd_structures() if not r.is_ordered][:3]
    assert len(disordered) == 3
    return [
        with_values(r, 0.001 * i, None if i % 2 else 2.5, -3.0 - i)
        for i, r in enumerate(ordered + disordered)
    ]


def ranking(found: list[StructureRecord]) -> pd.DataFrame:
    n = len(found)
    values = {
        "rank": np.arange(1, n + 1),
        "id": [r.id for r in found],
        "formula": [reduced_formula(r.composition) for r in found],
        "p_fast": np.linspace(0.9, 0.1, n),
        "isolated_class": ["framework"] * n,
        "isolated_margin": [np.nan] * n,
        "known_structure": ["", "x"] + [""] * (n - 2),
        "known_relation": ["", "same"] + [""] * (n - 2),
        "flags": ["uncertain;out_of_domain", ""] + ["uncertain"] * (n - 2),
    }
    return pd.DataFrame({c: values.get(c, np.full(n, -2.5)) for c in RANKING_COLUMNS})


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("export") / "optimade.jsonl"
    found = records()
    write_optimade(path, ranking(found), found)
    return path


@pytest.fixture(scope="module")
def served(written: Path) -> Iterator[str]:
    settings = written.with_name(SERVER)
    settings.write_text(json.dumps(server_settings(), default=dict))
    with reference_server(settings) as url:
        yield url


def assert_same(one: StructureRecord, other: StructureRecord) -> None:
    """The same structure, stability and origin; only the file it was read from is another."""
    assert (one.id, one.species) == (other.id, other.species)
    np.testing.assert_array_equal(one.lattice, other.lattice)
    away = one.frac - other.frac
    assert np.abs(away - np.round(away)).max() < 1e-12
    for field in ("e_above_hull_eV_atom", "band_gap_eV", "energy_eV_atom"):
        assert getattr(one, field) == getattr(other, field)
    for field in ("source", "licence", "reference", "note"):
        assert getattr(one.provenance, field) == getattr(other.provenance, field)


def assert_all_same(found: list[StructureRecord]) -> None:
    by_id = {r.id: r for r in found}
    assert set(by_id) == {r.id for r in records()}
    for record in records():
        assert_same(record, by_id[record.id])


def test_every_line_is_valid(written: Path) -> None:
    models = pytest.importorskip("optimade.models", reason="install optimade[server]")
    lines = written.read_text().splitlines()
    assert json.loads(lines[0])["x-optimade"]["meta"]["api_version"]
    assert json.loads(lines[1])["id"] == "structures"
    for line in lines[2:]:
        models.StructureResource(**json.loads(line))
    assert len(lines) == 2 + len(records())


def test_own_properties_are_defined_and_hold_the_ranking(written: Path) -> None:
    _, info, *entries = map(json.loads, written.read_text().splitlines())
    for entry in entries:
        assert set(entry["attributes"]) <= set(info["properties"])
    for name, _ in COLUMNS.values():
        assert info["properties"][f"_ionsieve_{name}"]["description"]
    first = entries[0]["attributes"]
    assert first["_ionsieve_flags"] == ["uncertain", "out_of_domain"]
    assert first["_ionsieve_isolated_margin"] is None
    assert first["_ionsieve_known_structure"] is None
    assert [e["attributes"]["_ionsieve_rank"] for e in entries] == list(range(1, len(entries) + 1))


def test_read_back(written: Path) -> None:
    found = list(read_optimade(written))
    assert [r.id for r in found] == [r.id for r in records()]
    assert_all_same(found)


def test_same_bytes(written: Path, tmp_path: Path) -> None:
    found = records()
    write_optimade(tmp_path / "again.jsonl", ranking(found), found)
    assert (tmp_path / "again.jsonl").read_bytes() == written.read_bytes()
    assert [p.name for p in tmp_path.iterdir()] == ["again.jsonl"]


def test_a_failure_underway_leaves_the_old_file(written: Path, tmp_path: Path) -> None:
    path = tmp_path / "optimade.jsonl"
    path.write_text("old")
    found = records()
    with pytest.raises(ValueError, match="shorter"):
        write_optimade(path, ranking(found), found[:-1])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["optimade.jsonl"]


def test_the_server_filters_by_rank_and_elements(served: str) -> None:
    query = {"filter": '_ionsieve_rank<=3 AND _ionsieve_flags HAS "uncertain"'}
    answer = requests.get(f"{served}/v1/structures", params=query, timeout=30).json()
    expected = [records()[0].id, records()[2].id]
    assert sorted(e["id"] for e in answer["data"]) == sorted(expected)
    info = requests.get(f"{served}/v1/info/structures", timeout=30).json()["data"]["properties"]
    assert info["_ionsieve_e_above_hull"]["unit"] == "eV"


def ingested(name: str, store: Path) -> list[StructureRecord]:
    summary = ingest([open_source(name)], store)
    assert summary.counts["quarantined"] == 0, summary
    return [stored.record for stored in Store(store).records()]


def test_ingested_from_the_server(served: str, tmp_path: Path) -> None:
    assert_all_same(ingested(f"optimade:{served}", tmp_path / "store"))


def test_ingested_from_the_file(written: Path, tmp_path: Path) -> None:
    assert_all_same(ingested(str(written), tmp_path / "store"))


def test_reading_the_file_continues_behind_any_entry(written: Path) -> None:
    items = list(PathSource(str(written)).items())
    assert len(items) == len(records())
    for position, item in enumerate(items, start=1):
        rest = list(PathSource(str(written)).items(item.cursor))
        assert [i.entry.id for i in rest] == [i.entry.id for i in items[position:]]


def test_damage_is_named(written: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="absent; run the screen again"):
        list(read_optimade(tmp_path / "optimade.jsonl"))
    cut = tmp_path / "optimade.jsonl"
    cut.write_text(written.read_text()[:-100])
    with pytest.raises(InputError, match="damaged"):
        list(read_optimade(cut))
    cut.write_text('{"id": 1}\n')
    with pytest.raises(InputError, match="not a file of the OPTIMADE"):
        list(read_optimade(cut))
