"""Filters as data: the defaults of Yang 2025, and errors that name the place."""

from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

from ionsieve.data import InputError
from ionsieve.data.disorder.policy import DisorderPolicy
from ionsieve.screening.screen.candidates import collect_candidates
from ionsieve.screening.screen.filters import (
    default_filters,
    families_of,
    load_filters,
    parse_filters,
    split_by_cost,
)


def test_defaults_are_those_of_yang_2025() -> None:
    """npj Comput. Mater. 2025, 10.1038/s41524-025-01559-9: Methods, screening."""
    mobile, number, hull, isolated = default_filters("Na")
    assert mobile.passes(["Na", "Cl"])
    assert not mobile.passes(["Li", "Cl"])
    assert [n for n in range(1, 8) if number.passes(n)] == [3, 4]
    assert hull.passes(0.015)
    assert not hull.passes(0.0151)
    assert hull.passes(None)
    assert isolated.passes("framework")
    assert isolated.passes("antistructure")
    assert not isolated.passes("none")
    assert not isolated.passes("")


def test_descriptors_are_filtered_after_columns_of_the_store() -> None:
    cheap, costly = split_by_cost(default_filters("Li"))
    assert [one.name for one in costly] == ["isolated_anions"]
    assert len(cheap) == 3
    assert families_of(costly) == ("isolated_anions",)


def test_toml_and_yaml_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "f.toml").write_text(
        '[[filters]]\nname = "gap"\ncolumn = "band_gap_eV"\nmin = 1.5\nunknown = "keep"\n'
        '[[filters]]\nname = "no_toxic"\ncolumn = "elements"\nlacks = ["Cd", "Hg"]\n'
    )
    (tmp_path / "f.yaml").write_text(
        "filters:\n  - {name: gap, column: band_gap_eV, min: 1.5, unknown: keep}\n"
        "  - {name: no_toxic, column: elements, lacks: [Cd, Hg]}\n"
    )
    gap, toxic = load_filters(tmp_path / "f.toml", "Li")
    assert (gap, toxic) == load_filters(tmp_path / "f.yaml", "Li")
    assert gap.passes(float("nan"))
    assert not gap.passes(1.49)
    assert not toxic.passes(["Li", "Hg"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ([], "needs one key 'filters'"),
        ({"filters": [], "more": 1}, "needs one key 'filters'"),
        ({"filters": ["x"]}, "filter 1: must be a table"),
        ({"filters": [{"name": "a", "column": "n_site", "max": 1}]}, "did you mean 'n_sites'"),
        ({"filters": [{"name": "a", "column": "n_sites"}]}, "no condition"),
        ({"filters": [{"name": "a", "column": "n_sites", "maximum": 1}]}, "key 'maximum'"),
        ({"filters": [{"name": "a", "column": "n_sites", "max": "many"}]}, "must be a number"),
        ({"filters": [{"name": "a", "column": "formula", "max": 1}]}, "does not apply"),
        ({"filters": [{"column": "n_sites", "max": 1}]}, "name must be a text"),
        ({"filters": [{"name": "a", "column": "elements", "lacks": ["Xx"]}]}, "no element"),
        ({"filters": [{"name": "a", "column": "n_sites", "lacks": ["Li"]}]}, "elements only"),
        ({"filters": [{"name": "a", "column": "n_sites", "in": 3}]}, "must be a list"),
        (
            {"filters": [{"name": "a", "column": "n_sites", "max": 1, "unknown": "ask"}]},
            "'keep' or 'drop'",
        ),
        ({"filters": [{"name": "a", "column": "n_sites", "max": 1}] * 2}, "two filters"),
    ],
)
def test_errors_name_the_place(content: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        parse_filters(content, "table", "Li")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("f.yaml", "filters: [", "not valid YAML"),
        ("f.toml", "filters = [", "not valid TOML"),
        ("f.yaml", "!!python/object/apply:os.system ['true']", "not valid YAML"),
    ],
)
def test_broken_files(tmp_path: Path, name: str, text: str, message: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(InputError, match=message):
        load_filters(tmp_path / name, "Li")


def test_an_absent_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        load_filters(tmp_path / "absent.yaml", "Li")


def test_the_funnel_says_what_was_not_tested(tmp_path: Path) -> None:
    """Files have no energy above hull: the filter keeps them, but not in silence."""
    for name, a in (("one", 5.13), ("two", 5.6)):
        salt = Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(a), ["Li", "Cl"], [[0] * 3, [0.5] * 3]
        )
        salt.to(filename=str(tmp_path / f"{name}.vasp"), fmt="poscar")
    filters = default_filters("Li")
    found = collect_candidates([tmp_path], "Li", DisorderPolicy(), filters[2:3], lambda *_: None)
    stage = found.funnel.frame().set_index("stage").loc["energy_above_hull"]
    assert (stage["kept"], stage["dropped"]) == (2, 0)
    assert stage["reason"].endswith("; 2 of the kept have no value and were not tested")
    tested = collect_candidates([tmp_path], "Li", DisorderPolicy(), filters[:1], lambda *_: None)
    assert tested.funnel.frame().set_index("stage").loc["mobile_species", "reason"] == (
        filters[0].reason
    )
