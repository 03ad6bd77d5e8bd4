"""Inputs of four crystals field by field, as an expert would sign them."""

import re
import subprocess
from io import StringIO
from pathlib import Path

import pytest
from pymatgen.io.vasp import Incar, Kpoints, Poscar

from campaigns import argyrodite
from ionsieve.data.embedded.aimd import load_aimd_structures
from ionsieve.data.embedded.experiment import load_experiment_structures
from ionsieve.data.records import StructureRecord
from ionsieve.screening.engines.cp2k import cp2k_input
from ionsieve.screening.engines.espresso import write_espresso
from ionsieve.screening.engines.registry import ENGINES
from ionsieve.screening.engines.scripts import job_script
from ionsieve.screening.jobs.plan import AimdPlan, RelaxPlan, make_plan, relaxation_of
from ionsieve.screening.jobs.protocol import ProtocolSettings, RelaxationSettings

NAMES = ["Li8SiSe6", "Li6PS5Cl", "Li5CrCl8", "LGPS"]
SETTINGS = ProtocolSettings()
# PAW data sets that the Materials Project names for these elements.
POTCARS = {"Li": "Li", "Si": "Si", "Se": "Se", "P": "P", "S": "S", "Cl": "Cl", "Cr": "Cr",
           "Ge": "Ge"}  # fmt: skip


def crystals() -> dict[str, StructureRecord]:
    aimd = {r.id: r for r in load_aimd_structures()}
    lgps = next(
        r
        for r in load_experiment_structures()
        if set(r.elements) == {"Li", "Ge", "P", "S"} and not r.is_ordered
    )
    return {
        "Li8SiSe6": aimd["Li8SiSe6_F-43m"], "Li6PS5Cl": argyrodite(),
        "Li5CrCl8": aimd["Li5CrCl8_Cmmm"], "LGPS": lgps,
    }  # fmt: skip


@pytest.fixture(scope="module")
def plans() -> dict[str, AimdPlan]:
    return {name: make_plan(record, 1000.0, SETTINGS) for name, record in crystals().items()}


@pytest.fixture(scope="module")
def relaxations(plans) -> dict[str, RelaxPlan]:
    return {name: relaxation_of(plan, RelaxationSettings()) for name, plan in plans.items()}


@pytest.mark.parametrize("name", NAMES)
def test_vasp_run(name: str, plans, tmp_path: Path) -> None:
    plan = plans[name]
    ENGINES["vasp"].write_inputs(plan, tmp_path)
    incar = dict(Incar.from_file(tmp_path / "INCAR"))
    n_atoms, has_cr = plan.record.n_sites, "Cr" in plan.record.elements
    expected = {
        "ALGO": "Fast", "PREC": "Normal", "ENCUT": 400.0, "EDIFF": 1e-5, "NELM": 100,
        "NELMIN": 4, "ISMEAR": 0, "SIGMA": 0.05, "ISYM": 0, "IBRION": 0, "ISIF": 2, "MDALGO": 2,
        "SMASS": 0, "NSW": 35_000, "POTIM": 2.0, "NBLOCK": 1, "TEBEG": 1000.0, "TEEND": 1000.0,
        "LWAVE": False, "LCHARG": False, "LREAL": "Auto" if n_atoms >= 30 else False,
        "ISPIN": 2 if has_cr else 1,
    }  # fmt: skip
    assert {k: incar[k] for k in expected} == expected
    assert ("MAGMOM" in incar, "LASPH" in incar) == (has_cr, has_cr)
    poscar = Poscar.from_file(tmp_path / "POSCAR")
    assert len(poscar.structure) == n_atoms
    if has_cr:
        # d³: three unpaired electrons on every Cr3+, none elsewhere.
        moments = dict(zip(poscar.structure.species, incar["MAGMOM"], strict=True))
        assert {str(e): m for e, m in moments.items()} == {"Li": 0, "Cr": 3, "Cl": 0}
    assert Kpoints.from_file(tmp_path / "KPOINTS").kpts == [(1, 1, 1)]
    named = (tmp_path / "POTCAR.spec").read_text().split()
    assert [n.split("_")[0] for n in named] == poscar.site_symbols


@pytest.mark.parametrize("name", NAMES)
def test_vasp_relaxation(name: str, relaxations, tmp_path: Path) -> None:
    plan = relaxations[name]
    ENGINES["vasp"].write_inputs(plan, tmp_path)
    incar = dict(Incar.from_file(tmp_path / "INCAR"))
    expected = {
        "ENCUT": 520.0, "EDIFF": 1e-5, "EDIFFG": -0.02, "IBRION": 2, "ISIF": 3, "NSW": 200,
        "PREC": "Accurate", "ALGO": "Normal", "LREAL": False, "ISMEAR": 0,
    }  # fmt: skip
    assert {k: incar[k] for k in expected} == expected
    # Nothing of a run: no thermostat, no time step, symmetry as VASP finds it.
    assert not {"MDALGO", "SMASS", "POTIM", "TEBEG", "ISYM", "NBLOCK"} & incar.keys()
    mesh = Kpoints.from_file(tmp_path / "KPOINTS").kpts[0]
    assert tuple(mesh) == plan.k_points
    assert max(mesh) >= 2
    assert "GAMMA=0" in ENGINES["vasp"].script(plan).lines


@pytest.mark.parametrize("name", NAMES)
def test_cp2k(name: str, plans, relaxations) -> None:
    run, relaxed = cp2k_input(plans[name]), cp2k_input(relaxations[name])
    for line in ("RUN_TYPE MD", "ENSEMBLE NVT", "STEPS 35000", "TIMESTEP [fs] 2",
                 "TEMPERATURE [K] 1000", "TYPE NOSE", "TIMECON [fs] 100", "CUTOFF [Ry] 400",
                 "STRESS_TENSOR ANALYTICAL", "EPS_SCF 1.0E-06"):  # fmt: skip
        assert line in run
    for line in ("RUN_TYPE CELL_OPT", "TYPE DIRECT_CELL_OPT", "MAX_ITER 200",
                 "MAX_FORCE [eV*angstrom^-1] 0.02", "PRESSURE_TOLERANCE [bar] 1000",
                 "CUTOFF [Ry] 600"):  # fmt: skip
        assert line in relaxed
    assert ("UKS" in run) is ("Cr" in plans[name].record.elements)
    if "Cr" in plans[name].record.elements:
        n_chromium = round(plans[name].record.composition["Cr"])
        assert f"MULTIPLICITY {3 * n_chromium + 1}\n" in run
        assert re.search(r"&KIND Cr\n.*\n.*\n *MAGNETIZATION 3\n", run)
    assert run.count("&KIND") == len(plans[name].record.elements)


@pytest.mark.parametrize("name", NAMES)
def test_espresso(name: str, plans, relaxations, tmp_path: Path) -> None:
    from ase.io.espresso import read_fortran_namelist

    run, relaxed = tmp_path / "run", tmp_path / "relaxed"
    run.mkdir()
    relaxed.mkdir()
    write_espresso(plans[name], run)
    write_espresso(relaxations[name], relaxed)
    data, _ = read_fortran_namelist(StringIO((run / "pw.in").read_text()))
    assert data["control"]["calculation"] == "md"
    assert (data["control"]["nstep"], data["control"]["tstress"]) == (35_000, True)
    assert (data["ions"]["ion_temperature"], data["ions"]["nraise"]) == ("svr", 100)
    assert data["system"]["nosym"] is True
    assert data["system"]["nspin"] == (2 if "Cr" in plans[name].record.elements else 1)
    other, _ = read_fortran_namelist(StringIO((relaxed / "pw.in").read_text()))
    assert other["control"]["calculation"] == "vc-relax"
    # 0.02 eV/Å in Ry/bohr; 0.1 GPa is 1 kbar.
    assert other["control"]["forc_conv_thr"] == pytest.approx(7.7787e-4, rel=1e-4)
    assert other["cell"]["press_conv_thr"] == pytest.approx(1.0)
    # 680 eV: norm-conserving and ultrasoft potentials need more than PAW's 520.
    assert other["system"]["ecutwfc"] == pytest.approx(49.98, abs=0.01)


UPF = '<UPF version="2.0.1">\n<PP_HEADER element="{0}"\n  z_valence="{1}" />\n</UPF>\n'


def test_espresso_magnetisation_is_a_share_of_the_valence_in_use(plans, tmp_path: Path) -> None:
    """pw.x 6.7 and 7.x take |x| < 1 as (up − down) / valence electrons of the potential."""
    espresso = ENGINES["espresso"]
    espresso.write_inputs(plans["Li5CrCl8"], tmp_path)
    before = (tmp_path / "pw.in").read_text()
    assert "starting_magnetization(" in before
    (tmp_path / "pseudo").mkdir()
    for element, valence in (("Li", 3.0), ("Cr", 14.0), ("Cl", 7.0)):
        (tmp_path / "pseudo" / f"{element}.upf").write_text(UPF.format(element, f"{valence:.4E}"))
    (tmp_path / "job.sh").write_text(job_script(espresso.script(plans["Li5CrCl8"])))
    subprocess.run(["sh", "job.sh"], cwd=tmp_path, capture_output=True,
                   env={"PATH": "/usr/bin:/bin", "IONSIEVE_PW": "true"}, check=False)  # fmt: skip
    shares = {}
    text = (tmp_path / "pw.in").read_text()
    files = re.search(r"ATOMIC_SPECIES\n(.*?)\n\s*\n", text, re.DOTALL)[1].splitlines()
    for number, value in re.findall(r"starting_magnetization\((\d+)\) *= *(\S+)", text):
        shares[files[int(number) - 1].split()[2]] = float(value)
    assert shares["Cr.upf"] == pytest.approx(3.0 / 14.0, abs=1e-6)
    assert all(abs(x) < 1.0 for x in shares.values())
    # Run again, as after a kill: the same numbers, not divided twice.
    subprocess.run(["sh", "job.sh"], cwd=tmp_path, capture_output=True,
                   env={"PATH": "/usr/bin:/bin", "IONSIEVE_PW": "true"}, check=False)  # fmt: skip
    assert (tmp_path / "pw.in").read_text() == text
