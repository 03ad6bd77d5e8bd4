"""The Python front door, used as a script would use it."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from pymatgen.core import Lattice, Structure

import ionsieve as ion
from ionsieve.api.structures import as_records
from ionsieve.data.embedded.aimd import load_aimd_structures

SRC = Path(__file__).parents[2] / "src"

SCRIPT = """
import ionsieve as ion
from pymatgen.core import Lattice, Structure
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.impute import SimpleImputer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

SALTS = {"F": 4.03, "Cl": 5.13, "Br": 5.50, "I": 6.00}
salts = [
    Structure.from_spacegroup("Fm-3m", Lattice.cubic(a), ["Li", x], [[0, 0, 0], [0.5, 0.5, 0.5]])
    for x, a in SALTS.items()
]
table = ion.featurize(salts, families=["composition", "density", "radial"], workers=2)
print(table.shape[0], "rows")
pipeline = make_pipeline(
    ion.StructureFeaturizer(families=["isolated_anions", "density"], numeric=True),
    SimpleImputer(keep_empty_features=True),
    ExtraTreesRegressor(5, random_state=0),
)
print(len(cross_val_score(pipeline, salts, [1.0, 2.0, 3.0, 4.0], cv=2,
                          scoring="neg_mean_absolute_error")), "scores")
result = ion.screen(salts, workers=2, follow_up=2)
print(result)
result.write("result")
import matplotlib
matplotlib.use("Agg")
import matplotlib.pyplot as plt
plt.barh(result.ranking["formula"], result.ranking["p_fast"])
plt.savefig("p_fast.png")
"""


def test_a_script_without_a_main_guard(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(SCRIPT)
    done = subprocess.run(
        [sys.executable, "mine.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(SRC)},
        capture_output=True,
        text=True,
        timeout=1500,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("4 rows\n2 scores\n<screen: 4 ranked")
    assert "Traceback" not in done.stderr
    assert (tmp_path / "result" / "report.html").is_file()
    assert (tmp_path / "p_fast.png").is_file()


def test_every_offered_name_is_there_and_listed() -> None:
    assert set(ion.__all__) == {*ion._OFFERED, "__version__"}
    for name in ion.__all__:
        assert getattr(ion, name).__doc__ or name == "__version__"
    assert set(ion.__all__) <= set(dir(ion))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'skreen'"):
        ion.skreen  # noqa: B018


def test_import_loads_no_science() -> None:
    code = "import sys, ionsieve; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def _argyrodite() -> ion.StructureRecord:
    return next(r for r in load_aimd_structures() if r.id == "Li6PS5Cl_inversion000")


def _salt(a: float = 5.13) -> Structure:
    return Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(a), ["Li", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )


def test_structures_of_every_form_become_records(tmp_path: Path) -> None:
    file = tmp_path / "salt.cif"
    _salt().to(filename=str(file))
    mixed = as_records([_salt(), file, _argyrodite()])
    assert [r.id for r in mixed][:2] == ["0000-LiCl", "salt"]
    assert len(as_records(_salt())) == 1
    assert "3 structures" in repr(mixed)
    assert "<td>salt</td>" in mixed._repr_html_()


def test_what_is_no_structure_is_named() -> None:
    with pytest.raises(ion.InputError, match="item 1: a int is no structure"):
        ion.featurize([_salt(), 3])
    with pytest.raises(ion.InputError, match="no such setting"):
        ion.screen([_salt()], mobil="Li")


def test_html_of_names_is_escaped() -> None:
    record = _argyrodite()
    shown = ion.Structures([replace(record, id="<script>")])._repr_html_()
    assert "<script>" not in shown


def test_isolated_anions_show_themselves() -> None:
    anions = ion.isolated_anions(_argyrodite())
    assert {a.element for a in anions} == {"S", "Cl"}
    assert repr(anions).startswith("<")
    page = anions._repr_html_()
    assert "<svg" in page
    assert "acsf_enrichment" in page


def test_a_campaign_is_its_folder(tmp_path: Path) -> None:
    with pytest.raises(ion.InputError):
        ion.Campaign(tmp_path)
