"""Readers: the same crystal as pymatgen sees, or a reason; never a traceback."""

import gzip
import json
import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter

from ionsieve.data import InputError, Quarantined, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.policy import DisorderPolicy, reason_against
from ionsieve.data.readers import iter_structures, read_structures, structure_files

LI2S = Structure.from_spacegroup(
    "Fm-3m", Lattice.cubic(5.719), ["Li", "S"], [[0.25, 0.25, 0.25], [0, 0, 0]]
)


def write_cif(path: Path, structure: Structure, symprec: float | None = None) -> Path:
    with warnings.catch_warnings():
        # pymatgen's writer repeats site labels, and its Structure warns of that.
        warnings.filterwarnings("ignore", "Site labels are not unique")
        CifWriter(structure, symprec=symprec).write_file(path)
    return path


def only(path: Path) -> StructureRecord | Quarantined:
    (item,) = list(iter_structures([path]))
    return item


@pytest.mark.parametrize("symprec", [None, 0.01])
def test_cif_gives_the_structure_that_was_written(tmp_path: Path, symprec: float | None) -> None:
    record = only(write_cif(tmp_path / "Li2S.cif", LI2S, symprec))
    assert isinstance(record, StructureRecord)
    assert record.id == "Li2S"
    assert record.composition == {"Li": 8.0, "S": 4.0}
    assert StructureMatcher().fit(to_pymatgen(record), LI2S)


def test_poscar_gives_the_structure_that_was_written(tmp_path: Path) -> None:
    LI2S.to(filename=str(tmp_path / "POSCAR"), fmt="poscar")
    record = only(tmp_path / "POSCAR")
    assert isinstance(record, StructureRecord)
    assert StructureMatcher().fit(to_pymatgen(record), LI2S)


def test_gzipped_cif(tmp_path: Path) -> None:
    plain = write_cif(tmp_path / "a.cif", LI2S)
    packed = tmp_path / "b.cif.gz"
    packed.write_bytes(gzip.compress(plain.read_bytes()))
    record = only(packed)
    assert isinstance(record, StructureRecord)
    assert record.id == "b"


def test_partial_occupancies_are_kept(tmp_path: Path) -> None:
    structure = Structure(
        Lattice.cubic(5.458),
        [{"Li": 0.9}, {"S": 0.5, "N": 0.5}],
        [[0.25, 0.25, 0.25], [0, 0, 0]],
    )
    record = only(write_cif(tmp_path / "mixed.cif", structure))
    assert isinstance(record, StructureRecord)
    assert record.composition == pytest.approx({"Li": 0.9, "N": 0.5, "S": 0.5})


def test_oxidation_states_in_a_cif_are_kept(tmp_path: Path) -> None:
    charged = LI2S.copy()
    charged.add_oxidation_state_by_element({"Li": 1, "S": -2})
    record = only(write_cif(tmp_path / "charged.cif", charged))
    assert isinstance(record, StructureRecord)
    states = {content[0].element: content[0].oxidation for content in record.species}
    assert states == {"Li": 1.0, "S": -2.0}


def cif_text(tmp_path: Path) -> str:
    return write_cif(tmp_path / "good.cif", LI2S).read_text()


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("empty.cif", lambda text: "", "empty"),
        ("noise.cif", lambda text: "this is not a CIF", "not a readable CIF"),
        ("truncated.cif", lambda text: text[: len(text) // 2], ""),
        ("nan.cif", lambda text: text.replace("5.71900000", "nan", 1), "cell"),
        ("flat.cif", lambda text: text.replace("90.00000000", "0.0", 1), "angle"),
        ("angles.cif", lambda text: text.replace("90.00000000", "200.0", 1), "cell"),
        ("dummy.cif", lambda text: text.replace("  Li  ", "  Xx  "), "Xx|element"),
        ("negative.cif", lambda text: text.replace("000  1\n", "000  -0.5\n", 1), "occupancy"),
        ("over.cif", lambda text: text.replace("000  1\n", "000  3.0\n", 1), "occupancy"),
        ("no_atoms.cif", lambda text: text.split("loop_\n _atom_site")[0], "no atoms"),
        ("binary.cif", lambda text: "data_\0\0", "binary"),
    ],
)
def test_broken_cifs_are_quarantined_with_the_reason(
    tmp_path: Path, name: str, change, reason: str
) -> None:
    (tmp_path / name).write_text(change(cif_text(tmp_path)))
    item = only(tmp_path / name)
    assert isinstance(item, Quarantined)
    assert item.stage == "read"
    assert item.reason
    if reason:
        assert re.search(reason, item.reason)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("comment\n1.0\n", "at least 8 lines"),
        ("x\n1\n4 0 0\n0 4 0\n0 0 4\n1 1\nDirect\n0 0 0\n.5 .5 .5\n", "name its elements"),
        ("x\n1\n4 0 0\n0 4 0\n0 0 4\nLi F\n1 1\nDirect\n0 0 0\n", "ends at line"),
        ("x\n1\n4 0 0\n0 4 0\n0 0 4\nLi F\n90000 1\nDirect\n0 0 0\n", "more than"),
        ("x\n1\n0 0 0\n0 4 0\n0 0 4\nLi F\n1 1\nDirect\n0 0 0\n.5 .5 .5\n", "flat"),
    ],
)
def test_broken_poscars_are_quarantined_with_the_reason(
    tmp_path: Path, text: str, reason: str
) -> None:
    (tmp_path / "POSCAR").write_text(text)
    item = only(tmp_path / "POSCAR")
    assert isinstance(item, Quarantined)
    assert reason in item.reason


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_mutated_cifs_never_raise(tmp_path: Path, data: st.DataObject) -> None:
    text = cif_text(tmp_path)
    start = data.draw(st.integers(0, len(text) - 1))
    end = data.draw(st.integers(start, min(len(text), start + 60)))
    filler = data.draw(st.text(max_size=20))
    (tmp_path / "mutated.cif").write_text(text[:start] + filler + text[end:], encoding="utf-8")
    for item in iter_structures([tmp_path / "mutated.cif"]):
        assert isinstance(item, StructureRecord | Quarantined)


def test_folders_are_searched_and_every_file_gets_its_own_id(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    write_cif(tmp_path / "a.cif", LI2S)
    write_cif(tmp_path / "sub" / "a.cif", LI2S)
    LI2S.to(filename=str(tmp_path / "a.vasp"), fmt="poscar")
    (tmp_path / "readme.txt").write_text("not a structure")
    names = [identifier for _, identifier in structure_files([tmp_path])]
    assert names == ["a", "a~2", "sub__a"]
    assert len({record.id for record in read_structures([tmp_path]).records}) == 3


def test_missing_paths_and_empty_folders_are_errors(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        structure_files([tmp_path / "absent"])
    with pytest.raises(InputError, match="no CIF or POSCAR"):
        structure_files([tmp_path])


def test_policy_sends_away_what_cannot_be_screened(tmp_path: Path) -> None:
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    write_cif(tmp_path / "NaCl.cif", salt)
    write_cif(tmp_path / "Li2S.cif", LI2S)
    result = read_structures([tmp_path], "Li")
    assert [record.id for record in result.records] == ["Li2S"]
    assert [(q.id, q.stage, q.reason) for q in result.quarantined] == [
        ("NaCl", "policy", "holds no Li")
    ]


def disordered(species: list, coordinates: list) -> StructureRecord:
    from ionsieve.data.convert import from_pymatgen

    return from_pymatgen(Structure(Lattice.cubic(5.0), species, coordinates), "x")


def test_disorder_policy() -> None:
    points = [[0, 0, 0], [0.5, 0.5, 0.5]]
    vacant_framework = disordered([{"Li": 1.0}, {"Cl": 0.3}], points)
    assert "only 0% of the framework" in reason_against(vacant_framework)
    mixed = disordered([{"Li": 0.5, "Mg": 0.5}, {"Cl": 1.0}], points)
    assert "100% of Li shares" in reason_against(mixed)
    partial_mobile = disordered([{"Li": 0.4}, {"S": 0.5, "Cl": 0.5}], points)
    assert reason_against(partial_mobile) is None
    assert "'ordered'" in reason_against(partial_mobile, "Li", DisorderPolicy(mode="ordered"))
    assert reason_against(partial_mobile, "Na") == "holds no Na"


def test_fast_path_agrees_with_pymatgen_on_real_crystals(tmp_path: Path, shared_data: Path) -> None:
    pool = shared_data / "pool" / "phonondb.jsonl.gz"
    matcher = StructureMatcher(primitive_cell=False, attempt_supercell=False)
    with gzip.open(pool, "rt") as lines:
        entries = [json.loads(line) for _, line in zip(range(4000), lines, strict=False)]
    for entry in entries[::100]:
        structure = Structure(Lattice(entry["lattice"]), entry["species"], entry["frac"])
        record = only(write_cif(tmp_path / f"{entry['id']}.cif", structure, symprec=0.01))
        assert isinstance(record, StructureRecord), record
        assert record.n_sites % len(structure) == 0 or len(structure) % record.n_sites == 0
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Issues encountered while parsing CIF")
            reread = Structure.from_file(tmp_path / f"{entry['id']}.cif")
        assert len(reread) == record.n_sites
        assert np.isclose(reread.volume, record.volume_A3, rtol=1e-6)
        assert matcher.fit(reread, to_pymatgen(record))
