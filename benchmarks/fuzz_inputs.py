"""Sound inputs of every kind that ionsieve reads, written small, and ways to spoil them.

Every spoiled input follows from a seed, the kind and its number alone.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import random
import re
import sqlite3
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd

LICL_A: Final = 5.13
SITES: Final = [
    *(("Li", x, y, z) for x, y, z in [(0, 0, 0), (0, 0.5, 0.5), (0.5, 0, 0.5), (0.5, 0.5, 0)]),
    *(("Cl", x, y, z) for x, y, z in [(0.5, 0.5, 0.5), (0.5, 0, 0), (0, 0.5, 0), (0, 0, 0.5)]),
]
CIF: Final = """\
data_LiCl
_cell_length_a 5.13(2)
_cell_length_b 5.13
_cell_length_c 5.13
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_cell_volume 135.0
_cell_formula_units_Z 4
_chemical_formula_sum 'Li0.9 Na0.1 Cl'
_symmetry_space_group_name_H-M 'F m -3 m'
_symmetry_Int_Tables_number 225
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
_atom_site_occupancy
_atom_site_symmetry_multiplicity
Li1 Li+ 0 0 0 0.9 4
Na1 Na+ 0 0 0 0.1 4
Cl1 Cl- 0.5 0.5 0.5 1 4
"""
OPERATORS: Final = """\
data_x
_cell_length_a 4.0
_cell_length_b 5.0
_cell_length_c 6.0
_cell_angle_alpha 90
_cell_angle_beta 95.5
_cell_angle_gamma 90
loop_
_symmetry_equiv_pos_as_xyz
'x, y, z'
'-x, y+1/2, -z+1/2'
'-x, -y, -z'
'x, -y+1/2, z+1/2'
loop_
_atom_site_label
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Li1 0.1 0.2 0.3
O1 0.4 0.1 0.7
"""
SETTINGS: Final = """\
seed: 3
mobile: Li
threshold_mS_cm: 1.5
workers: 1
families: [isolated_anions, composition]
filters: none
policy:
  min_full_framework: 0.5
flags:
  out_of_domain: 2.0
"""
TOML: Final = 'seed = 3\nmobile = "Li"\nthreshold_mS_cm = 1.5\n[flags]\nout_of_domain = 2.0\n'
FILTERS: Final = """\
filters:
  - name: elements
    column: n_elements
    max: 4
    reason: too many elements
  - name: gap
    column: band_gap_eV
    min: 1.0
    reason: a gap too small
"""
LABELS: Final = """\
structure_id,temperature_K,kind,quantity,value,lower,upper,error_log10,group,source
LiCl,300,aimd,sigma_S_cm,0.001,,,0.1,halide,made
Li3N,600,aimd,sigma_S_cm,,,1e-5,,nitride,made
Li2O,1000,experiment,diffusivity_cm2_s,1e-6,,,,oxide,made
LiF,800,mlip_md,diffuses,1,,,,halide,made
"""
POINTS: Final = """\
T_K,D_cm2_s,D_error_cm2_s,censor
600,1.2e-7,2e-8,
800,1.1e-6,1e-7,
1000,4.9e-6,3e-7,
500,1e-8,,<
"""
COMPOSITIONS: Final = "id,composition\na,Li6PS5Cl\nb,Li10GeP2S12\nc,Li0.5La0.5TiO3\n"


def _poscar() -> str:
    vectors = "\n".join(" ".join(str(x) for x in row) for row in np.eye(3) * LICL_A)
    rows = "\n".join(f"{x} {y} {z}" for _, x, y, z in SITES)
    return f"LiCl\n1.0\n{vectors}\nLi Cl\n4 4\nDirect\n{rows}\n"


def _cartesian() -> list[str]:
    return [f"{e} {x * LICL_A} {y * LICL_A} {z * LICL_A}" for e, x, y, z in SITES]


def _extxyz(n_frames: int = 2) -> str:
    lattice = " ".join(str(x) for x in (np.eye(3) * LICL_A).ravel())
    head = f'Lattice="{lattice}" Properties=species:S:1:pos:R:3 e_above_hull=0.01 time_fs='
    frames = [
        "\n".join([str(len(SITES)), f"{head}{2.0 * k}", *_cartesian()]) for k in range(n_frames)
    ]
    return "\n".join(frames) + "\n"


def _entry(name: str) -> dict[str, object]:
    return {
        "id": name,
        "lattice_vectors": (np.eye(3) * LICL_A).tolist(),
        "cartesian_site_positions": [[c * LICL_A for c in site[1:]] for site in SITES],
        "species_at_sites": [site[0] for site in SITES],
        "species": [
            {"name": e, "chemical_symbols": [e], "concentration": [1.0]} for e in ("Li", "Cl")
        ],
        "dimension_types": [1, 1, 1],
        "nsites": len(SITES),
        "_alexandria_hull_distance": 0.01,
    }


def _structure_json() -> str:
    sites = [
        {
            "species": [{"element": e, "occu": 1}],
            "abc": [x, y, z],
            "xyz": [x * LICL_A, y * LICL_A, z * LICL_A],
            "label": e,
            "properties": {},
        }
        for e, x, y, z in SITES
    ]
    structure = {
        "@module": "pymatgen.core.structure",
        "@class": "Structure",
        "charge": 0,
        "lattice": {"matrix": (np.eye(3) * LICL_A).tolist()},
        "sites": sites,
    }
    data = {"mat_id": "agm1", "e_above_hull": 0.01, "band_gap_ind": 3.0}
    return json.dumps(
        {"entries": [{"energy": -20.0, "composition": {"Li": 4, "Cl": 4},
                      "structure": structure, "data": data}]}
    )  # fmt: skip


def _xdatcar() -> str:
    vectors = "\n".join(" ".join(str(x) for x in row) for row in np.eye(3) * LICL_A)
    frames = [
        f"Direct configuration= {k}\n"
        + "\n".join(f"{x + 0.001 * k:.5f} {y:.5f} {z:.5f}" for _, x, y, z in SITES)
        for k in range(1, 13)
    ]
    return f"LiCl\n1.0\n{vectors}\nLi Cl\n4 4\n" + "\n".join(frames) + "\n"


def _dump() -> str:
    rows = "\n".join(f"{n} {line}" for n, line in enumerate(_cartesian(), start=1))
    head = f"ITEM: NUMBER OF ATOMS\n{len(SITES)}\nITEM: BOX BOUNDS pp pp pp\n" + "0 5.13\n" * 3
    return "".join(
        f"ITEM: TIMESTEP\n{2 * k}\n{head}ITEM: ATOMS id element xu yu zu\n{rows}\n"
        for k in range(4)
    )


def _cp2k() -> str:
    return "".join(
        f"{len(SITES)}\n i = {k}, time = {0.5 * k}, E = -1.0\n" + "\n".join(_cartesian()) + "\n"
        for k in range(4)
    )


def _npz() -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        disp=np.zeros((4, 8, 3)),
        latt=np.eye(3) * LICL_A,
        species=np.array([s[0] for s in SITES]),
        frac0=np.array([s[1:] for s in SITES], dtype=np.float64),
    )
    return buffer.getvalue()


def _parquet() -> bytes:
    rows = [{**_entry(name), "species": json.dumps(_entry(name)["species"])} for name in "ab"]
    buffer = io.BytesIO()
    pd.DataFrame(rows).to_parquet(buffer)
    return buffer.getvalue()


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.cif", CIF)
        archive.writestr("deep/POSCAR", _poscar())
    return buffer.getvalue()


def _ase_db() -> bytes:
    import tempfile

    import ase.db
    from ase import Atoms

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "x.db"
        with ase.db.connect(str(path), type="db", use_lock_file=False) as database:
            for _ in range(2):
                atoms = Atoms(
                    [s[0] for s in SITES],
                    scaled_positions=[s[1:] for s in SITES],
                    cell=np.eye(3) * LICL_A,
                    pbc=True,
                )
                database.write(atoms, e_above_hull=0.01)
        return path.read_bytes()


def _vasprun() -> str:
    vectors = "".join(f"<v>{r[0]} {r[1]} {r[2]}</v>" for r in np.eye(3) * LICL_A)
    atoms = "".join(f"<rc><c>{s[0]}</c><c>1</c></rc>" for s in SITES)
    places = "".join(f"<v>{x} {y} {z}</v>" for _, x, y, z in SITES)
    structure = (
        f'<structure><crystal><varray name="basis">{vectors}</varray></crystal>'
        f'<varray name="positions">{places}</varray></structure>'
    )
    step = f'<calculation>{structure}<energy><i name="e_wo_entrp">-1.0</i></energy></calculation>'
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?><modeling>'
        '<generator><i name="program" type="string">vasp</i><i name="version" type="string">5</i>'
        '</generator><incar><i type="int" name="IBRION">0</i><i name="POTIM">2.0</i></incar>'
        '<parameters><i name="POTIM">2.0</i><i type="int" name="NSW">3</i>'
        '<i type="int" name="NELM">60</i><i type="int" name="IBRION">0</i></parameters>'
        f'<atominfo><atoms>8</atoms><array name="atoms"><set>{atoms}</set></array></atominfo>'
        f"{step * 3}</modeling>"
    )


SEEDS: Final[Mapping[str, Callable[[], str | bytes]]] = {
    "a.cif": lambda: CIF,
    "b.cif": lambda: OPERATORS,
    "c.cif.gz": lambda: gzip.compress(CIF.encode(), mtime=0),
    "POSCAR": _poscar,
    "a.extxyz": _extxyz,
    "a.jsonl": lambda: "\n".join(json.dumps(_entry(n)) for n in "abc") + "\n",
    "a.json": _structure_json,
    "a.json.bz2": lambda: bz2.compress(_structure_json().encode()),
    "a.parquet": _parquet,
    "a.zip": _zip,
    "a.db": _ase_db,
    "XDATCAR": _xdatcar,
    "XDATCAR.gz": lambda: gzip.compress(_xdatcar().encode(), mtime=0),
    "a.lammpstrj": _dump,
    "b.dump.gz": lambda: gzip.compress(_dump().encode(), mtime=0),
    "md-pos-1.xyz": _cp2k,
    "md.extxyz": lambda: _extxyz(4),
    "vasprun.xml": _vasprun,
    "a.npz": _npz,
    "labels.csv": lambda: LABELS,
    "points.csv": lambda: POINTS,
    "compositions.csv": lambda: COMPOSITIONS,
    "settings.yaml": lambda: SETTINGS,
    "settings.toml": lambda: TOML,
    "filters.yaml": lambda: FILTERS,
    "entries.json": _structure_json,
}
"""Sound content by file name; models and campaigns are folders and made by the caller."""

NUMBERS: Final = [
    "0", "-1", "1", "1e9", "99999999999", "1e300", "-1e300", "1e-320", "nan", "inf", "-inf", "1e6",
    "0x10", "1_0", "1e", ".", "-", "?", "1/3", "1/0", "2147483648", "-2147483649", "1e400",
    "9" * 400, "0.33333", "1000000.5", "٣", "²",
]  # fmt: skip
TEXTS: Final = [
    "", " ", "\x00", "\n", "\t", "=cmd|' /C calc'!A0", "../../x", "<script>", "Vac", "X", "D", "OH",
    "Li/Na", "Ni0.8Co0.2", "null", "true", "[]", "{}", "*a", "&a [1]", "!!python/object:os.x", "'",
    '"', "\\", "é", "\ud800", "a" * 5000, "loop_", "data_", "@", "%s", "{0}",
]  # fmt: skip
_NUMBER = re.compile(rb"[-+]?\d+\.?\d*(?:[eE][-+]?\d+)?")
_WORD = re.compile(rb"[A-Za-z_][A-Za-z_0-9]*")


def spoiled(content: bytes, rng: random.Random) -> bytes:
    """The content with one to four things wrong."""
    ways = (_number, _number, _word, _byte, _byte, _line, _cut, _repeat, _splice)
    for _ in range(rng.choice([1, 1, 1, 2, 4])):
        content = rng.choice(ways)(content, rng)
    return content


def spoiled_file(name: str, content: bytes, rng: random.Random) -> bytes:
    """As :func:`spoiled`; in half of the cases below the compression, if there is one."""
    if name.endswith(".gz") and rng.random() < 0.5:
        return gzip.compress(spoiled(gzip.decompress(content), rng), mtime=0)
    if name.endswith(".bz2") and rng.random() < 0.5:
        return bz2.compress(spoiled(bz2.decompress(content), rng))
    if name.endswith((".zip", ".npz", ".skops")) and rng.random() < 0.5:
        return _spoiled_archive(content, rng)
    return spoiled(content, rng)


def _spoiled_archive(content: bytes, rng: random.Random) -> bytes:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {info.filename: archive.read(info) for info in archive.infolist()}
    chosen = rng.choice(sorted(members))
    members[chosen] = spoiled(members[chosen], rng)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, text in members.items():
            archive.writestr(zipfile.ZipInfo(member), text)
    return buffer.getvalue()


def _replaced(content: bytes, pattern: re.Pattern[bytes], new: str, rng: random.Random) -> bytes:
    found = list(pattern.finditer(content))
    if not found:
        return content + new.encode("utf-8", "surrogatepass")
    at = rng.choice(found)
    return content[: at.start()] + new.encode("utf-8", "surrogatepass") + content[at.end() :]


def _number(content: bytes, rng: random.Random) -> bytes:
    return _replaced(content, _NUMBER, rng.choice(NUMBERS), rng)


def _word(content: bytes, rng: random.Random) -> bytes:
    return _replaced(content, _WORD, rng.choice([*TEXTS, *NUMBERS]), rng)


def _byte(content: bytes, rng: random.Random) -> bytes:
    if not content:
        return b"\xff"
    changed = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 8])):
        place = rng.randrange(len(changed))
        changed[place] = rng.choice([rng.randrange(256), changed[place] ^ (1 << rng.randrange(8))])
    return bytes(changed)


def _line(content: bytes, rng: random.Random) -> bytes:
    lines = content.split(b"\n")
    at, other = rng.randrange(len(lines)), rng.randrange(len(lines))
    way = rng.randrange(3)
    if way == 0:
        del lines[at]
    elif way == 1:
        lines.insert(other, lines[at])
    else:
        lines[at], lines[other] = lines[other], lines[at]
    return b"\n".join(lines)


def _cut(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    return rng.choice([content[:place], content[place:]])


def _repeat(content: bytes, rng: random.Random) -> bytes:
    place = rng.randrange(len(content) + 1)
    piece = content[place : place + rng.randrange(1, 200)]
    return content[:place] + piece * rng.choice([2, 3, 1000]) + content[place:]


def _splice(content: bytes, rng: random.Random) -> bytes:
    place, source = rng.randrange(len(content) + 1), rng.randrange(len(content) + 1)
    length = rng.randrange(1, 64)
    return content[:place] + content[source : source + length] + content[place + length :]


def spoiled_database(path: Path, rng: random.Random) -> None:
    """Change one cell of an SQLite file, or its bytes."""
    if rng.random() < 0.3:
        path.write_bytes(spoiled(path.read_bytes(), rng))
        return
    connection = sqlite3.connect(path)
    try:
        names = connection.execute("SELECT type, name FROM sqlite_master").fetchall()
        for kind, name in names:
            if kind == "trigger":
                connection.execute(f'DROP TRIGGER "{name}"')
        tables = sorted(n for kind, n in names if kind == "table" and not n.startswith("sqlite_"))
        table = rng.choice(tables)
        columns = [row[1] for row in connection.execute(f'PRAGMA table_info("{table}")')]
        column = rng.choice(columns)
        held = connection.execute(f'SELECT "{column}" FROM "{table}" LIMIT 1').fetchone()
        text = str(held[0] if held else "").encode()
        new: object = spoiled(text, rng)
        if rng.random() < 0.5:
            new = bytes(new).decode("utf-8", "replace")  # type: ignore[call-overload]
        connection.execute(f'UPDATE "{table}" SET "{column}" = ?', (new,))
        connection.commit()
    except sqlite3.Error:
        pass  # a constraint held: the database stays as it was
    finally:
        connection.close()
