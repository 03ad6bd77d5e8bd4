"""``ionsieve aimd`` and ``ionsieve arrhenius`` as they are called from a shell."""

import gzip
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ionsieve.features.motion.sites import site_entropy
from li2b12h12 import write_cif, write_run
from walks import lattice_walk, run_of

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(run_here):
    """Short for what every test here does."""
    return run_here


def test_from_a_shell(walk):
    command = [sys.executable, "-m", "ionsieve.cli.main", "aimd", *map(str, walk)]
    done = subprocess.run(
        [*command, "--temperature", "600", "--frame-spacing-fs", "100", "--json"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["verdict"] == "diffusive"
    assert done.stderr == ""


NAMES = {
    "verdict", "evidence", "n_frames", "msd_A2", "collective_msd_A2", "diffusivity_cm2_s",
    "diffusivity_rel_error", "diffusivity_upper_cm2_s", "sigma_mS_cm", "sigma_low_mS_cm",
    "sigma_high_mS_cm", "haven_ratio", "n_eff", "warnings",
}  # fmt: skip


@pytest.fixture(scope="module")
def walk(tmp_path_factory):
    """Two XDATCAR segments of a lattice walk in a vibrating crystal."""
    rng = np.random.default_rng(1)
    n, n_ions = 600, 16
    axis = rng.integers(0, 3, (n, n_ions, 1))
    steps = np.zeros((n, n_ions, 3))
    length = rng.choice([-3.0, 3.0], (n, n_ions, 1)) * (rng.random((n, n_ions, 1)) < 0.06)
    np.put_along_axis(steps, axis, length, 2)
    ions = rng.random((n_ions, 3)) * 12 + np.cumsum(steps, axis=0)
    grid = np.stack(np.meshgrid(*[np.arange(4) * 3.0] * 3), axis=-1).reshape(-1, 3)[:24]
    frac = np.concatenate([ions, np.broadcast_to(grid, (n, 24, 3))], axis=1)
    frac = (frac + rng.normal(0, 0.2, frac.shape)) / 12.0
    frac -= np.floor(frac)
    folder = tmp_path_factory.mktemp("walk")
    files = []
    for number, part in enumerate((frac[:300], frac[299:]), start=1):
        text = "walk\n1.0\n12 0 0\n0 12 0\n0 0 12\nLi S\n16 24\n"
        for k, frame in enumerate(part, start=1):
            text += f"Direct configuration= {k}\n"
            text += "".join(f"{x:.8f} {y:.8f} {z:.8f}\n" for x, y, z in frame)
        files.append(folder / f"run{number}.XDATCAR.gz")
        files[-1].write_bytes(gzip.compress(text.encode()))
    return files


OPTIONS = ("--temperature", 600, "--frame-spacing-fs", 100)


def test_json_is_one_object_with_the_names_that_others_rely_on(run, walk):
    done = run("aimd", *walk, *OPTIONS, "--mobile", "Li", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result.keys() >= NAMES
    assert result["verdict"] == "diffusive"
    # The last frame of the first segment is the first of the second.
    assert result["n_frames"] == 600
    assert any("1 frames repeat" in text for text in result["warnings"])
    assert set(result["msd_A2"]) == {"1", "5", "10", "20"}
    assert result["sigma_low_mS_cm"] < result["sigma_mS_cm"] < result["sigma_high_mS_cm"]
    assert result["diffusivity_upper_cm2_s"] is None
    true_cm2_s = 0.06 * 9 / 6 * 0.1 / 100
    assert result["diffusivity_low_cm2_s"] < true_cm2_s < result["diffusivity_high_cm2_s"]


def test_everything_at_once_is_written_and_versions_are_kept(run, walk, tmp_path):
    table = tmp_path / "T.csv"
    table.write_text(
        "T_K,D_cm2_s,D_error_cm2_s,censor\n600,1e-6,2e-7,\n800,4e-6,4e-7,\n"
        "1000,9e-6,9e-7,\n500,9e-7,,<\n"
    )
    common = ("aimd", *walk, *OPTIONS, "--json", "--structure-id", "<script>alert(1)</script>")
    done = run(
        *common, "--frustration", "--density", tmp_path / "li.cube", "--summary",
        tmp_path / "page.html", "--arrhenius", table, "--labels", tmp_path / "labels.jsonl",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["label_version"] == 1
    assert result["frustration"]["n_jumps"] > 100
    page = (tmp_path / "page.html").read_text()
    assert "<script>" not in page
    assert "data:image/png;base64," in page
    assert "://" not in page
    assert (tmp_path / "li.cube").stat().st_size > 1000
    again = run(*common, "--labels", tmp_path / "labels.jsonl")
    assert json.loads(again.stdout)["label_version"] == 1
    first = (tmp_path / "labels.jsonl").read_text()
    other = run(*common, "--labels", tmp_path / "labels.jsonl", "--site-distance", 2.5)
    assert json.loads(other.stdout)["label_version"] == 2
    assert (tmp_path / "labels.jsonl").read_text().startswith(first)
    figure = run(*common, "--summary", tmp_path / "page.png")
    assert figure.returncode == 0
    assert (tmp_path / "page.png").read_bytes().startswith(b"\x89PNG")


def test_same_input_same_bytes(run, walk, tmp_path):
    pages = []
    for name in ("a.html", "b.html"):
        run("aimd", *walk, *OPTIONS, "--summary", tmp_path / name)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda b: b[: len(b) // 2], ["cut off or damaged", "run1"]),
        (lambda b: b"", ["empty", "run1"]),
        (lambda b: gzip.compress(gzip.decompress(b)[:-100]), ["run1", "frame 300", "cut off"]),
        (lambda b: gzip.compress(gzip.decompress(b).replace(b"16 24", b"24 16")), ["run2", "same"]),
        (
            lambda b: gzip.compress(gzip.decompress(b).replace(b"configuration= 7\n0.", b"x\n0.")),
            ["run1", "frame 7"],
        ),
    ],
)
def test_broken_input_is_one_line_and_nothing_is_written(run, walk, tmp_path, change, words):
    bad = tmp_path / "run1.XDATCAR.gz"
    bad.write_bytes(change(walk[0].read_bytes()))
    outputs = [tmp_path / name for name in ("page.html", "labels.jsonl", "li.cube")]
    done = run(
        "aimd", bad, walk[1], *OPTIONS, "--json", "--summary", outputs[0],
        "--labels", outputs[1], "--density", outputs[2],
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for word in words:
        assert word in done.stderr
    assert not any(path.exists() for path in outputs)
    assert [p.name for p in tmp_path.iterdir()] == ["run1.XDATCAR.gz"]


def test_arrhenius_with_structure(run, tmp_path, shared_data: Path):
    folder = shared_data / "trajectories" / "LLZO_arrhenius"
    done = run("arrhenius", folder / "D_T.csv", "--structure", folder / "POSCAR", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["activation_energy_eV"] == pytest.approx(0.25814, abs=5e-6)
    assert result["activation_energy_error_eV"] == pytest.approx(0.01683, abs=5e-6)
    assert result["sigma_300K_mS_cm"] == pytest.approx(1.080, abs=5e-4)
    assert result["sigma_300K_low68_mS_cm"] == pytest.approx(0.687, abs=5e-4)
    assert result["sigma_300K_high95_mS_cm"] == pytest.approx(3.150, abs=5e-4)
    assert result["extrapolated_300K"] is True
    without = json.loads(run("arrhenius", folder / "D_T.csv", "--json").stdout)
    assert without["sigma_300K_mS_cm"] is None
    bad = tmp_path / "bad.csv"
    bad.write_text("T_K,D_cm2_s,D_error_cm2_s\n600,0,1e-7\n")
    done = run("arrhenius", bad, "--json")
    assert (done.returncode, done.stdout) == (1, "")
    assert "row 2: D_cm2_s" in done.stderr


@pytest.mark.parametrize(
    ("occupancies", "residence", "turning", "paper_kB"),
    [
        ((0.03, 0.22, 0.03), 1, False, 0.331),
        ((0.14, 0.14, 0.10), 96, True, 0.375),
        ((0.09, 0.11, 0.15), 12, True, 0.370),
    ],
)
def test_site_entropy_of_known_occupancies(
    run, tmp_path, occupancies, residence, turning, paper_kB
):
    """Wood 2021 (10.1098/rsta.2019.0467), eq. 3.1, section 3a: tet, trig, lin sites 2, 8, 6."""
    write_cif(tmp_path / "sites.cif")
    realised = write_run(tmp_path / "XDATCAR", occupancies, residence, 96, turning)
    done = run("aimd", tmp_path / "XDATCAR", *OPTIONS, "--json", "--frustration",
               "--sites", tmp_path / "sites.cif")  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)["frustration"]
    types = found["site_types"]
    number = {kind: entry["n_sites"] for kind, entry in types.items()}
    assert number == {"Li 8c": 32, "Li 32f": 128, "Li 24d": 96}
    for kind, wanted in zip(("Li 8c", "Li 32f", "Li 24d"), realised, strict=True):
        assert types[kind]["occupancy"] == pytest.approx(wanted, abs=0.004)
    assert found["occupancy_sum"] == pytest.approx(found["n_ions"], rel=1e-9)
    assert found["n_ions"] / 16 == pytest.approx(2.0, abs=0.07)
    expected = site_entropy(realised, np.array([2.0, 8.0, 6.0]))
    assert found["site_entropy_kB"] == pytest.approx(expected, abs=0.004)
    # Whole numbers of ions on 32 tetrahedra cannot meet 3 % better than this.
    assert found["site_entropy_kB"] == pytest.approx(
        paper_kB, abs=0.004 if residence == 1 else 0.012
    )
    # What averages over single sites instead depends on how long ions stay.
    if residence == 96:
        assert found["per_site_entropy_kB"] == pytest.approx(0.0, abs=1e-9)


def test_several_mobile_species(run, tmp_path):
    rng = np.random.default_rng(3)
    ions = np.concatenate([lattice_walk(rng, 500, 12, r, 3) for r in (0.06, 0.03)], axis=1)
    made = run_of(rng, ions, ("Li",) * 12 + ("Na",) * 12)
    lines = ["mixed", "1.0", "12 0 0", "0 12 0", "0 0 12", "Li Na S", "12 12 32"]
    for number, frame in enumerate(made.frac, start=1):
        lines.append(f"Direct configuration= {number}")
        lines += [f"{x:.6f} {y:.6f} {z:.6f}" for x, y, z in frame]
    (tmp_path / "XDATCAR").write_text("\n".join(lines) + "\n")
    common = ("aimd", tmp_path / "XDATCAR", *OPTIONS, "--mobile", "Li,Na")
    done = run(*common, "--json", "--labels", tmp_path / "labels.jsonl")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert set(result["species"]) == {"Li", "Na"}
    assert result["mobile"] == "Li"
    assert [t["first"] + t["second"] for t in result["cross_terms"]] == ["LiNa"]
    rows = (tmp_path / "labels.jsonl").read_text().splitlines()
    assert [json.loads(row)["analysis"]["mobile"] for row in rows] == ["Li", "Na"]
    other = json.loads(run(*common, "--json", "--charges", "Li=1,Na=0.5").stdout)
    ratio = other["species"]["Na"]["sigma_mS_cm"] / result["species"]["Na"]["sigma_mS_cm"]
    assert ratio == pytest.approx(0.25, rel=1e-9)
    assert "Na" in run(*common).stdout
    measured = run(*common, "--json", "--frustration")
    assert measured.returncode == 0, measured.stderr
    assert json.loads(measured.stdout)["frustration"]["n_ions"] == 12
    other = run("aimd", tmp_path / "XDATCAR", *OPTIONS, "--mobile", "Li,")
    assert (other.returncode, other.stderr.count("\n")) == (1, 1)
    assert "'' is no element" in other.stderr
    wrong = run(*common, "--charges", "Li:1")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert "--charges" in wrong.stderr


def test_the_temperature_is_asked_for_only_where_the_file_does_not_say_it(run, walk, shared_data):
    done = run("aimd", walk[0], "--frame-spacing-fs", 100)
    assert done.returncode == 1
    assert "does not say the temperature; give --temperature" in done.stderr
    vasprun = shared_data / "trajectories" / "format_traps" / "vasprun.md.xml.gz"
    done = run("aimd", vasprun, "--mobile", "Si", "--charge", 1, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["temperature_K"] == 2000.0
    done = run("aimd", vasprun, "--mobile", "Si", "--charge", 1, "--temperature", 600)
    assert done.returncode == 1
    assert "set to 2000 K, not to --temperature 600" in done.stderr


def test_independent_runs_are_not_joined_unless_told(run, walk, tmp_path):
    """``run*/XDATCAR``: the second begins where the first began, not where it ended."""
    head, *frames = gzip.decompress(walk[0].read_bytes()).decode().split("Direct configuration=")
    for name, part in (("run1", frames[:150]), ("run2", frames[:75])):
        (tmp_path / name).mkdir()
        text = head + "".join(f"Direct configuration={frame}" for frame in part)
        (tmp_path / name / "XDATCAR").write_text(text)
    files = (tmp_path / "run1" / "XDATCAR", tmp_path / "run2" / "XDATCAR")
    done = run("aimd", *files, *OPTIONS)
    assert done.returncode == 1
    assert "independent runs" in done.stderr
    assert "--consecutive" in done.stderr
    done = run("aimd", *files, *OPTIONS, "--consecutive", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["n_frames"] == 225
