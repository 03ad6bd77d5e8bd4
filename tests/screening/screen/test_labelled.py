"""What the tables hold is not bought again, whatever way it came in by."""

from dataclasses import replace
from pathlib import Path

import pytest

import campaigns
from ionsieve.data.convert import from_pymatgen, to_pymatgen
from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.embedded.experiment import load_experiment_labels, load_experiment_structures
from ionsieve.data.errors import InputError
from ionsieve.data.records import StructureRecord
from ionsieve.screening.campaign import setup as campaign_setup
from ionsieve.screening.campaign.setup import init_campaign
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.screen.labelled import leave_out_known


def of_aimd(prefix: str) -> StructureRecord:
    return next(r for r in load_aimd_structures() if r.id.startswith(prefix))


def swollen(record: StructureRecord) -> StructureRecord:
    """As another source might have it: another cell, another volume, another name."""
    structure = to_pymatgen(replace(record, lattice=1.03 * record.lattice))
    structure.make_supercell([[1, 1, 0], [0, 1, 0], [0, 0, 1]])
    return replace(from_pymatgen(structure, "mine"), id="mine")


@pytest.mark.parametrize("prefix", ["Li8SiSe6_F", "Li6VCl8", "Li7N2I"])
def test_the_aimd_table_is_recognised(prefix: str) -> None:
    new, known = leave_out_known([swollen(of_aimd(prefix))])
    assert new == []
    assert f"the AIMD table holds it ({of_aimd(prefix).id}" in known[0].reason


def test_a_snapshot_of_the_tables_is_the_crystal() -> None:
    # The table's garnet is a simulation cell of 192 atoms without symmetry; the candidate is the
    # tetragonal crystal. Their hosts are one.
    from ionsieve.screening.generate.prototypes import embedded_candidates

    garnet = next(
        r for r in embedded_candidates("Li").records if r.id == "Li7La3Zr2O12-I41acd_Li7La3Zr2O12"
    )
    assert [q.id for q in leave_out_known([garnet])[1]] == [garnet.id]


def test_the_experiment_table_is_recognised() -> None:
    measured = set(load_experiment_labels()["structure_id"].dropna())
    aimd = {frozenset(r.elements) for r in load_aimd_structures()}
    record = next(
        r
        for r in load_experiment_structures()
        if r.id in measured
        and r.is_ordered
        and r.n_sites < 30
        and frozenset(r.elements) not in aimd
    )
    new, known = leave_out_known([replace(record, id="mine")])
    assert new == []
    assert known[0].reason.startswith("the experiment table holds it (")


def test_what_is_like_a_known_one_is_new() -> None:
    argyrodite = of_aimd("Li6PS5Cl")
    swapped = tuple(
        tuple(s._replace(element={"Cl": "F"}.get(s.element, s.element)) for s in content)
        for content in argyrodite.species
    )
    new, known = leave_out_known([replace(argyrodite, species=swapped, id="Li6PS5F")])
    assert ([r.id for r in new], known) == (["Li6PS5F"], [])


def test_a_folder_of_known_materials_needs_to_be_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(ENGINES, "walk", campaigns.walk_engine())
    monkeypatch.setattr(campaign_setup, "embedded_model", campaigns.light_model)
    cifs = campaigns.write_cifs(tmp_path / "cifs")
    for name in ("LiBr", "LiCl", "LiI"):
        (cifs / f"{name}.cif").unlink()
    to_pymatgen(of_aimd("Li6VCl8")).to(str(cifs / "known.cif"))
    counts = init_campaign(tmp_path / "a", [cifs], campaigns.settings())
    assert counts == {"candidates": 1, "quarantined": 1, "known": 1}
    assert "AIMD table holds it" in (tmp_path / "a" / "quarantine.csv").read_text()
    (cifs / "LiF.cif").unlink()
    with pytest.raises(InputError, match=r"every candidate is known: known: .*give --known"):
        init_campaign(tmp_path / "b", [cifs], campaigns.settings())
    counts = init_campaign(tmp_path / "b", [cifs], campaigns.settings(), known=True)
    assert counts == {"candidates": 1, "quarantined": 0, "known": 0}
