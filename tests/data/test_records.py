"""Records refuse what is not physical and say which site."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.data import Label, LabelError, SiteSpecies, StructureError, StructureRecord
from ionsieve.data.convert import from_pymatgen, to_pymatgen
from ionsieve.data.elements import SYMBOLS
from ionsieve.data.records import reduced_formula
from ionsieve.data.units import (
    BOLTZMANN_EV_K,
    BOLTZMANN_J_K,
    COULOMB_EV_A,
    ELEMENTARY_CHARGE_C,
    nernst_einstein_sigma_S_cm,
)

CUBE = np.eye(3) * 4.0


def rock_salt() -> StructureRecord:
    return StructureRecord.ordered("LiF", CUBE, ["Li", "F"], [[0, 0, 0], [0.5, 0.5, 0.5]])


def test_record_is_frozen_and_its_arrays_too() -> None:
    record = rock_salt()
    with pytest.raises(ValueError, match="read-only"):
        record.frac[0, 0] = 0.3
    with pytest.raises(ValueError, match="read-only"):
        record.lattice[0, 0] = 0.3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"lattice": np.full((3, 3), np.nan)}, "NaN"),
        ({"lattice": np.zeros((3, 3))}, "flat"),
        ({"lattice": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "flat"),
        ({"frac": [[0, 0, 0], [0, 0, np.inf]]}, "site 1"),
        ({"frac": [[0, 0, 0]]}, "shape"),
        ({"species": ((SiteSpecies("Li"),), (SiteSpecies("Xx"),))}, "site 1.*not an element"),
        ({"species": ((SiteSpecies("Li", 0.0),), (SiteSpecies("F"),))}, "site 0.*occupancy"),
        ({"species": ((SiteSpecies("Li"),), (SiteSpecies("F"), SiteSpecies("O")))}, "sum to 2"),
        ({"species": ()}, "no sites"),
    ],
)
def test_unphysical_structures_are_refused_with_the_reason(change: dict, message: str) -> None:
    record = rock_salt()
    parts = {"lattice": record.lattice, "species": record.species, "frac": record.frac, **change}
    with pytest.raises(StructureError, match=message):
        StructureRecord(id="bad", **parts)


@given(st.lists(st.floats(-10, 10), min_size=3, max_size=3))
def test_coordinates_fold_into_the_cell(point: list[float]) -> None:
    record = StructureRecord.ordered("x", CUBE, ["Li"], [point])
    assert (record.frac >= 0).all()
    assert (record.frac < 1).all()
    shift = record.frac[0] - np.array(point)
    assert np.allclose(shift, np.round(shift), atol=2e-9)


def test_composition_counts_occupancies() -> None:
    record = StructureRecord(
        id="x",
        lattice=CUBE,
        species=((SiteSpecies("S", 0.5), SiteSpecies("Cl", 0.5)), (SiteSpecies("Li", 0.25),)),
        frac=np.array([[0, 0, 0], [0.5, 0.5, 0.5]]),
    )
    assert record.composition == {"Li": 0.25, "S": 0.5, "Cl": 0.5}
    assert not record.is_ordered
    assert not record.has_whole_sites


@pytest.mark.parametrize("occupancy", [1.0, 0.9995])
def test_sites_full_to_the_last_digit_are_told_from_nearly_full_ones(occupancy: float) -> None:
    species = ((SiteSpecies("Li", occupancy),),)
    record = StructureRecord(id="x", lattice=CUBE, species=species, frac=np.zeros((1, 3)))
    assert record.is_ordered
    assert record.has_whole_sites == (occupancy == 1.0)


def test_pymatgen_round_trip_keeps_everything() -> None:
    record = rock_salt()
    back = from_pymatgen(to_pymatgen(record), "LiF")
    assert back.content_hash == record.content_hash


def test_element_symbols_are_those_of_pymatgen() -> None:
    from pymatgen.core import Element

    assert [Element(s).Z for s in SYMBOLS] == list(range(1, 119))


def test_constants_derive_from_each_other() -> None:
    assert math.isclose(BOLTZMANN_EV_K, BOLTZMANN_J_K / ELEMENTARY_CHARGE_C, rel_tol=1e-15)
    assert math.isclose(COULOMB_EV_A, 14.399645, rel_tol=1e-7)


@pytest.mark.parametrize(
    ("diffusivity", "n_li", "volume", "temperature", "expected_mS_cm"),
    [
        # Yang 2025 (10.1038/s41524-025-01559-9), Tables 1 and 2: rows with an independent volume.
        (1.66e-06, 7, 305.2, 300, 237.7),
        (2.90e-06, 6, 274.8, 1000, 117.8),
        (3.84e-05, 8, 274.0, 1000, 2075.8),
    ],
)
def test_nernst_einstein_reproduces_published_rows(
    diffusivity: float, n_li: int, volume: float, temperature: float, expected_mS_cm: float
) -> None:
    sigma = nernst_einstein_sigma_S_cm(diffusivity, n_li / volume, 1.0, temperature)
    assert math.isclose(1e3 * sigma, expected_mS_cm, rel_tol=0.02)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "guess"}, "kind"),
        ({"quantity": "speed"}, "quantity"),
        ({"temperature_K": -3.0}, "temperature"),
        ({"value": None}, "value, lower or upper"),
        ({"value": float("nan")}, "value is nan"),
        ({"lower": 2.0, "upper": 1.0}, "exceeds"),
    ],
)
def test_labels_refuse_what_they_cannot_mean(change: dict, message: str) -> None:
    fields = {
        "structure_id": "a",
        "temperature_K": 300.0,
        "kind": "aimd",
        "quantity": "sigma_S_cm",
        "value": 1e-3,
        **change,
    }
    with pytest.raises(LabelError, match=message):
        Label(**fields)


@pytest.mark.parametrize(
    ("amounts", "formula"),
    [
        ({"Li": 25.99992, "Si": 2, "P": 2, "S": 20, "Br": 4}, "Li13SiP(S5Br)2"),
        ({"Li": 52.8, "La": 24, "Zr": 12.8, "Ta": 3.2, "O": 96}, "Li6.6La3Zr1.6Ta0.4O12"),
        ({"Li": 26.32, "P": 4, "S": 20, "Br": 4}, "Li6.58PS5Br"),
        ({"Li": 7.9992, "O": 4}, "Li2O"),
        ({"Li": 24, "P": 4, "S": 20, "Cl": 4}, "Li6PS5Cl"),
        ({"Li": 1.3, "Al": 0.3, "Ti": 1.7, "P": 3, "O": 12}, "Li1.3Ti1.7Al0.3P3O12"),
    ],
)
def test_a_formula_has_sensible_numbers(amounts: dict[str, float], formula: str) -> None:
    assert reduced_formula(amounts) == formula


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["Li", "P", "S", "Cl", "O"]), st.integers(1, 12), min_size=2, max_size=4
    ),
    st.integers(1, 5),
)
def test_a_formula_does_not_depend_on_the_cell(amounts: dict[str, int], cells: int) -> None:
    larger = {element: float(n * cells) for element, n in amounts.items()}
    assert reduced_formula(larger) == reduced_formula({e: float(n) for e, n in amounts.items()})
