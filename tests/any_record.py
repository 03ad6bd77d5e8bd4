"""Any structure record: every field of the dataclass is given or left out, by its type."""

from dataclasses import fields

import numpy as np
from hypothesis import strategies as st

from ionsieve.data.records import NUMBERS, Provenance, SiteSpecies, StructureRecord

TEXT = st.text(max_size=6)
GIVEN = st.text(min_size=1, max_size=6)
VALUE = st.floats(-50, 50, allow_nan=False)
CONTENTS = st.sampled_from(
    [
        (SiteSpecies("Li"),),
        (SiteSpecies("Cl", 1.0, -1.0),),
        (SiteSpecies("Li", 0.5, 1.0),),
        (SiteSpecies("P", 0.25), SiteSpecies("S", 0.5)),
        (SiteSpecies("Cl", 0.125, -1.0), SiteSpecies("S", 0.875, -2.0)),
    ]
)


@st.composite
def origins(draw: st.DrawFn) -> Provenance:
    """Any provenance; a field that is added to it is filled, too."""
    given = {f.name: draw(GIVEN) for f in fields(Provenance) if f.type == "str"}
    optional = {f.name: draw(st.none() | GIVEN) for f in fields(Provenance) if f.type != "str"}
    return Provenance(**{**given, **optional, "note": draw(TEXT)})


@st.composite
def records(draw: st.DrawFn) -> StructureRecord:
    """Any record."""
    contents = draw(st.lists(CONTENTS, min_size=1, max_size=4))
    places = st.lists(st.floats(0, 0.99), min_size=3, max_size=3)
    frac = draw(st.lists(places, min_size=len(contents), max_size=len(contents)))
    return StructureRecord(
        id=draw(GIVEN),
        lattice=np.diag(draw(st.lists(st.floats(3, 9), min_size=3, max_size=3))) + 0.1,
        species=tuple(contents),
        frac=np.array(frac),
        provenance=draw(origins()),
        notes=tuple(draw(st.lists(TEXT, max_size=2))),
        **{name: draw(st.none() | VALUE) for name in NUMBERS},
    )
