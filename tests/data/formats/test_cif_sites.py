"""Sites of a cell: copies merged, mixed sites whole, the same for ordered and disordered."""

import random

import gemmi
import numpy as np
import pytest

from cifs import HEXAGONAL, cell, formula, named, operators, read, refused, sites
from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.formats.cif_sites import SAME_PLACE_A, SPLIT_A
from ionsieve.data.records import StructureRecord
from pool import crystals

P63MMC = named("P 63/m m c")
HEXAGON = cell(3.9, c=12.5, angles=HEXAGONAL)
LI_V_O = [op.triplet() for op in gemmi.find_spacegroup_by_name("P 63/m m c").operations()]


@pytest.mark.parametrize(
    "third", ["0.333 0.667", "0.3333 0.6667", "1/3 2/3", "0.333 0.666", "0.33 0.67"]
)
@pytest.mark.parametrize("occupancy", [0.5, 0.99, 1])
def test_rounded_thirds(third: str, occupancy: float) -> None:
    rows = (f"Li1 Li {third} 0.25 {occupancy}", f"Cl1 Cl {third} 0.75 1", "Y1 Y 0 0 0 1")
    record = read(HEXAGON, P63MMC, sites(*rows))
    assert record.composition == pytest.approx({"Li": 2 * occupancy, "Cl": 2.0, "Y": 2.0})
    assert record.n_sites == 6
    # The site is moved onto its axis.
    assert np.abs(record.frac[0, :2] * 3 - [1, 2]).max() < (0.03 if "66 " in third else 1e-9) or (
        third == "0.333 0.666"
    )


@pytest.mark.parametrize("third", ["0.333 0.667", "0.3333 0.6667"])
def test_rounded_thirds_of_partial_lithium(third: str) -> None:
    rows = (f"Li1 Li {third} 0.25 0.3", "V1 V 0.5 0 0 1", "O1 O 0.1700 0.3400 0.105 1")
    record = read(
        formula("Li0.6 V6 O12", 1),
        cell(6.9, c=9.2, angles=HEXAGONAL),
        operators(*LI_V_O),
        sites(*rows),
    )
    assert record.composition == pytest.approx({"Li": 0.6, "O": 12.0, "V": 6.0})
    assert sum(content[0].element == "Li" for content in record.species) == 2
    assert record.notes == ()


def test_half_occupied_copies_of_a_split_site_stay_apart() -> None:
    """Copies 0.31 Å apart, half occupied: two alternatives; full, it can be one atom only."""
    split = "Li1 Li 0 0 0.0125 {}"
    half = read(HEXAGON, P63MMC, sites(split.format(0.5), "Y1 Y 1/3 2/3 .25 1"))
    full = read(HEXAGON, P63MMC, sites(split.format(1), "Y1 Y 1/3 2/3 .25 1"))
    nearly = read(HEXAGON, P63MMC, sites(split.format(0.99), "Y1 Y 1/3 2/3 .25 1"))
    assert half.composition == pytest.approx({"Li": 2.0, "Y": 2.0})
    assert half.n_sites == 6
    assert full.n_sites == nearly.n_sites == 4
    assert SAME_PLACE_A < 0.31 < SPLIT_A


def test_the_multiplicity_tells_whether_copies_within_a_tenth_are_two_halves() -> None:
    """0.05 Å off the special position: the content follows what the file says of the site."""
    columns = "label type_symbol fract_x fract_y fract_z occupancy symmetry_multiplicity"
    rows = ("Li1 Li 0 0 0.002 0.5 {}", "Y1 Y 1/3 2/3 .25 1 2")
    one = read(HEXAGON, P63MMC, sites(rows[0].format(2), rows[1], columns=columns))
    two = read(HEXAGON, P63MMC, sites(rows[0].format(4), rows[1], columns=columns))
    assert one.composition == pytest.approx({"Li": 1.0, "Y": 2.0})
    assert two.composition == pytest.approx({"Li": 2.0, "Y": 2.0})
    assert one.n_sites == two.n_sites == 4
    assert "kept apart" in two.notes[0]


def test_occupancies_that_hold_the_multiplicity_are_multiplied_where_the_formula_says_so() -> None:
    rows = ("Li1 Li 0 0 0 0.010417", "Cl1 Cl 0.5 0.5 0.5 0.020833")
    record = read(formula("Li0.5 Cl", 4), cell(5.13), named("F m -3 m"), sites(*rows))
    assert record.composition == pytest.approx({"Li": 2.0, "Cl": 4.0}, rel=1e-3)
    assert "multiplied" in record.notes[0]


def test_occupancies_a_little_over_one_are_scaled_and_noted() -> None:
    rows = ("Li1 Li 0 0 0 0.52", "Na1 Na 0 0 0 0.5", "Cl1 Cl 0.5 0.5 0.5 1")
    record = read(cell(5.13), named("F m -3 m"), sites(*rows))
    assert record.notes == ("occupancies on site Li1, Na1 add up to 1.020: scaled to 1",)
    assert sum(s.occupancy for s in record.species[0]) == pytest.approx(1.0)


def test_a_cell_with_too_many_sites_is_refused() -> None:
    rows = [f"Li{i} Li {i / 97:.5f} {i / 53 % 1:.5f} {i / 31 % 1:.5f} 0.1" for i in range(1, 20)]
    assert "more than 2000 sites" in refused(cell(60), named("F m -3 m"), sites(*rows))


# Real crystals -------------------------------------------------------------------------------


def written(record: StructureRecord, rng: random.Random) -> tuple[str, list[str], str]:
    """Cell, rows of the asymmetric unit and operators of a crystal in a setting of its group."""
    import spglib

    kinds = [content[0].element for content in record.species]
    numbers = [sorted(set(kinds)).index(kind) for kind in kinds]
    crystal = (record.lattice, record.frac, numbers)
    number = spglib.get_symmetry_dataset(crystal, symprec=1e-3).number
    halls = [h for h in range(1, 531) if spglib.get_spacegroup_type(h).number == number]
    hall = rng.choice(halls)
    data = spglib.get_symmetry_dataset(crystal, symprec=1e-3, hall_number=hall)
    # x' = P x + p, and the rows of the lattice follow the inverse.
    lattice = np.linalg.inv(data.transformation_matrix).T @ record.lattice
    unit = gemmi.UnitCell(*_parameters(lattice))
    kept = np.unique(data.crystallographic_orbits)
    places = (record.frac[kept] @ data.transformation_matrix.T + data.origin_shift) % 1.0
    rows = [
        f"{kinds[k]}{i} {kinds[k]} " + " ".join(f"{x:.8f}" for x in place)
        for i, (k, place) in enumerate(zip(kept, places, strict=True))
    ]
    symbol = spglib.get_spacegroup_type(hall).hall_symbol.replace("=", '"')
    edges = cell(unit.a, unit.b, unit.c, (unit.alpha, unit.beta, unit.gamma))
    return edges, rows, symbol.replace("''", '"')


def _parameters(lattice: np.ndarray) -> tuple[float, ...]:
    lengths = np.linalg.norm(lattice, axis=1)
    unit = lattice / lengths[:, None]
    cosines = unit[1] @ unit[2], unit[0] @ unit[2], unit[0] @ unit[1]
    return (*lengths, *np.degrees(np.arccos(cosines)))


def statements(hall: str) -> list[str]:
    """The same group by operators, Hall symbol, name, and number with setting."""
    triplets = [op.triplet() for op in gemmi.symops_from_hall(hall)]
    found = [operators(*triplets), f"_space_group_name_Hall\n;{hall}\n;\n"]
    group = gemmi.find_spacegroup_by_ops(gemmi.symops_from_hall(hall))
    if group is not None:
        found.append(named(group.xhm()))
        code = (group.ext.strip("\0 ") + group.qualifier).lower()
        coded = f"_space_group_IT_coordinate_system_code {code}\n" if code else ""
        if code or group.is_reference_setting():
            found.append(f"_space_group_IT_number {group.number}\n{coded}")
    return found


def rounded(row: str, digits: int) -> str:
    words = row.split()
    return " ".join([*words[:2], *(f"{float(x):.{digits}f}" for x in words[2:])])


def assert_sites_stay(record: StructureRecord, seed: int) -> None:
    """Neither the statement of the group, nor an occupancy of 0.99, nor rounding changes a site."""
    edges, rows, hall = written(record, random.Random(seed))
    first: StructureRecord | None = None
    for symmetry in statements(hall):
        for digits in (8, 3):
            for partial in (None, 0, len(rows) - 1):
                table = sites(
                    *(
                        f"{rounded(row, digits)} {0.99 if i == partial else 1}"
                        for i, row in enumerate(rows)
                    )
                )
                found = read(edges, symmetry, table)
                first = first or found
                kinds = [content[0].element for content in found.species]
                assert kinds == [content[0].element for content in first.species], symmetry
                moved = found.frac - first.frac
                moved -= np.rint(moved)
                assert np.abs(moved @ first.lattice).max() < (1e-4 if digits == 8 else 0.05)
    assert first is not None
    scale = first.volume_A3 / record.volume_A3
    assert first.composition == pytest.approx({e: scale * n for e, n in record.composition.items()})


def test_no_site_changes_in_crystals_of_the_pool(shared_data) -> None:
    for seed, record in enumerate(crystals(shared_data, every=500, max_sites=60)):
        assert_sites_stay(record, seed)


EMBEDDED = sorted(
    (r for r in load_aimd_structures() if r.is_ordered and r.n_sites <= 60),
    key=lambda r: r.id,
)[::6]


@pytest.mark.parametrize("record", EMBEDDED, ids=lambda r: r.id)
def test_no_site_changes_in_embedded_structures(record: StructureRecord) -> None:
    assert_sites_stay(record, 1)


def test_disordered_crystals_are_what_pymatgen_reads(shared_data) -> None:
    """OBELiX, written by pymatgen itself: compositions agree, whatever is split."""
    import warnings

    from pymatgen.io.cif import CifParser

    from ionsieve.data.convert import from_pymatgen

    for path in sorted((shared_data / "obelix_train" / "cifs").glob("*.cif"))[::20]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            parser = CifParser(path, occupancy_tolerance=1.1, site_tolerance=1e-3)
            (structure,) = parser.parse_structures(primitive=False, on_error="raise")
        record = read(path.read_text().partition("_symmetry")[2].join(["_symmetry", ""]))
        assert record.composition == pytest.approx(
            from_pymatgen(structure, "x").composition, rel=1e-3
        )
