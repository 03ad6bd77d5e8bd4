"""Substitution design: pymatgen's probabilities, rules, mobile ions for charge, files, refusals."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from pymatgen.core import Species as PymatgenSpecies
from pymatgen.core.structure_prediction.substitution_probability import SubstitutionProbability

import structures
from ionsieve.data.embedded.prototypes import load_prototypes
from ionsieve.data.errors import InputError
from ionsieve.data.records import SiteSpecies, StructureRecord
from ionsieve.data.sources.files import read_structures
from ionsieve.features.core.prepared import prepare
from ionsieve.screening.generate.design import DesignResult, design
from ionsieve.screening.generate.rules import Species, SubstitutionRules, probability
from ionsieve.screening.generate.template import Template, embedded_template, template_of
from ionsieve.screening.generate.write import check_folder, cif_text, load_template, write_design

PROTOTYPES = load_prototypes()


def made(template: Template, **rules: object) -> DesignResult:
    return design([template], SubstitutionRules(**rules))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def argyrodite() -> DesignResult:
    return made(template_of(structures.get("Li6PS5Cl_F43m"), "Li"))


def formulas(result: DesignResult) -> set[str]:
    return {d.record.id.rpartition("_")[2] for d in result.designs}


def test_probabilities_are_pymatgens(argyrodite: DesignResult) -> None:
    table = SubstitutionProbability()
    found = next(d for d in argyrodite.designs if d.record.id.endswith("_Li6AsSe5Cl"))
    old = [PymatgenSpecies(*s) for s in (("Li", 1), ("P", 5), ("S", -2), ("Cl", -1))]
    new = [PymatgenSpecies(*s) for s in (("Li", 1), ("As", 5), ("Se", -2), ("Cl", -1))]
    expected = table.cond_prob_list(new, old)
    assert found.substitution.probability == pytest.approx(expected, rel=1e-12)
    assert np.isnan(probability([(Species("Xe", 1), Species("Li", 1))]))


def test_known_relatives_of_the_argyrodite(argyrodite: DesignResult) -> None:
    assert {"Li6PS5Br", "Li6PS5I", "Li6PSe5Cl", "Li6AsS5Cl"} <= formulas(argyrodite)
    best = argyrodite.designs[0].substitution
    assert all(best.probability >= d.substitution.probability for d in argyrodite.designs)


def test_every_candidate_is_neutral_sound_and_can_be_described(argyrodite: DesignResult) -> None:
    for one in argyrodite.designs:
        charge = sum(s.oxidation or 0.0 for c in one.record.species for s in c)
        assert charge == pytest.approx(0.0, abs=1e-9)
        assert one.substitution.radius_mismatch_A <= 0.45
        assert 1 / 1.5 <= one.volume_factor <= 1.5
        assert prepare(one.record).roles.is_mobile.sum() == 6
        assert "data-mined probability" in one.why


def test_nothing_is_lost(argyrodite: DesignResult) -> None:
    assert sum(argyrodite.refused_by_kind.values()) == len(argyrodite.refused)
    kinds = argyrodite.refused_by_kind
    assert {"not charge neutral", "probability", "radius mismatch", "element excluded"} <= set(
        kinds
    )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ({"elements": ("Br", "I")}, {"Li6PS5Br", "Li6PS5I"}),
        ({"elements": ("Br", "I"), "exclude": ("I",)}, {"Li6PS5Br"}),
        ({"elements": ("Se",), "sites": ("X",)}, {"Li6PSe4SCl"}),
        ({"elements": ("Se", "Br"), "max_substitutions": 1}, {"Li6PSe5Cl", "Li6PS5Br"}),
        ({"elements": ("Br", "I"), "max_radius_mismatch_A": 0.2}, {"Li6PS5Br"}),
        ({"elements": ("Br", "As"), "min_probability": 5e-3}, {"Li6PS5Br"}),
        ({"elements": ("Se",), "separate_sites": True}, {"Li6PSe4SCl", "Li6PS4SeCl", "Li6PSe5Cl"}),
        ({"elements": ("Si", "Br"), "rule": "pools"}, {"Li6PS5Br"}),
    ],
)
def test_rules(rules: dict[str, object], expected: set[str]) -> None:
    template = template_of(structures.get("Li6PS5Cl_F43m"), "Li", bool(rules.get("separate_sites")))
    assert formulas(made(template, **rules)) == expected


def test_an_exchange_of_charge_between_two_sites_is_found() -> None:
    """Li7PS6 → Li7SiS5Cl: P5+→Si4+ together with S2−→Cl− on one of the isolated sites."""
    template = embedded_template(PROTOTYPES["Li7PS6-Pna21"])
    result = made(template, elements=("Si", "Cl"), sites=("M", "Y2"), min_probability=1e-5)
    assert formulas(result) == {"Li7SiS5Cl"}


def test_another_mobile_species() -> None:
    result = made(embedded_template(PROTOTYPES["LiTi2P3O12-R3c"]), mobile="Na", elements=("Zr",))
    assert formulas(result) == {"NaTi2P3O12", "NaZr2P3O12"}
    assert all(d.substitution.text.startswith("Li+→Na+") for d in result.designs)


def test_mobile_ions_make_up_for_charge_where_sites_allow() -> None:
    """Li3InCl6 → Li2ZrCl6 by taking one Li; In → Cd would want a fourth, and there is no site."""
    template = template_of(structures.get("Li3InCl6_ordered"), "Li")
    result = made(template, elements=("Zr", "Cd"), aliovalent=True)
    assert formulas(result) == {"Li2ZrCl6"}
    (zirconium,) = result.designs
    assert zirconium.mobile_change == -1
    assert zirconium.record.is_ordered
    assert "taken out for neutrality" in zirconium.why
    assert any(
        r.reason.startswith("mobile ions: 1 more wanted, and the prototype has 0 empty")
        for r in result.refused
    )


def test_mobile_ions_are_added_on_empty_sites() -> None:
    """Li2ZrCl6 with Li on two of three sites of Li3InCl6: Zr → In fills the third."""
    ordered = structures.get("Li3InCl6_ordered")
    content = {
        "Li": (SiteSpecies("Li", 2 / 3),),
        "In": (SiteSpecies("Zr"),),
        "Cl": (SiteSpecies("Cl"),),
    }
    species = tuple(content[c[0].element] for c in ordered.species)
    record = StructureRecord(
        id="Li2ZrCl6", lattice=ordered.lattice, species=species, frac=ordered.frac
    )
    template = template_of(record, "Li")
    assert len(template.vacant_frac) == 1
    assert "ordered cell" in template.note
    result = made(template, elements=("In",), aliovalent=True, min_probability=1e-6)
    assert [d.mobile_change for d in result.designs] == [1]
    assert result.designs[0].record.composition == {"Li": 3.0, "Cl": 6.0, "In": 1.0}


def test_equal_structures_count_once() -> None:
    twice = [embedded_template(PROTOTYPES["argyrodite-F43m"])] * 2
    once = design(twice[:1], SubstitutionRules(elements=("Br", "Se")))
    both = design(twice, SubstitutionRules(elements=("Br", "Se")))
    assert [d.record.id for d in both.designs] == [d.record.id for d in once.designs]
    assert both.refused_by_kind["duplicate"] == len(once.designs)


def test_a_file_and_the_same_embedded_prototype_give_the_same_structures() -> None:
    """Labels made from a structure are as good as those of the table."""
    own = made(template_of(structures.get("Li8TiS6_hcp"), "Li"), elements=("Ge", "Se"))
    table = made(embedded_template(PROTOTYPES["Li8TiS6-P63cm"]), elements=("Ge", "Se"))
    assert formulas(own) == formulas(table) == {"Li8GeS6", "Li8TiSe6", "Li8GeSe6"}
    volumes = {d.record.id.rpartition("_")[2]: d.volume_factor for d in table.designs}
    for one in own.designs:
        expected = volumes[one.record.id.rpartition("_")[2]]
        assert one.volume_factor == pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize(
    ("name", "mobile", "reason"),
    [("LiN3", "Li", "polyanions"), ("Li2B12H12_alpha_ideal", "Li", "no anion can be assigned")],
)
def test_structures_that_cannot_be_prototypes_say_why(name: str, mobile: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        template_of(structures.get(name), mobile)


def test_the_mobile_species_of_a_structure_is_found() -> None:
    assert template_of(structures.get("AgI_zb"), "Na").prototype.labels["A"].element == "Ag"


def test_too_many_combinations_are_an_error_not_a_wait() -> None:
    template = embedded_template(PROTOTYPES["LiTi2P3O12-R3c"])
    with pytest.raises(InputError, match="combinations, more than 50; name elements or sites"):
        made(template, max_combinations=50)
    with pytest.raises(InputError, match=r"no site 'Q'; its labels are A \(Li\+\), M1 \(Ti4\+\)"):
        made(template, sites=("Q",))


@pytest.mark.parametrize(
    ("rules", "reason"),
    [
        ({"mobile": "Mg"}, "mobile species 'Mg'"),
        ({"rule": "guess"}, "use one of mined, pools"),
        ({"elements": ("Xx",)}, "'Xx' is no element"),
        ({"min_probability": 2.0}, "must be from 0 to 1"),
        ({"max_substitutions": 0}, "must be from 1 to 10"),
    ],
)
def test_wrong_rules_are_named(rules: dict[str, object], reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        SubstitutionRules(**rules)  # type: ignore[arg-type]


RULES = SubstitutionRules(elements=("Br", "I", "Se"))


def table(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def written(out: Path) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in out.iterdir()}


def test_a_design_in_files(tmp_path: Path, argyrodite: DesignResult) -> None:
    (tmp_path / "own.cif").write_text(cif_text(structures.get("Li6PS5Cl_F43m")))
    names = [str(tmp_path / "own.cif")]
    result = design([load_template(names[0], RULES)], RULES)
    out = tmp_path / "out"
    facts = write_design(result, out, names, RULES)
    rows = table(out / "candidates.csv")
    assert [row["id"] for row in rows] == [d.record.id for d in result.designs]
    assert len(table(out / "rejected.csv")) == len(result.refused)
    counted = table(out / "rejected_counts.csv")
    assert {row["kind"]: int(row["count"]) for row in counted} == result.refused_by_kind
    assert facts["complete"]
    assert yaml.safe_load((out / "generate.yaml").read_text()) == json.loads(json.dumps(facts))
    # What 'ionsieve screen' reads is what was made, charges included.
    back = {r.id: r for r in read_structures([out], "Li").records}
    assert set(back) == {d.record.id for d in result.designs}
    for one in result.designs:
        read = back[one.record.id]
        assert read.volume_A3 == pytest.approx(one.record.volume_A3, rel=1e-8)
        assert read.composition == one.record.composition
        states = {(s.element, s.oxidation) for c in read.species for s in c}
        assert states == {(s.element, s.oxidation) for c in one.record.species for s in c}
    before = written(out)
    check_folder(out, names, RULES)
    write_design(design([load_template(names[0], RULES)], RULES), out, names, RULES)
    assert written(out) == before
    with pytest.raises(InputError, match="other prototypes or rules"):
        check_folder(out, names, SubstitutionRules())
    with pytest.raises(InputError, match=r"holds other files \(out\)"):
        check_folder(tmp_path, names, RULES)


def test_one_structure_out_of_many(tmp_path: Path) -> None:
    lines = []
    for name in ("Li8TiS6_hcp", "LiCl"):
        record = structures.get(name)
        elements = [c[0].element for c in record.species]
        lattice, frac = record.lattice.tolist(), record.frac.tolist()
        lines.append({"id": name, "lattice": lattice, "species": elements, "frac": frac})
    file = tmp_path / "many.jsonl"
    file.write_text("\n".join(map(json.dumps, lines)))
    assert load_template(f"{file}#Li8TiS6_hcp", RULES).prototype.formula == "Li8TiS6"
    with pytest.raises(InputError, match="holds 2 structures; name one as"):
        load_template(str(file), RULES)
    with pytest.raises(InputError, match="holds no structure 'x'"):
        load_template(f"{file}#x", RULES)
    with pytest.raises(InputError, match="did you mean argyrodite-F43m"):
        load_template("argyrodit-F43m", RULES)
