"""The embedded labels of molecular dynamics with a potential."""

from ionsieve.data import load_aimd_labels, load_mlip_labels
from ionsieve.data.transport.label_table import check_label_table


def test_kind_and_materials() -> None:
    labels = load_mlip_labels()
    assert set(labels["kind"]) == {"mlip_md"}
    assert set(labels["structure_id"]) <= set(load_aimd_labels()["structure_id"])
    assert labels["structure_id"].is_unique


def test_a_run_has_a_value_or_a_bound_and_a_melt_has_neither() -> None:
    labels = load_mlip_labels()
    molten = labels["verdict"] == "molten"
    assert (labels[["value", "upper"]].notna().sum(axis=1)[~molten] == 1).all()
    assert labels.loc[molten, ["value", "upper"]].isna().all(axis=None)
    assert (labels["value"].notna() == (labels["verdict"] == "diffusive")).all()


def test_rows_are_those_of_a_label_table() -> None:
    labels = load_mlip_labels()
    usable = labels[labels["verdict"] != "molten"]
    assert len(check_label_table(usable)) == len(usable)
