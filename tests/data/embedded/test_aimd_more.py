"""The second part of the AIMD table: sodium conductors, and what has no number."""

import csv
import math
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ionsieve.data import InputError
from ionsieve.data.embedded.aimd import (
    COMPOSITION_ONLY,
    MATCHES,
    aimd_mobile_species,
    aimd_structure_entries,
    aimd_summary,
    load_aimd_classes,
    load_aimd_compositions,
    load_aimd_labels,
    load_aimd_structures,
)
from ionsieve.data.embedded.registry import TABLE_FOLDER
from ionsieve.data.transport.label_table import check_label_table
from ionsieve.data.units import nernst_einstein_sigma_S_cm

ENTRIES = aimd_structure_entries("Na")
RECORDS = {r.id: r for r in load_aimd_structures(include_doubtful=True, mobile="Na")}
SODIUM = load_aimd_labels(include_doubtful=True, mobile="Na", include_composition_only=True)


def test_numbers_of_rows_and_materials_are_those_of_the_survey() -> None:
    lithium = load_aimd_labels(True, "Li", include_composition_only=True)
    new = lithium[lithium["survey_row"].str.startswith("D")]
    assert (len(SODIUM), SODIUM["structure_id"].nunique()) == (64, 32)
    assert (len(new), new["structure_id"].nunique()) == (8, 4)


def test_lithium_is_the_default_and_sodium_is_asked_for() -> None:
    assert set(load_aimd_labels()["mobile"]) == {"Li"}
    assert set(load_aimd_labels(mobile="Na")["mobile"]) == {"Na"}
    assert aimd_mobile_species() == ("Li", "Na")
    assert "AIMD table (Na): 34 conductivities of 14 structures" in aimd_summary("Na").text
    with pytest.raises(InputError, match="nothing for mobile K; it has Li, Na"):
        load_aimd_labels(mobile="K")


def test_labels_obey_the_schema() -> None:
    checked = check_label_table(SODIUM, "sodium")
    assert set(checked["kind"]) == {"aimd"}
    assert set(checked["grade"]) <= {"A", "B"}
    assert checked["error_log10"].between(0.05, 1.3).all()
    assert set(SODIUM["match"]) <= {*MATCHES, COMPOSITION_ONLY}


def test_only_a_label_without_a_structure_may_be_a_diffusivity() -> None:
    diffusivities = SODIUM[SODIUM["quantity"] == "diffusivity_cm2_s"]
    assert len(diffusivities) == 15
    assert set(diffusivities["match"]) == {COMPOSITION_ONLY}
    assert set(load_aimd_labels(mobile="Na")["quantity"]) == {"sigma_S_cm"}


def test_structures_and_labels_share_their_ids() -> None:
    with_structure = SODIUM[SODIUM["match"] != COMPOSITION_ONLY]
    assert set(with_structure["structure_id"]) == set(ENTRIES) == set(RECORDS)
    assert set(load_aimd_compositions("Na")["id"]) == set(SODIUM["structure_id"])


@pytest.mark.parametrize("structure_id", sorted(ENTRIES))
def test_structures_are_neutral_enough_and_of_their_formula(structure_id: str) -> None:
    record, entry = RECORDS[structure_id], ENTRIES[structure_id]
    assert record.is_ordered == ("disordered" not in entry["note"])
    assert entry["licence"].startswith(("CC BY 4.0", "facts"))
    if entry["match"] in ("doped_parent", "doubtful"):
        assert "ordering not in the source" in entry["note"]


@pytest.mark.parametrize("metal", ["Ge", "Sn"])
@pytest.mark.parametrize("anion", ["S", "Se"])
def test_frames_idealise_to_tetrahedra_in_i41acd(metal: str, anion: str) -> None:
    import spglib

    record = RECORDS[f"Na11{metal}2P{anion}12_I4_1_acd"]
    kinds = {content: i for i, content in enumerate(dict.fromkeys(record.species), start=1)}
    numbers = [kinds[content] for content in record.species]
    found = spglib.get_symmetry_dataset((record.lattice, record.frac, numbers), symprec=1e-2)
    assert found.number == 142
    assert math.isclose(record.composition["Na"], 88, rel_tol=1e-5)
    # Zhang et al. 2018 (10.1039/c7ee03083e): Sn–S 2.38–2.40 Å, P–S 2.04–2.05 Å in the sulfide.
    for centre, expected in (("P", 2.05), (metal, {"Ge": 2.22, "Sn": 2.39}[metal])):
        distances = bonds(record, centre, anion)
        assert np.allclose(distances, expected + (0.13 if anion == "Se" else 0.0), atol=0.12)


def bonds(record, centre: str, anion: str) -> np.ndarray:
    """The four shortest distances from each centre to an anion, Å."""
    symbols = np.array([content[0].element for content in record.species])
    gap = record.frac[symbols == centre][:, None] - record.frac[symbols == anion][None]
    gap -= np.round(gap)
    return np.sort(np.linalg.norm(gap @ record.lattice, axis=2), axis=1)[:, :4]


def test_conductivities_follow_from_the_deposited_diffusivities(shared_data: Path) -> None:
    with (shared_data / "aimd_more" / "new_aimd_rows.csv").open(encoding="utf-8") as stream:
        rows = {row["row_id"]: row for row in csv.DictReader(stream)}
    for label in SODIUM[SODIUM["structure_id"].str.startswith("Na11Sn2")].itertuples():
        row = rows[label.survey_row]
        record = RECORDS[label.structure_id]
        sigma = nernst_einstein_sigma_S_cm(
            float(row["D_cm2s"]), 88 / record.volume_A3, 1.0, label.temperature_K
        )
        assert math.isclose(label.value, sigma, rel_tol=1e-3)


def test_classes_are_kept_apart() -> None:
    classes = load_aimd_classes()
    assert dict(classes["class"].value_counts()) == {"slow": 17, "fast": 8}
    assert "value" not in classes.columns
    lithium = load_aimd_labels(True, "Li", include_composition_only=True)
    assert not lithium["doi"].eq("10.1039/c9ee02457c").any()


def test_the_same_folder_gives_the_same_tables(shared_data: Path, tmp_path: Path) -> None:
    script = Path(__file__).parents[3] / "benchmarks" / "aimd_more_tables.py"
    subprocess.run(
        [sys.executable, script, shared_data, "--tables", tmp_path], check=True, capture_output=True
    )
    written = sorted(tmp_path.iterdir())
    assert len(written) == 3
    for path in written:
        assert path.read_bytes() == (TABLE_FOLDER / path.name).read_bytes()
