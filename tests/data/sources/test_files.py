"""Readers: the same crystal as pymatgen sees, or a reason; never a traceback."""

import gzip
import json
import os
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
from ionsieve.data.disorder.policy import DisorderPolicy, reason_against, reason_to_order
from ionsieve.data.sources.files import iter_structures, read_structures, structure_files

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


def test_what_is_named_like_a_structure_but_is_no_file_is_not_passed_over(tmp_path: Path) -> None:
    write_cif(tmp_path / "good.cif", LI2S)
    (tmp_path / "folder.cif").mkdir()
    (tmp_path / "broken_link.cif").symlink_to("nowhere")
    (tmp_path / "loop.cif").symlink_to("loop.cif")
    os.mkfifo(tmp_path / "pipe.cif")
    result = read_structures([tmp_path])
    assert [record.id for record in result.records] == ["good"]
    reasons = {entry.id: entry.reason for entry in result.quarantined}
    assert reasons.keys() == {"broken_link", "loop", "pipe"}
    assert all("not a regular file" in reason for reason in reasons.values())


def test_names_that_are_no_text_are_escaped(tmp_path: Path) -> None:
    text = cif_text(tmp_path)
    for name in (b"caf\xe9\xff.cif", b"two\nlines.cif", b"bad\xff.cif"):
        with open(os.fsencode(tmp_path) + b"/" + name, "w") as file:  # noqa: PTH123
            file.write("" if name.startswith(b"bad") else text)
    result = read_structures([tmp_path])
    assert {r.id for r in result.records} == {"good", "caf\\udce9\\udcff", "two\\nlines"}
    assert [entry.id for entry in result.quarantined] == ["bad\\udcff"]
    files = [r.provenance.file for r in result.records] + [q.file for q in result.quarantined]
    assert all(file and file.encode() and "\n" not in file for file in files)


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["a.CIF.GZ", "a.cif.gz", "a.Cif"])
def test_byte_order_marks_and_capitals_are_read(tmp_path: Path, prefix: bytes, name: str) -> None:
    content = prefix + cif_text(tmp_path).encode()
    packed = gzip.compress(content) if name.lower().endswith("gz") else content
    (tmp_path / name).write_bytes(packed)
    assert isinstance(only(tmp_path / name), StructureRecord)


def test_corrupt_gzip_is_quarantined(tmp_path: Path) -> None:
    packed = bytearray(gzip.compress(cif_text(tmp_path).encode()))
    packed[12:200] = bytes(188)
    (tmp_path / "a.cif.gz").write_bytes(packed)
    assert isinstance(only(tmp_path / "a.cif.gz"), Quarantined)


def test_one_bad_block_does_not_cost_the_others(tmp_path: Path) -> None:
    good = cif_text(tmp_path)
    bad = good.replace("data_Li2S", "data_other").replace("  Li  ", "  Xx  ")
    (tmp_path / "two.cif").write_text(good + bad)
    kept, lost = iter_structures([tmp_path / "two.cif"])
    assert isinstance(kept, StructureRecord)
    assert isinstance(lost, Quarantined)
    assert (kept.id, lost.id) == ("two-Li2S", "two-other")
    assert lost.reason.startswith("site ")


CELL = "".join(f"_cell_length_{k} 5.13\n" for k in "abc")
CELL += "".join(f"_cell_angle_{k} 90\n" for k in ("alpha", "beta", "gamma"))
ATOMS = "loop_\n" + "".join(
    f"_atom_site_{k}\n" for k in ("label", "type_symbol", "fract_x", "fract_y", "fract_z")
)
ROCK_SALT = ATOMS + "Li1 Li 0 0 0\nCl1 Cl 0.5 0 0\n"
CENTRINGS = ("x,y,z", "x,y+1/2,z+1/2", "x+1/2,y,z+1/2", "x+1/2,y+1/2,z")


def operations(tag: str, ops: tuple[str, ...], suffix: str = "") -> str:
    return f"loop_\n{tag}\n" + "".join(f"'{op}{suffix}'\n" for op in ops)


@pytest.mark.parametrize(
    "symmetry",
    [
        "_symmetry_space_group_name_H-M 'F m -3 m'\n",
        "_symmetry_Int_Tables_number 225\n",
        "_space_group_IT_number 225\n",
        "_symmetry_space_group_name_H-M 'P 1'\n"
        + operations("_symmetry_equiv_pos_as_xyz", CENTRINGS),
        operations("_space_group_symop_operation_xyz", CENTRINGS),
        operations("_space_group_symop_magn_operation.xyz", ("x,y,z",), ",+1")
        + operations("_space_group_symop_magn_centering.xyz", CENTRINGS, ",+1"),
    ],
)
def test_every_way_to_state_the_symmetry_is_applied(tmp_path: Path, symmetry: str) -> None:
    (tmp_path / "LiCl.cif").write_text("data_x\n" + CELL + symmetry + ROCK_SALT)
    record = only(tmp_path / "LiCl.cif")
    assert isinstance(record, StructureRecord)
    assert record.composition == {"Li": 4.0, "Cl": 4.0}


def test_operations_of_an_untabulated_origin_are_applied(tmp_path: Path) -> None:
    ops = operations("_symmetry_equiv_pos_as_xyz", ("x,y,z", "-x+1/4,-y,-z"))
    atoms = ATOMS + "Li1 Li 0.1 0.2 0.3\nCl1 Cl 0.6 0.2 0.3\n"
    (tmp_path / "a.cif").write_text("data_x\n" + CELL + ops + atoms)
    record = only(tmp_path / "a.cif")
    assert isinstance(record, StructureRecord)
    assert record.composition == {"Li": 2.0, "Cl": 2.0}


@pytest.mark.parametrize(
    ("symmetry", "atoms", "reason"),
    [
        ("_symmetry_space_group_name_H-M 'F m Q m'\n", ROCK_SALT, "unknown"),
        (operations("_symmetry_equiv_pos_as_xyz", ("x,y,z", "what")), ROCK_SALT, "no symmetry op"),
        ("", ROCK_SALT.replace("_z\n", "_z\n_atom_site_occupancy\n"), "readable"),
        (
            "",
            ROCK_SALT.replace("_z\n", "_z\n_atom_site_occupancy\n")
            .replace("0 0 0", "0 0 0 half")
            .replace("0.5 0 0", "0.5 0 0 1"),
            "'half' is no occupancy",
        ),
    ],
)
def test_unreadable_symmetry_and_occupancy_are_not_taken_for_none(
    tmp_path: Path, symmetry: str, atoms: str, reason: str
) -> None:
    (tmp_path / "a.cif").write_text("data_x\n" + CELL + symmetry + atoms)
    item = only(tmp_path / "a.cif")
    assert isinstance(item, Quarantined)
    assert reason in item.reason


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
    assert "only 0% of the framework" in reason_to_order(vacant_framework)
    mixed = disordered([{"Li": 0.5, "Mg": 0.5}, {"Cl": 1.0}], points)
    assert "100% of Li shares" in reason_to_order(mixed)
    assert reason_against(vacant_framework) is None
    assert reason_against(mixed) is None
    partial_mobile = disordered([{"Li": 0.4}, {"S": 0.5, "Cl": 0.5}], points)
    assert reason_against(partial_mobile) is None
    assert reason_to_order(partial_mobile) is None
    every = DisorderPolicy(mode="enumerate")
    assert "every disordered" in reason_to_order(partial_mobile, "Li", every)
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
