"""The same crystals and labels under another instruction set: the same table and ranking."""

import json
import os
import subprocess
import sys
from typing import Any

FAMILIES = ("frustration", "voronoi_order", "bond_order", "anion_packing")
"""Cheap to compile, and without rounding a third of their numbers differ in the last bits."""
N_STRUCTURES = 14

PROGRAM = f"""
import json
import warnings
from ionsieve.data.embedded.aimd import load_aimd_labels, load_aimd_structures
from ionsieve.features.featurizer import StructureFeaturizer, numeric_columns
from ionsieve.models import ConductivityModel

names = {FAMILIES!r}
labels = load_aimd_labels()
labelled = set(labels["structure_id"])
records = [r for r in load_aimd_structures() if r.id in labelled]
chosen = records[:: len(records) // {N_STRUCTURES}]
table = StructureFeaturizer(names).transform(chosen)[numeric_columns(names)]
labels = labels[labels["structure_id"].isin(table.index)].reset_index(drop=True)
warnings.simplefilter("ignore")  # of a calibration with few structures
model = ConductivityModel(n_folds=3).fit(table, labels)
predicted = model.predict(table, 300.0)[["p_exceeds", "prediction", "low", "domain_distance"]]
ranking = predicted.sort_values("p_exceeds", ascending=False, kind="stable").round(9)
print(json.dumps({{
    "columns": table.columns.tolist(),
    "table": [[float(x).hex() for x in row] for row in table.to_numpy()],
    "ranking": ranking.to_csv(),
}}))
"""

PROCESS = """
import json
import numpy as np
from ionsieve.models.learners.gaussian_process import BoundedGaussianProcess
from ionsieve.models.learners.process_shares import process_shares

rng = np.random.default_rng(0)
X = rng.normal(size=(60, 40))
X = np.round(np.hstack([X, 2.0 * X, np.sin(X)]), 9)  # many columns of equal ranks
y = np.round(np.sin(X[:, 0]) + X[:, 1] * X[:, 2] + 0.3 * rng.normal(size=60), 9)
bounds = np.column_stack([np.where(rng.random(60) < 0.2, -np.inf, y), y])
learner = BoundedGaussianProcess().fit(X, bounds)
mean, spread = learner.predict_with_spread(X[::3] + 0.1)
shares = process_shares(learner, X[::3] + 0.1)
columns = learner.filling_.source
print(json.dumps([np.round(v, 8).tolist() for v in (columns, mean, spread, shares)]))
"""


def other_instruction_set() -> dict[str, str]:
    """Environment in which NumPy, Numba and BLAS use only what every x86-64 processor has;
    the C library forgets the wider ones too."""
    from numpy._core._multiarray_umath import __cpu_dispatch__

    return {
        "NPY_DISABLE_CPU_FEATURES": " ".join(__cpu_dispatch__),
        "NUMBA_CPU_NAME": "generic",
        "NUMBA_CPU_FEATURES": "",
        "OPENBLAS_CORETYPE": "Nehalem",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX2,-FMA,-FMA4,-AVX512F,-AVX512VL",
        "OMP_NUM_THREADS": "1",
    }


def computed(environment: dict[str, str], program: str = PROGRAM) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=1500,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_another_instruction_set_finds_the_same_table_and_ranking(tmp_path) -> None:
    here = computed({"OMP_NUM_THREADS": "1"})
    there = computed({**other_instruction_set(), "NUMBA_CACHE_DIR": str(tmp_path)})
    assert len(here["table"]) >= N_STRUCTURES
    different = [
        (column, a, b)
        for row_a, row_b in zip(here["table"], there["table"], strict=True)
        for column, a, b in zip(here["columns"], row_a, row_b, strict=True)
        if a != b
    ]
    assert different == []
    assert there["ranking"] == here["ranking"]


def test_another_instruction_set_finds_the_same_gaussian_process() -> None:
    here = computed({"OMP_NUM_THREADS": "1"}, PROCESS)
    assert computed(other_instruction_set(), PROCESS) == here
