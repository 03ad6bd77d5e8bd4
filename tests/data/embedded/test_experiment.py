"""The embedded experiment table: the numbers of its source, bounds as bounds, every site."""

import csv
import math
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from ionsieve import data
from ionsieve.data import Provenance, StructureRecord
from ionsieve.data.embedded.experiment import (
    MATCHES,
    POSITIONS,
    experiment_structure_entries,
    experiment_summary,
    load_experiment_compositions,
    load_experiment_labels,
    load_experiment_structures,
)
from ionsieve.data.formats.cif import parse_cif
from ionsieve.data.transport.label_table import check_label_table

LABELS = load_experiment_labels()
COMPOSITIONS = load_experiment_compositions()
ENTRIES = experiment_structure_entries()
RECORDS = {record.id: record for record in load_experiment_structures()}


@pytest.fixture(scope="module")
def obelix(shared_data: Path) -> Path:
    return shared_data / "obelix_train"


@pytest.fixture(scope="module")
def source_rows(obelix: Path) -> dict[str, dict[str, str]]:
    with (obelix / "train.csv").open(encoding="utf-8", newline="") as stream:
        return {row["ID"]: row for row in csv.DictReader(stream)}


# --- labels -------------------------------------------------------------------------------------


def test_every_entry_has_one_label_a_composition_and_a_cell() -> None:
    assert len(LABELS) == len(COMPOSITIONS) == 478
    assert LABELS["structure_id"].is_unique
    assert set(LABELS["structure_id"]) == set(COMPOSITIONS["id"])
    assert COMPOSITIONS["composition"].str.contains("Li").all()
    assert COMPOSITIONS["space_group_number"].between(1, 230).all()


def test_labels_obey_the_schema_and_are_experiments_only() -> None:
    checked = check_label_table(LABELS, "experiment")
    assert set(checked["kind"]) == {"experiment"}
    assert set(checked["quantity"]) == {"sigma_S_cm"}


def test_a_bound_is_a_bound() -> None:
    # The source prints "<1E-10" 28 times and "<1E-8" once.
    bounds = LABELS[LABELS["value"].isna()]
    assert Counter(bounds["upper"]) == {1e-10: 28, 1e-8: 1}
    assert bounds["lower"].isna().all()
    assert LABELS.loc[LABELS["value"].notna(), "upper"].isna().all()


def test_no_error_is_made_up() -> None:
    assert LABELS["error_log10"].isna().all()


def test_labels_and_cells_are_those_of_the_source(source_rows: dict[str, dict[str, str]]) -> None:
    assert set(source_rows) == set(LABELS["structure_id"])
    cells = COMPOSITIONS.set_index("id")
    for label in LABELS.itertuples():
        row = source_rows[label.structure_id]
        printed = row["Ionic conductivity (S cm-1)"]
        number = label.upper if printed.startswith("<") else label.value
        assert math.isclose(number, float(printed.lstrip("<")), rel_tol=1e-12)
        cell = cells.loc[label.structure_id]
        for column, name in zip(("a", "b", "c"), ("a_A", "b_A", "c_A"), strict=True):
            assert math.isclose(cell[name], float(row[column]), rel_tol=1e-9)
        assert label.doi == row["DOI"]


def test_the_same_folder_gives_the_same_tables(obelix: Path, tmp_path: Path) -> None:
    from ionsieve.data.embedded.registry import TABLE_FOLDER

    script = Path(__file__).parents[3] / "benchmarks" / "experiment_tables.py"
    subprocess.run(
        [sys.executable, script, obelix, "--tables", tmp_path], check=True, capture_output=True
    )
    written = sorted(tmp_path.iterdir())
    assert len(written) == 3
    for path in written:
        assert path.read_bytes() == (TABLE_FOLDER / path.name).read_bytes()


# --- structures ---------------------------------------------------------------------------------


def test_structures_say_what_they_are_worth() -> None:
    assert len(ENTRIES) == 254
    assert {e["match"] for e in ENTRIES.values()} == set(MATCHES)
    assert {e["positions"] for e in ENTRIES.values()} == set(POSITIONS)
    for record in RECORDS.values():
        entry = ENTRIES[record.id]
        assert record.provenance.licence.startswith("CC BY 4.0")
        assert ("perturbed" in record.provenance.note) == (entry["positions"] == "perturbed")
        assert f"match: {entry['match']}" in record.provenance.note


def test_only_structures_with_the_mobile_ion_on_request() -> None:
    with_li = load_experiment_structures("Li")
    assert len(with_li) == 247
    assert {r.id for r in RECORDS.values()} - {r.id for r in with_li} == {
        *("5tl", "b4c", "cy2", "hta", "s3h", "u2y", "u8r")
    }


@pytest.mark.parametrize("entry_id", sorted(ENTRIES))
def test_expanded_cell_is_what_the_cif_reader_gives(entry_id: str, obelix: Path) -> None:
    text = (obelix / "cifs" / f"{entry_id}.cif").read_text()
    read = parse_cif(text, entry_id, Provenance(source="source"))[0]
    assert isinstance(read, StructureRecord)
    assert same_sites(RECORDS[entry_id], read)


def same_sites(a: StructureRecord, b: StructureRecord) -> bool:
    """Every site of each has one of the other on its place, with the same content."""
    if a.n_sites != b.n_sites or not np.allclose(metric(a), metric(b), rtol=1e-6, atol=1e-6):
        return False
    gaps = a.frac[:, None] - b.frac[None, :]
    gaps -= np.round(gaps)
    distance = np.linalg.norm(gaps @ a.lattice, axis=2)
    alike = [[content(x) == content(y) for y in b.species] for x in a.species]
    pairs = (distance < 1e-3) & np.array(alike)
    return bool((pairs.any(axis=0)).all() and (pairs.any(axis=1)).all())


def metric(record: StructureRecord) -> np.ndarray:
    return record.lattice @ record.lattice.T


def content(species: tuple) -> tuple:
    return tuple(sorted((s.element, round(s.occupancy, 4)) for s in species))


# --- door ---------------------------------------------------------------------------------------


def test_the_tables_are_at_the_door_of_the_room() -> None:
    assert len(data.load_experiment_labels()) == 478
    assert len(data.load_experiment_structures()) == 254
    assert len(data.load_experiment_compositions()) == 478
    assert not data.load_aimd_labels().empty
    with pytest.raises(AttributeError, match="no attribute 'load_nothing'"):
        _ = data.load_nothing


def test_summary_counts_and_warns() -> None:
    summary = experiment_summary()
    assert (summary.n_labels, summary.n_bounds, summary.n_structures) == (478, 29, 254)
    assert summary.n_ordered_structures == 59
    # 139 pairs, 0.73 decades in an independent count that also split families.
    assert 0.6 < summary.between_papers_decades < 0.9
    assert "478 conductivities" in summary.text
