"""StructureFeaturizer as a scikit-learn transformer and as a matminer featurizer."""

import math
import pickle
import subprocess
import sys
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import SkipTestWarning
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.utils import estimator_checks
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import structures
from ionsieve.data import FeatureError, StructureRecord
from ionsieve.data.convert import to_pymatgen
from ionsieve.features import StructureFeaturizer, catalogue, prepare
from ionsieve.features.catalogue import FAMILY_NAMES, families
from ionsieve.features.core.columns import Family
from ionsieve.features.featurizer import featurize_many, featurize_one, numeric_columns

NAMES = ("LiCl", "Li6PS5Cl_F43m", "LGPS_exp", "Li3N_alpha")
CHEAP = ("isolated_anions", "density")
NUMERIC = ("density",)


@pytest.fixture
def table() -> pd.DataFrame:
    crystals = [to_pymatgen(structures.get(name)) for name in NAMES]
    return pd.DataFrame({"structure": crystals, "name": NAMES}, index=[7, 3, 5, 1])


@pytest.fixture
def ordered(table: pd.DataFrame) -> pd.DataFrame:
    """Without the disordered one, which matminer's own featurizer refuses."""
    return table.drop(index=5)


with warnings.catch_warnings():
    # The tags say that X holds structures; scikit-learn then has no checks of its own to offer.
    warnings.simplefilter("ignore", SkipTestWarning)
    _checks = parametrize_with_checks([StructureFeaturizer()])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@_checks
def test_scikit_learn_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_check_estimator_passes() -> None:
    check_estimator(StructureFeaturizer(["density"]))


@pytest.mark.parametrize(
    "name",
    [
        "check_estimator_cloneable",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_estimator_repr",
        "check_no_attributes_set_in_init",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
        "check_get_params_invariance",
        "check_set_params",
        "check_parameters_default_constructible",
    ],
)
def test_every_check_that_needs_no_numbers(name: str) -> None:
    getattr(estimator_checks, name)("StructureFeaturizer", StructureFeaturizer(mobile="Na"))


def test_transform_gives_one_named_row_per_structure(table: pd.DataFrame) -> None:
    featurizer = StructureFeaturizer(CHEAP)
    out = featurizer.fit_transform(table["structure"])
    assert list(out.columns) == list(featurizer.get_feature_names_out())
    assert list(out.columns) == [c.name for c in catalogue(CHEAP)]
    assert list(out.index) == list(table.index)
    assert featurizer.reasons_.empty
    by_frame = featurizer.transform(table[["structure"]])
    pd.testing.assert_frame_equal(out, by_frame)
    by_list = featurizer.transform(list(table["structure"]))
    assert by_list.index.name == "id"
    np.testing.assert_array_equal(by_list["density_g_cm3"], out["density_g_cm3"])


def test_records_prepared_and_pymatgen_structures_give_the_same() -> None:
    record = structures.get("Li6PS5Cl_F43m")
    rows = StructureFeaturizer(CHEAP).transform([record, prepare(record), to_pymatgen(record)])
    first = rows.iloc[0][numeric_columns(CHEAP)].astype(float)
    for i in (1, 2):
        other = rows.iloc[i][numeric_columns(CHEAP)].astype(float)
        np.testing.assert_allclose(other, first, rtol=1e-12, atol=0)


def test_a_structure_prepared_for_another_species_is_not_taken_for_this_one() -> None:
    given = prepare(structures.get("Li2S"), "Li")
    featurizer = StructureFeaturizer(CHEAP, mobile="Na")
    assert featurizer.transform([given]).loc["Li2S", numeric_columns(CHEAP)].isna().all()
    assert "holds no Na" in featurizer.reasons_["Li2S"]
    assert featurize_one(given, families(CHEAP), "Na").values is None


def test_what_cannot_be_featurized_is_nan_with_a_reason() -> None:
    featurizer = StructureFeaturizer(CHEAP)
    out = featurizer.transform([structures.get("AgI_zb"), structures.get("LiF")])
    assert out.loc["AgI_zb", numeric_columns(CHEAP)].isna().all()
    assert out.loc["AgI_zb", "isolated_class"] == ""
    assert out.loc["LiF", "density_g_cm3"] > 0
    assert list(featurizer.reasons_.index) == ["AgI_zb"]
    assert "holds no Li" in featurizer.reasons_["AgI_zb"]


def test_wrong_input_is_named() -> None:
    with pytest.raises(FeatureError, match="cannot featurize a float"):
        StructureFeaturizer(CHEAP).transform([1.0])
    with pytest.raises(FeatureError, match="2 columns"):
        StructureFeaturizer(CHEAP).transform(pd.DataFrame([[1, 2]]))
    with pytest.raises(FeatureError, match="no feature family 'magic'"):
        StructureFeaturizer(["magic"]).fit([])


def test_clone_pickle_and_set_output(table: pd.DataFrame) -> None:
    featurizer = StructureFeaturizer(CHEAP, mobile="Li")
    again = pickle.loads(pickle.dumps(clone(featurizer)))  # noqa: S301 - our own bytes
    assert again.get_params() == featurizer.get_params()
    expected = featurizer.transform(table["structure"])
    for how in ("default", "pandas"):
        out = clone(featurizer).set_output(transform=how).fit_transform(table["structure"])
        pd.testing.assert_frame_equal(out, expected)


def test_works_in_pipelines_unions_and_column_transformers(table: pd.DataFrame) -> None:
    crystals = table["structure"]
    pipeline = make_pipeline(StructureFeaturizer(NUMERIC), SimpleImputer(), DummyRegressor())
    assert pipeline.fit(crystals, np.arange(4.0)).predict(crystals).shape == (4,)
    columns = ColumnTransformer(
        [("s", StructureFeaturizer(NUMERIC), ["structure"])], verbose_feature_names_out=False
    ).set_output(transform="pandas")
    out = columns.fit_transform(table)
    pd.testing.assert_frame_equal(out, StructureFeaturizer(NUMERIC).transform(crystals))
    union = FeatureUnion([("a", StructureFeaturizer(NUMERIC)), ("b", StructureFeaturizer(CHEAP))])
    n_columns = len(catalogue(NUMERIC)) + len(catalogue(CHEAP))
    assert union.fit_transform(crystals).shape == (4, n_columns)


def test_batch_and_single_give_the_same_numbers_for_every_family() -> None:
    records = [structures.get(name) for name in (*NAMES, "AgI_zb")]
    chosen = families()
    for record, row in zip(records, featurize_many(records, chosen), strict=True):
        single = featurize_one(record, chosen)
        assert (row.id, row.reason) == (single.id, single.reason)
        assert (row.values is None) == (single.values is None) == (record.id == "AgI_zb")
        for name, value in (row.values or {}).items():
            other = (single.values or {})[name]
            assert other == value or other == pytest.approx(value, rel=1e-10, abs=0, nan_ok=True)


def test_batch_functions_are_used_and_one_bad_structure_costs_only_itself() -> None:
    columns = families(["density"])[0].columns[:1]
    calls = []

    def compute(prepared: Any, notes: list[str]) -> dict[str, float]:
        calls.append(prepared.record.id)
        if prepared.record.id == "LiF":
            raise ValueError("no")
        return {columns[0].name: 1.0}

    def compute_batch(prepared: Any, notes: Any) -> list[dict[str, float]]:
        return [compute(p, n) for p, n in zip(prepared, notes, strict=True)]

    family = Family("density", columns, compute, compute_batch)
    crystals = [structures.get(name) for name in ("LiCl", "LiF", "Li2S")]
    rows = list(featurize_many(crystals, [family]))
    assert [row.reason for row in rows] == ["", "density: ValueError: no", ""]
    values = [row.values[columns[0].name] for row in rows if row.values]
    assert values == [1.0, pytest.approx(np.nan, nan_ok=True), 1.0]
    calls.clear()
    list(featurize_many([crystals[0]] * 600, [family]))
    assert len(calls) == 600


def test_importing_the_featurizer_does_not_import_matminer() -> None:
    code = (
        "import sys; import ionsieve.features.featurizer; "
        "sys.exit('matminer' in sys.modules or 'dscribe' in sys.modules)"
    )
    environment = {"PYTHONPATH": ":".join(sys.path)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, check=False)
    assert done.returncode == 0


# matminer and its dependencies use deprecated interfaces of others; nothing here can change that.
@pytest.mark.filterwarnings("ignore")
class TestMatminer:
    """The contract of ``matminer.featurizers.base``, checked with matminer itself."""

    def test_in_a_multiple_featurizer(self, ordered: pd.DataFrame) -> None:
        from matminer.featurizers.base import MultipleFeaturizer
        from matminer.featurizers.structure import DensityFeatures

        for by_entry in (True, False):
            both = MultipleFeaturizer(
                [StructureFeaturizer(CHEAP), DensityFeatures()], iterate_over_entries=by_entry
            )
            both.set_n_jobs(1)
            out = both.fit_featurize_dataframe(ordered, "structure", pbar=False)
            assert list(out.columns[:2]) == ["structure", "name"]
            assert list(out.index) == list(ordered.index)
            np.testing.assert_allclose(out["density_g_cm3"], out["density"], rtol=1e-3)
            assert len(both.citations()) > 2
            assert "The ionsieve developers" in both.implementors()

    def test_errors_as_matminer_reports_them(self, ordered: pd.DataFrame) -> None:
        from matminer.featurizers.base import MultipleFeaturizer
        from matminer.featurizers.structure import DensityFeatures

        crystals = list(ordered["structure"])
        crystals[1] = to_pymatgen(structures.get("AgI_zb"))
        ordered = pd.DataFrame({"structure": crystals}, index=ordered.index)
        both = MultipleFeaturizer([StructureFeaturizer(CHEAP), DensityFeatures()])
        both.set_n_jobs(1)
        out = both.featurize_dataframe(
            ordered, "structure", ignore_errors=True, return_errors=True, pbar=False
        )
        assert "holds no Li" in out.loc[3, "StructureFeaturizer Exceptions"]
        assert np.isnan(out.loc[7, "StructureFeaturizer Exceptions"])
        assert np.isnan(out.loc[3, "density_g_cm3"])
        assert out.loc[3, "density"] > 0

    def test_columns_under_two_levels(self, ordered: pd.DataFrame) -> None:
        from matminer.featurizers.base import MultipleFeaturizer
        from matminer.featurizers.structure import DensityFeatures

        both = MultipleFeaturizer([StructureFeaturizer(NUMERIC), DensityFeatures()])
        both.set_n_jobs(1)
        out = both.featurize_dataframe(ordered, "structure", multiindex=True, pbar=False)
        assert ("StructureFeaturizer", "density_g_cm3") in out.columns

    def test_alone_it_does_as_matminer_does(self, ordered: pd.DataFrame) -> None:
        from matminer.featurizers.base import BaseFeaturizer
        from matminer.featurizers.structure import DensityFeatures

        ours, theirs = StructureFeaturizer(NUMERIC), DensityFeatures()
        theirs.set_n_jobs(1)
        for options in ({}, {"multiindex": True}, {"ignore_errors": True, "return_errors": True}):
            a = ours.featurize_dataframe(ordered.copy(), "structure", pbar=False, **options)
            b = theirs.featurize_dataframe(ordered.copy(), "structure", pbar=False, **options)
            assert a.columns.nlevels == b.columns.nlevels
            assert list(a.columns[:2]) == list(b.columns[:2])
            assert list(a.index) == list(b.index)
            assert a.shape[0] == b.shape[0]
        public = {name for name in dir(BaseFeaturizer) if not name.startswith("_")}
        assert public - set(dir(ours)) == set()

    def test_inplace_and_name_clashes(self, ordered: pd.DataFrame) -> None:
        featurizer = StructureFeaturizer(NUMERIC)
        assert featurizer.featurize_dataframe(ordered, "structure", inplace=True) is None
        assert ordered["density_g_cm3"].gt(0).all()
        with pytest.raises(FeatureError, match="has a column 'density_g_cm3' already"):
            featurizer.featurize_dataframe(ordered, "structure")

    def test_precheck_and_single_values(self, ordered: pd.DataFrame) -> None:
        featurizer = StructureFeaturizer(CHEAP)
        assert featurizer.precheck_dataframe(ordered, "structure") == 1.0
        assert not featurizer.precheck(to_pymatgen(structures.get("AgI_zb")))
        values = featurizer.featurize(ordered["structure"][7])
        assert len(values) == len(featurizer.feature_labels())
        with pytest.raises(FeatureError, match="holds no Li"):
            featurizer.featurize(to_pymatgen(structures.get("AgI_zb")))


def test_every_citation_names_its_source() -> None:
    citations = StructureFeaturizer().citations()
    assert all(citation.startswith("@") for citation in citations)
    assert any("10.1038/s41524-025-01559-9" in citation for citation in citations)
    assert len(StructureFeaturizer().feature_labels()) == len(catalogue(FAMILY_NAMES))


def test_ids_of_records_index_the_result() -> None:
    a, b = structures.get("LiF"), structures.get("LiCl")
    same = StructureRecord(id="LiF", lattice=b.lattice, species=b.species, frac=b.frac)
    out = StructureFeaturizer(NUMERIC).transform([a, same])
    assert list(out.index) == ["LiF", "LiF"]
    assert out["density_g_cm3"].nunique() == 2


def test_values_are_rounded_to_what_they_mean(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = {"a": 1 / 3, "b": np.float64(-3e-15), "truth": True, "word": "cubic"}
    rounded = {"a": 0.33333333, "b": 0.0, "truth": True, "word": "cubic"}
    noisy = Family("noisy", (), lambda prepared, notes: raw, lambda many, notes: [raw])
    crystal = structures.get("LiCl")
    for row in (featurize_one(crystal, [noisy]), *featurize_many([crystal], [noisy])):
        assert row.values == rounded
        assert math.copysign(1.0, row.values["b"]) == 1.0


@pytest.mark.parametrize("name", ["voronoi_order", "bond_order", "anion_packing", "composition"])
def test_a_block_has_the_values_of_one_by_one(name: str) -> None:
    """Ordered crystals at once, and with one whose cells are not defined in their midst."""
    one = families([name])
    names = ["Li6PS5Cl_F43m", "Li2S", "Li3PS4_gamma", "Li8SiSe6_hcp", "Li7N2I_R3m"]
    for chosen in (names, [*names[:2], "Li6PS5Cl_exp48h", *names[2:]]):
        records = [structures.get(n) for n in chosen]
        rows = list(featurize_many(records, one))
        for record, row in zip(records, rows, strict=True):
            alone = featurize_one(record, one)
            assert row.reason == alone.reason
            assert row.values is not None
            assert alone.values is not None
            assert list(row.values) == list(alone.values)
            for column, value in alone.values.items():
                assert row.values[column] == value or (value != value), (record.id, column)
