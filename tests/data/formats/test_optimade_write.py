"""Structures as OPTIMADE entries: valid to optimade's own models, and the same when read back."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.formats.optimade_read import record_from_attributes
from ionsieve.data.formats.optimade_write import (
    API_VERSION,
    attributes_of,
    entry_line,
    header_line,
    info_line,
)
from ionsieve.data.records import Provenance, SiteSpecies, StructureRecord

ORIGIN = Provenance(
    source="a database", licence="CC-BY-4.0", reference="10.1/x", note="a <remark>\u2028"
)


def read_back(line: str) -> StructureRecord:
    entry = json.loads(line)
    return record_from_attributes(entry["attributes"], entry["id"], Provenance(source="elsewhere"))


def assert_same(one: StructureRecord, other: StructureRecord) -> None:
    assert one.id == other.id
    assert one.species == other.species
    np.testing.assert_array_equal(one.lattice, other.lattice)
    away = one.frac - other.frac
    assert np.abs(away - np.round(away)).max() < 1e-12
    for field in ("source", "licence", "reference", "note"):
        assert getattr(one.provenance, field) == getattr(other.provenance, field)


@st.composite
def disordered(draw: st.DrawFn) -> StructureRecord:
    """Any mixture of full, shared and partly empty sites, with and without oxidation states."""
    symbols = ["Li", "Na", "P", "S", "Cl", "Fe"]
    contents = []
    for _ in range(draw(st.integers(1, 6))):
        elements = draw(st.lists(st.sampled_from(symbols), min_size=1, max_size=3, unique=True))
        shares = [draw(st.floats(0.01, 1.0 / len(elements))) for _ in elements]
        if len(elements) == 1 and draw(st.booleans()):
            shares = [1.0]
        states = [draw(st.sampled_from([None, -2.0, 1.0, 2.5])) for _ in elements]
        sites = map(SiteSpecies, elements, shares, states)
        contents.append(tuple(sorted(sites, key=repr)))
    frac = draw(
        st.lists(
            st.tuples(*[st.floats(0, 0.999)] * 3), min_size=len(contents), max_size=len(contents)
        )
    )
    lattice = np.diag(draw(st.tuples(*[st.floats(3, 20)] * 3))) + 0.1
    return StructureRecord(
        id=draw(st.text(min_size=1, max_size=20)),
        lattice=lattice,
        species=tuple(contents),
        frac=np.array(frac),
        provenance=ORIGIN,
    )


@given(disordered())
@settings(max_examples=150, deadline=None)
def test_any_structure_is_valid_and_comes_back(record: StructureRecord) -> None:
    models = pytest.importorskip("optimade.models", reason="install optimade[server]")
    line = entry_line(record, {"_ionsieve_rank": 1})
    assert line.count("\n") == 1
    models.StructureResource(**json.loads(line))
    assert_same(record, read_back(line))


@pytest.mark.parametrize("record", load_aimd_structures(), ids=lambda r: r.id)
def test_structures_of_the_aimd_table_come_back(record: StructureRecord) -> None:
    models = pytest.importorskip("optimade.models", reason="install optimade[server]")
    line = entry_line(record, {})
    models.StructureResource(**json.loads(line))
    assert_same(record, read_back(line))


def cell(*contents: tuple[SiteSpecies, ...]) -> StructureRecord:
    frac = np.linspace(0.0, 0.9, len(contents))[:, None] * np.ones(3)
    return StructureRecord(id="x", lattice=8.0 * np.eye(3), species=contents, frac=frac)


def test_partial_occupancy_is_a_species_with_concentrations() -> None:
    """Li0.75 on one site, a Cl/Br mixture on another: the specification's way to write both."""
    record = cell(
        (SiteSpecies("Li", 0.75),),
        (SiteSpecies("Br", 0.25), SiteSpecies("Cl", 0.75)),
        (SiteSpecies("Li"),),
    )
    found = attributes_of(record)
    assert found["species_at_sites"] == ["Li0.75", "Br0.25Cl0.75", "Li"]
    assert found["species"][0] == {
        "name": "Li0.75",
        "chemical_symbols": ["Li", "vacancy"],
        "concentration": [0.75, 0.25],
    }
    assert found["structure_features"] == ["disorder"]
    assert found["chemical_formula_reduced"] == "BrCl3Li7"
    assert found["chemical_formula_anonymous"] == "A7B3C"
    assert found["elements_ratios"] == pytest.approx([0.25 / 2.75, 0.75 / 2.75, 1.75 / 2.75])


def test_names_stay_apart() -> None:
    """Two charges of one element, and occupancies that print alike."""
    contents = [
        (SiteSpecies("Fe", 1.0, 2.0),),
        (SiteSpecies("Fe", 1.0, 3.0),),
        (SiteSpecies("Li", 0.50001),),
        (SiteSpecies("Li", 0.50002),),
    ]
    found = attributes_of(cell(*contents))
    assert found["species_at_sites"] == ["Fe", "Fe(+3)", "Li0.5", "Li0.5_2"]
    assert found["_ionsieve_oxidation_states"] == [[2.0], [3.0], [None, None], [None, None]]


def test_a_not_a_number_is_refused() -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        entry_line(cell((SiteSpecies("Li"),)), {"_ionsieve_p_fast": float("nan")})


def test_the_description_is_valid_to_optimade() -> None:
    entries = pytest.importorskip("optimade.models.entries", reason="install optimade[server]")
    structures = pytest.importorskip("optimade.models.structures")
    assert json.loads(header_line())["x-optimade"]["meta"]["api_version"] == API_VERSION
    info = json.loads(info_line({}, "a test"))
    entries.EntryInfoResource(**info)
    described = set(info["properties"])
    assert described == {"id", "type", *attributes_of(cell((SiteSpecies("Li"),)))}
    known = set(structures.StructureResourceAttributes.model_fields) | {"id", "type"}
    assert {name for name in described if not name.startswith("_ionsieve_")} <= known
