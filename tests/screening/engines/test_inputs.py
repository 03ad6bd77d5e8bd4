"""Inputs parsed back by independent readers; the external programs' scripts on stand-ins."""

import os
import re
import shutil
import subprocess
from io import StringIO
from pathlib import Path

import numpy as np
import pytest
import yaml
from pymatgen.analysis.structure_matcher import StructureMatcher
from pymatgen.io.vasp import Incar, Kpoints, Poscar

from campaigns import argyrodite
from ionsieve.data.convert import to_pymatgen
from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.errors import InputError
from ionsieve.data.records import reduced_formula
from ionsieve.screening.engines.cp2k import cp2k_input
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.engines.scripts import job_script
from ionsieve.screening.engines.vasp import vasp_incar
from ionsieve.screening.jobs.failures import Cause
from ionsieve.screening.jobs.plan import AimdPlan, make_plan
from ionsieve.screening.jobs.protocol import ProtocolSettings

ORDERED = {"Li8TiS6": "Li8TiS6", "Li6VCl8": "Li6VCl8"}


@pytest.fixture(scope="module")
def plans() -> dict[str, AimdPlan]:
    by_formula = {reduced_formula(r.composition): r for r in load_aimd_structures()}
    settings = ProtocolSettings()
    made = {n: make_plan(by_formula[f], 1000.0, settings) for n, f in ORDERED.items()}
    return made | {"argyrodite": make_plan(argyrodite(), 800.0, settings)}


NAMES = ["Li8TiS6", "Li6VCl8", "argyrodite"]


@pytest.mark.parametrize("name", NAMES)
def test_vasp_inputs_parsed_back(name: str, plans, tmp_path: Path) -> None:
    plan = plans[name]
    ENGINES["vasp"].write_inputs(plan, tmp_path)
    structure = Poscar.from_file(tmp_path / "POSCAR").structure
    assert StructureMatcher().fit(structure, to_pymatgen(plan.record))
    incar = Incar.from_file(tmp_path / "INCAR")
    assert (incar["NSW"], incar["POTIM"], incar["NBLOCK"]) == (35_000, 2.0, 1)
    assert incar["TEBEG"] == incar["TEEND"] == plan.temperature_K
    assert incar["ISYM"] == 0
    assert incar["MDALGO"] == 2
    kpoints = Kpoints.from_file(tmp_path / "KPOINTS")
    assert kpoints.kpts == [(1, 1, 1)]
    named = (tmp_path / "POTCAR.spec").read_text().split()
    assert [n.split("_")[0] for n in named] == Poscar(structure).site_symbols
    assert not (tmp_path / "POTCAR").exists()


def test_spin_only_for_open_shells(plans, tmp_path: Path) -> None:
    for name, polarised in (("Li8TiS6", False), ("Li6VCl8", True)):
        ENGINES["vasp"].write_inputs(plans[name], tmp_path)
        incar = Incar.from_file(tmp_path / "INCAR")
        assert incar["ISPIN"] == (2 if polarised else 1)
        if polarised:
            n_vanadium = plans[name].record.composition["V"]
            # V2+ is d³.
            assert sum(incar["MAGMOM"]) == pytest.approx(3 * n_vanadium)


@pytest.mark.parametrize("name", NAMES)
def test_cp2k_input_has_the_cell(name: str, plans) -> None:
    text = cp2k_input(plans[name])
    assert text.count("&KIND") == len(plans[name].record.elements)
    opened = re.findall(r"^ *&(?!END)(\w+)", text, re.MULTILINE)
    closed = re.findall(r"^ *&END (\w+)", text, re.MULTILINE)
    assert sorted(opened) == sorted(closed)
    rows = re.findall(r"^ +[ABC] (.*)$", text, re.MULTILINE)
    cell = np.array([[float(x) for x in row.split()] for row in rows])
    np.testing.assert_allclose(cell, plans[name].record.lattice, rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", NAMES)
def test_cp2k_accepts_the_input(name: str, plans, tmp_path: Path) -> None:
    program = shutil.which("cp2k") or shutil.which("cp2k.psmp")
    if program is None:
        pytest.skip("CP2K is not installed")
    ENGINES["cp2k"].write_inputs(plans[name], tmp_path)
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMPI_ALLOW_RUN_AS_ROOT": "1",
                   "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}  # fmt: skip
    checked = subprocess.run(
        [program, "--check", "cp2k.inp"],
        cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=600,
    )  # fmt: skip
    assert "SUCCESS" in checked.stdout, checked.stdout[-2000:] + checked.stderr[-500:]


@pytest.mark.parametrize("name", NAMES)
def test_cp2k_pseudopotentials_exist(name: str, plans) -> None:
    library = Path("/usr/share/cp2k/GTH_POTENTIALS")
    if not library.exists():
        pytest.skip("CP2K's data files are not installed")
    known = library.read_text()
    for element, potential in re.findall(
        r"&KIND (\w+).*?POTENTIAL (\S+)", cp2k_input(plans[name]), re.DOTALL
    ):
        assert re.search(rf"^\s*{element} .*{potential}\b", known, re.MULTILINE), (
            element,
            potential,
        )


@pytest.mark.parametrize("name", NAMES)
def test_espresso_input_parsed_back(name: str, plans, tmp_path: Path) -> None:
    from ase.io.espresso import read_espresso_in, read_fortran_namelist

    plan = plans[name]
    ENGINES["espresso"].write_inputs(plan, tmp_path)
    text = (tmp_path / "pw.in").read_text()
    data, _ = read_fortran_namelist(StringIO(text))
    assert data["control"]["calculation"] == "md"
    # 2 fs in Rydberg units of time (4.8378e-17 s).
    assert data["control"]["dt"] * 4.8377687e-2 == pytest.approx(2.0, rel=1e-6)
    assert data["ions"]["tempw"] == plan.temperature_K
    # ASE reads species from the pseudopotential card, whose files need not exist.
    atoms = read_espresso_in(StringIO(text))
    np.testing.assert_allclose(atoms.cell, plan.record.lattice, rtol=0, atol=1e-6)
    assert sorted(atoms.get_chemical_symbols()) == sorted(c[0].element for c in plan.record.species)


def test_vasp_script_asks_for_the_pseudopotentials(plans, tmp_path: Path) -> None:
    vasp = ENGINES["vasp"]
    vasp.write_inputs(plans["Li8TiS6"], tmp_path)
    (tmp_path / "job.sh").write_text(job_script(vasp.script(plans["Li8TiS6"])))
    refused = subprocess.run(["sh", "job.sh"], cwd=tmp_path, capture_output=True, text=True)
    assert refused.returncode == 78
    assert "POTCAR.spec" in refused.stderr
    progress = vasp.progress(plans["Li8TiS6"], tmp_path)
    assert (progress.state, progress.failure.cause) == ("blocked", Cause.NO_PSEUDOPOTENTIAL)
    assert "POTCAR.spec" in progress.failure.text


def test_tags_that_the_plan_decides_are_refused(plans) -> None:
    settings = {"engine_settings": {"POTIM": 5.0, "LREAL": False}}
    plan = AimdPlan.from_dict({**plans["Li8TiS6"].as_dict(), **settings})
    with pytest.raises(InputError, match="POTIM follows from the plan"):
        vasp_incar(plan)


@pytest.mark.parametrize(
    ("engine", "given", "message"),
    [
        ("gpaw", {"cutof_eV": 300}, "gpaw has no cutof_eV"),
        ("gpaw", {"cutoff_eV": "high"}, "cutoff_eV must be a number"),
        ("cp2k", {"cutoff_Ry": -1}, "cutoff_Ry must be positive"),
    ],
)
def test_engine_settings_are_checked(engine: str, given: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        ENGINES[engine].settings.clean(engine, given)


def test_numbers_that_yaml_reads_as_text_are_numbers() -> None:
    given = yaml.safe_load("{density_convergence: 1e-5, cutoff_eV: 300}")
    assert given["density_convergence"] == "1e-5"
    cleaned = ENGINES["gpaw"].settings.clean("gpaw", given)
    assert cleaned == {"density_convergence": 1e-5, "cutoff_eV": 300}


def test_unconverged_runs_are_named(plans, tmp_path: Path) -> None:
    cp2k = ENGINES["cp2k"]
    (tmp_path / "cp2k.out").write_text("*** WARNING: SCF run NOT converged ***\n")
    (tmp_path / "exit_code").write_text("1\n")
    progress = cp2k.progress(plans["Li8TiS6"], tmp_path)
    assert (progress.state, progress.failure.text) == ("failed", "SCF did not converge")
    assert progress.failure.cause is Cause.NOT_CONVERGED


@pytest.mark.parametrize(
    ("status", "state", "cause"),
    [
        ("137", "interrupted", Cause.SIGNAL),
        ("143", "interrupted", Cause.SIGNAL),
        ("152", "interrupted", Cause.SIGNAL),
        ("139", "failed", Cause.CRASH),
        ("1", "failed", Cause.CRASH),
        ("garbage", "failed", Cause.CRASH),
        ("127", "blocked", Cause.NO_PROGRAM),
    ],
)
def test_exit_status_tells_the_cause(plans, tmp_path: Path, status, state, cause) -> None:
    (tmp_path / "cp2k.out").write_text("running\n")
    (tmp_path / "exit_code").write_text(f"{status}\n")
    progress = ENGINES["cp2k"].progress(plans["Li8TiS6"], tmp_path)
    assert progress.state == state
    assert progress.failure.cause is cause
