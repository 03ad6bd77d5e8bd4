import numpy as np
import pandas as pd
import pytest

from ionsieve.data import ModelError, StructureRecord
from ionsieve.data.embedded.experiment import load_experiment_labels
from ionsieve.models import SPLITTERS, describe_compositions, describe_structures, make_splitter
from ionsieve.models.labels.folds import joined_groups


@pytest.fixture(scope="module")
def structures():
    cell = np.eye(3) * 4.0
    rock_salt = [[0, 0, 0], [0.5, 0.5, 0.5]]
    records = [
        StructureRecord.ordered("LiF", cell, ["Li", "F"], rock_salt),
        StructureRecord.ordered("LiCl", cell * 1.2, ["Li", "Cl"], rock_salt),
        StructureRecord.ordered(
            "Li2F2", np.diag([8.0, 4, 4]), ["Li", "Li", "F", "F"],
            [[0, 0, 0], [0.5, 0, 0], [0.25, 0.5, 0.5], [0.75, 0.5, 0.5]],
        ),
        StructureRecord.ordered(
            "LiFCl", cell * 1.5, ["Li", "F", "Cl"], [[0, 0, 0], [0.5, 0.5, 0], [0, 0.5, 0.5]]
        ),
    ]  # fmt: skip
    return describe_structures(records)


@pytest.fixture
def labels(structures):
    return pd.DataFrame(
        {
            "structure_id": structures.index,
            "group": ["halide", "halide", "", ""],
            "source": ["p1", "p2", "p1", "p3"],
        }
    )


def test_structures_are_described(structures):
    assert structures.loc["Li2F2", "formula"] == structures.loc["LiF", "formula"] == "LiF"
    assert structures["chemsys"].tolist() == ["F-Li", "Cl-Li", "F-Li", "Cl-F-Li"]
    assert structures.loc["LiF", "prototype"] == structures.loc["LiCl", "prototype"] == "AB-221"


@pytest.mark.parametrize(
    ("name", "together"),
    [
        ("formula", {("LiF", "Li2F2")}),
        ("chemsys", {("LiF", "Li2F2")}),
        ("family", {("LiF", "LiCl")}),
        ("doi", {("LiF", "Li2F2")}),
    ],
)
def test_each_splitter_keeps_its_leak_closed(labels, structures, name, together):
    splitter = make_splitter(name, n_folds=None)
    assigned = splitter.assign(labels, structures)
    for train, test in splitter.split(assigned):
        for a, b in together:
            sides = {assigned["structure_id"].iloc[i] in (a, b) for i in train}
            if True in sides:
                held = set(assigned["structure_id"].iloc[test])
                assert not ({a, b} & held)


def test_every_splitter_says_which_leak_it_prevents():
    for splitter in SPLITTERS.values():
        assert "Prevents:" in splitter.__doc__
        assert "Leaves open:" in splitter.__doc__


def test_clusters_hold_out_regions_of_feature_space(labels, structures):
    features = pd.DataFrame({"x": [0.0, 0.1, 9.0, 9.1]}, index=structures.index)
    splitter = make_splitter("cluster", n_folds=None)
    splitter.n_clusters = 2
    groups = splitter.assign(labels, structures, features)["group"]
    assert groups[0] == groups[1] != groups[2] == groups[3]


def test_folds_are_a_partition_and_depend_on_the_seed():
    groups = np.arange(40) // 2
    folds = {s: list(make_splitter("doi", 5, seed=s).split(None, groups=groups)) for s in (0, 1)}
    tests = np.concatenate([test for _, test in folds[0]])
    assert sorted(tests) == list(range(40))
    assert any(not np.array_equal(a[1], b[1]) for a, b in zip(folds[0], folds[1], strict=True))


def test_a_structure_in_two_papers_joins_them():
    groups = joined_groups(["a", "a", "b", "c"], ["p1", "p2", "p2", "p3"])
    np.testing.assert_array_equal(groups, [0, 0, 0, 1])
    np.testing.assert_array_equal(joined_groups(["a", "b", "a"], ["", "", ""]), [0, 1, 0])


def test_papers_that_share_a_composition_are_held_out_together():
    labels = pd.DataFrame(
        {
            "structure_id": list("abcdef"),
            "doi": ["1", "1", "2", "3", "", ""],
            "source": "",
        }
    )
    described = pd.DataFrame(
        {"formula": ["Li3N", "LiCl", "LiCl", "LiF", "LiF", "Li2O"], "chemsys": "", "prototype": ""},
        index=list("abcdef"),
    )
    groups = make_splitter("doi+formula").group_names(labels, described)
    # 1 and 2 share LiCl, 3 and the paperless row share LiF, Li2O stands alone.
    assert [groups[i] == groups[j] for i, j in [(0, 1), (1, 2), (3, 4)]] == [True] * 3
    assert groups.nunique() == 3


def test_joined_groups_of_the_experiment_table():
    labels = load_experiment_labels()
    described = labels.set_index("structure_id")[["formula"]]
    groups = make_splitter("doi+formula").assign(labels, described)
    assert (groups.groupby("doi")["group"].nunique() == 1).all()
    assert (groups.groupby("formula")["group"].nunique() == 1).all()
    assert 100 < groups["group"].nunique() < labels["doi"].nunique()


def test_compositions_are_described_as_structures_are():
    table = describe_compositions({"x": {"Li": 2.0, "S": 1.0}}, {"x": 225})
    assert table.loc["x"].tolist() == ["Li2S", "Li-S", "AB2-225"]


def test_unknown_names_and_missing_tables_are_refused(labels):
    with pytest.raises(ModelError, match=r"formula, chemsys, family, doi, doi\+formula, cluster"):
        make_splitter("random")
    with pytest.raises(ModelError, match="needs the structures"):
        make_splitter("formula").assign(labels)
