"""One invariance suite that every column of the catalogue passes, new families included.

A crystal may be described in many ways: turned or mirrored in space, from another origin, with its
atoms in another order, in another primitive cell, in a larger cell. No column may notice, and none
has a tolerance of its own unless a reason stands beside it.
"""

import contextlib
import zlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import structures
from ionsieve.data import FeatureError, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.features import StructureFeaturizer, catalogue, prepare
from ionsieve.features.catalogue import FAMILY_NAMES, families
from ionsieve.features.core.columns import Column, Value
from ionsieve.features.rows import featurize_one
from ionsieve.screening.batch.batch import featurize_batch

NAMES: Final = (
    "Li6PS5Cl_F43m",  # cubic, framework and isolated anions
    "Li8SiSe6_hcp",  # layers of isolated anions
    "Li3PO4",  # no isolated anion
    "Li3N_alpha",  # antistructure
    "Li2.5N0.5S0.5_avg",  # antistructure, mixed anions and partial lithium
    "LiN3",  # polyanion
    "Li3InCl6_exp",  # monoclinic, partial occupancy
    "LiVPO4F_triclinic",  # triclinic, split lithium sites
    "Li10GeP2S12_ordered",  # several anion sites, many neutral combinations
)


class Tolerance(NamedTuple):
    relative: float
    absolute: float
    reason: str


DEFAULT: Final = Tolerance(1e-7, 1e-8, "rounding of coordinates after a change of cell")

_SINGLE: Final = Tolerance(
    1e-5, 1e-7, "environment vectors are summed in single precision, in the order of the atoms"
)

TOLERANCES: Final[dict[str, dict[str, Tolerance]]] = {
    "similarity": {
        "acsf_enrichment_max": _SINGLE,
        "acsf_enrichment_isolated_mean": _SINGLE,
        "acsf_enrichment_isolated_min": _SINGLE,
        "acsf_enrichment_bonded_mean": _SINGLE,
        "acsf_enrichment_contrast": _SINGLE,
        "cage_shell_spread_A": _SINGLE,
        "mobile_like_void_fraction": _SINGLE,
        "mobile_like_difference": _SINGLE,
        "mobile_environment_spread": _SINGLE,
    },
}
"""Family → column → wider tolerance and why it must be wider."""


def _random(record: StructureRecord) -> np.random.Generator:
    return np.random.default_rng(zlib.crc32(record.id.encode()))


def _turned(record: StructureRecord) -> StructureRecord:
    turn = Rotation.random(random_state=7).as_matrix()
    return StructureRecord(
        id=record.id, lattice=record.lattice @ turn.T, species=record.species, frac=record.frac
    )


def _mirrored(record: StructureRecord) -> StructureRecord:
    return StructureRecord(
        id=record.id, lattice=-np.array(record.lattice), species=record.species, frac=record.frac
    )


def _moved(record: StructureRecord) -> StructureRecord:
    shift = _random(record).random(3)
    return StructureRecord(
        id=record.id, lattice=record.lattice, species=record.species, frac=record.frac + shift
    )


def _shuffled(record: StructureRecord) -> StructureRecord:
    order = _random(record).permutation(record.n_sites)
    species = tuple(record.species[i][::-1] for i in order)
    return StructureRecord(
        id=record.id, lattice=record.lattice, species=species, frac=record.frac[order]
    )


def _other_cell(record: StructureRecord) -> StructureRecord:
    return structures.supercell(record, [[1, 1, 0], [0, 1, 0], [0, -1, 1]])


def _doubled(record: StructureRecord) -> StructureRecord:
    return structures.supercell(record, [2, 1, 1])


def _doubled_askew(record: StructureRecord) -> StructureRecord:
    return structures.supercell(record, [[1, 1, 0], [-1, 1, 0], [0, 1, 1]])


CHANGES: Final[dict[str, Callable[[StructureRecord], StructureRecord]]] = {
    "turned": _turned,
    "mirrored": _mirrored,
    "moved": _moved,
    "shuffled": _shuffled,
    "other_cell": _other_cell,
    "doubled": _doubled,
    "doubled_askew": _doubled_askew,
}

COLUMNS: Final = catalogue()


@cache
def _values(name: str, change: str) -> dict[str, Value]:
    record = structures.get(name)
    if change:
        record = CHANGES[change](record)
    # Prepared, so that each family sees the cell as it is: a record would be reduced first.
    row = featurize_one(prepare(record), families())
    assert row.values is not None, row.reason
    return row.values


def _difference(column: Column, before: Value, after: Value) -> str:
    """Empty if the column kept its promise."""
    if column.dtype == "category":
        return "" if before == after else f"{before!r} became {after!r}"
    a, b = float(before), float(after)
    allowed = TOLERANCES.get(column.family, {}).get(column.name, DEFAULT)
    same = np.isclose(b, a, rtol=allowed.relative, atol=allowed.absolute, equal_nan=True)
    return "" if same else f"{a!r} became {b!r}"


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: c.name)
@pytest.mark.parametrize("change", CHANGES)
def test_no_column_notices_another_description(change: str, column: Column) -> None:
    differences = {}
    for name in NAMES:
        before, after = _values(name, "")[column.name], _values(name, change)[column.name]
        found = _difference(column, before, after)
        if found:
            differences[name] = found
    assert not differences


@pytest.mark.parametrize("column", COLUMNS, ids=lambda c: c.name)
def test_values_stay_in_the_range_the_catalogue_gives(column: Column) -> None:
    for name in NAMES:
        value = _values(name, "")[column.name]
        if column.dtype == "category":
            assert isinstance(value, str), name
            continue
        number = float(value)
        if np.isnan(number):
            assert column.nan_means, f"{name}: NaN, but the catalogue does not say what it means"
            continue
        assert np.isfinite(number), name
        assert column.lower is None or number >= column.lower - 1e-12, name
        assert column.upper is None or number <= column.upper + 1e-12, name
        assert column.dtype != "bool" or number in (0.0, 1.0), name


@pytest.mark.parametrize("family", FAMILY_NAMES)
def test_a_family_gives_its_columns_and_no_others(family: str) -> None:
    (chosen,) = families([family])
    allowed = {c.name for c in chosen.columns}
    computed = 0
    for name in NAMES:
        # Some families refuse partly occupied crystals, with a reason.
        with contextlib.suppress(FeatureError):
            assert set(chosen.compute(prepare(structures.get(name)), [])) <= allowed
            computed += 1
    assert computed >= 5


@pytest.mark.parametrize("name", NAMES)
def test_the_input_is_not_touched(name: str) -> None:
    record, prepared = structures.get(name), prepare(structures.get(name))
    crystal = to_pymatgen(record)
    before = crystal.copy()
    arrays = [prepared.atoms.frac, prepared.atoms.z, prepared.atoms.occupancy]
    arrays += [prepared.roles.oxidation, prepared.neighbors.distance_A, prepared.neighbors.neighbor]
    copies = [array.copy() for array in arrays]
    StructureFeaturizer().transform([crystal, prepared])
    assert crystal == before
    assert crystal.site_properties == before.site_properties
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_structures_does_not_matter(name: str) -> None:
    """No state is carried from one structure to the next: the second time equals the first."""
    again = featurize_one(structures.get(name), families())
    assert again.values is not None
    for key, value in _values(name, "").items():
        other = again.values[key]
        assert other == value or (value != value and other != other), key


def test_serial_and_parallel_agree_to_the_last_bit(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in NAMES:
        to_pymatgen(structures.get(name)).to(str(folder / f"{name}.cif"))
    written = []
    for workers in (1, 2):
        summary = featurize_batch([folder], tmp_path / str(workers), workers=workers)
        assert summary.statuses["failed"] == 0
        written.append((Path(summary.folder) / summary.shards[0]).read_bytes())
    assert written[0] == written[1]


def test_every_wider_tolerance_has_a_column_and_a_reason() -> None:
    for family in set(TOLERANCES) & set(FAMILY_NAMES):
        assert set(TOLERANCES[family]) <= {c.name for c in catalogue([family])}
    for allowed in (t for columns in TOLERANCES.values() for t in columns.values()):
        assert len(allowed.reason) > 20
        assert allowed.relative < 0.1
