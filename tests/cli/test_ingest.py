"""``ionsieve ingest`` and ``screen`` of a store, as a user runs them: also when killed."""

import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure

SOURCE = Path(__file__).parents[2] / "src"
ARGYRODITE_SITES = (
    ["Li", "P", "S", "S", "Cl"],
    [
        [0.25, 0.0179, 0.25],
        [0.5, 0.5, 0.5],
        [0.25, 0.25, 0.25],
        [0.6199, 0.6199, 0.6199],
        [0, 0, 0],
    ],
)
WRITTEN = {
    "ranking.csv",
    "ranking.parquet",
    "features.parquet",
    "optimade.jsonl",
    "optimade_server.json",
    "quarantine.csv",
    "funnel.csv",
    "filtered.csv",
    "model_calibration.csv",
    "report.html",
    "run.json",
    "settings.yaml",
    "temperatures.parquet",
}
PNICTOGENS, CHALCOGENS, HALIDES = ["P", "As", "Sb"], ["S", "Se"], ["Cl", "Br", "I"]


@pytest.fixture(scope="module")
def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "OMP_NUM_THREADS": "1"}


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ionsieve.cli.main", *map(str, arguments)]


def run(environment: dict[str, str], *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments), capture_output=True, text=True, check=False, env=environment
    )


SCREEN = ("screen", "--filters", "default")


def line(record_id: str, structure: Structure) -> str:
    return json.dumps(
        {
            "id": record_id,
            "lattice": structure.lattice.matrix.tolist(),
            "species": [site.specie.symbol for site in structure],
            "frac": structure.frac_coords.tolist(),
        }
    )


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Argyrodites, rock salts, antifluorites, and one line that is none."""
    lines = ["{broken"]
    for pnictogen in PNICTOGENS:
        for chalcogen in CHALCOGENS:
            for halide in HALIDES:
                species = ["Li", pnictogen, chalcogen, chalcogen, halide]
                a = 9.8 + 0.3 * (chalcogen == "Se") + 0.1 * HALIDES.index(halide)
                crystal = Structure.from_spacegroup(
                    "F-43m", Lattice.cubic(a), species, ARGYRODITE_SITES[1]
                ).get_primitive_structure()
                lines.append(line(f"arg-{pnictogen}{chalcogen}{halide}", crystal))
    for i, cation in enumerate(["Li", "Na", "K"]):
        for j, halide in enumerate(HALIDES):
            crystal = Structure.from_spacegroup(
                "Fm-3m",
                Lattice.cubic(5.1 + 0.5 * i + 0.3 * j),
                [cation, halide],
                [[0, 0, 0], [0.5, 0.5, 0.5]],
            )
            lines.append(line(f"salt-{cation}{halide}", crystal))
    path = tmp_path_factory.mktemp("database") / "all.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode()))
    return path


@pytest.fixture(scope="module")
def store(
    environment: dict[str, str], database: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("ingest") / "store"
    done = run(environment, "ingest", database, "--out", out, "--json")
    assert done.returncode == 0, done.stderr
    facts = json.loads(done.stdout)
    assert facts["counts"]["input"] == 28
    assert facts["counts"]["stored"] == 27
    assert facts["counts"]["quarantined"] == 1
    return out


@pytest.fixture(scope="module")
def screened(
    environment: dict[str, str], store: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    out = tmp_path_factory.mktemp("screen") / "out"
    done = run(environment, *SCREEN, store, "--out", out)
    assert done.returncode == 0, done.stderr
    assert "isolated_anions" in done.stdout
    return out


def test_the_funnel_accounts_for_every_input(screened: Path) -> None:
    funnel = pd.read_csv(screened / "funnel.csv").set_index("stage")
    assert list(funnel.columns) == ["kept", "dropped", "reason"]
    assert funnel.loc["input", "kept"] == 28
    assert funnel.loc["ingest_read", "dropped"] == 1
    assert funnel.loc["mobile_species", "dropped"] == 6
    assert funnel.loc["ternary_or_quaternary", "dropped"] == 3
    assert funnel["kept"].is_monotonic_decreasing
    ranked = len(pd.read_csv(screened / "ranking.csv"))
    assert funnel["kept"].iloc[-1] == ranked == 18
    assert ranked + funnel["dropped"].sum() == 28
    left = len(pd.read_csv(screened / "filtered.csv")) + len(
        pd.read_csv(screened / "quarantine.csv")
    )
    assert ranked + left == 28


def test_a_source_is_screened_in_one_command(
    environment: dict[str, str], database: Path, screened: Path, tmp_path: Path
) -> None:
    done = run(environment, *SCREEN, database, "--out", tmp_path / "out", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["counts"]["ranked"] == 18
    for name in ("ranking.csv", "funnel.csv", "quarantine.csv", "filtered.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (screened / name).read_bytes()


def test_filters_of_the_user(environment: dict[str, str], store: Path, tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text(
        "filters: [{name: iodides, column: elements, contains: [MOBILE, I], reason: no iodine}]"
    )
    arguments = ["screen", store, "--out", tmp_path / "out", "--filters", tmp_path / "f.yaml"]
    done = run(environment, *arguments)
    assert done.returncode == 0, done.stderr
    table = pd.read_csv(tmp_path / "out" / "ranking.csv")
    assert sorted(table["id"]) == sorted(
        [f"arg-{p}{c}I" for p in PNICTOGENS for c in CHALCOGENS] + ["salt-LiI"]
    )


def killed_after(environment: dict[str, str], seconds: float, *arguments: object) -> None:
    """Start a command, kill it and all its children with SIGKILL after a while."""
    process = subprocess.Popen(
        command(*arguments),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but that of what the run cost, which differs from run to run."""
    files = [p for p in folder.rglob("*") if p.is_file() and p.name != "cost.json"]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files}


def test_kill_9_at_any_point_of_ingest(
    environment: dict[str, str], database: Path, store: Path, tmp_path: Path
) -> None:
    out = tmp_path / "store"
    for seconds in (0.4, 1.2, 1.8, 2.4):
        killed_after(environment, seconds, "ingest", database, "--out", out)
    done = run(environment, "ingest", database, "--out", out)
    assert done.returncode == 0, done.stderr
    assert contents(out) == contents(store)


def killed_when_written(environment: dict[str, str], file: Path, *arguments: object) -> None:
    """Start a command, kill it and its children with SIGKILL as soon as it has put a file there."""

    def state() -> int | None:
        return file.stat().st_ino if file.exists() else None

    before = state()
    process = subprocess.Popen(
        command(*arguments),
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    while process.poll() is None and state() == before:
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_kill_9_at_any_point_of_screen(
    environment: dict[str, str], store: Path, screened: Path, tmp_path: Path
) -> None:
    """At the start, among the descriptors, and between the files that it writes."""
    out = tmp_path / "out"
    for seconds in (1.5, 4.0):
        killed_after(environment, seconds, *SCREEN, store, "--out", out)
    for file in ("ranking.csv", "optimade.jsonl", "report.html"):
        killed_when_written(environment, out / file, *SCREEN, store, "--out", out)
        assert not (out / "run.json").exists()
    done = run(environment, *SCREEN, store, "--out", out)
    assert done.returncode == 0, done.stderr
    assert contents(out) == contents(screened)
    assert set(contents(out)) == WRITTEN


def test_an_unfinished_screen_is_neither_explained_nor_reported_on(
    environment: dict[str, str], screened: Path, tmp_path: Path
) -> None:
    out = copied(screened, tmp_path)
    (out / "run.json").unlink()
    for arguments in (["report", out], ["explain", out, "1"]):
        done = run(environment, *arguments)
        assert done.returncode == 1
        assert len(done.stderr.splitlines()) == 1
        assert "no finished screen" in done.stderr


def copied(screened: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(screened, tmp_path / "copy"))


def test_the_report_is_made_again_from_the_folder_alone(
    environment: dict[str, str], screened: Path, tmp_path: Path
) -> None:
    out = copied(screened, tmp_path)
    (out / "report.html").unlink()
    done = run(environment, "report", out)
    assert done.returncode == 0, done.stderr
    assert contents(out) == contents(screened)


def test_explain_a_candidate_of_a_store(
    environment: dict[str, str], screened: Path, tmp_path: Path
) -> None:
    out = copied(screened, tmp_path)
    done = run(environment, "explain", out, "arg-PSCl", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["row"]["id"] == "arg-PSCl"
    assert found["row"]["known_relation"] == "same"
    assert {group["element"] for group in found["anions"]} == {"S", "Cl"}
    assert set(found["flags"]) == set(filter(None, found["row"]["flags"].split(";")))
    written = contents(out).keys() - contents(screened).keys()
    assert written == {f"explain/arg-PSCl.{ending}" for ending in ("html", "svg", "cif")}
    assert {name: c for name, c in contents(out).items() if name not in written} == contents(
        screened
    )


def test_explain_names_what_is_near(environment: dict[str, str], screened: Path) -> None:
    for name, hint in (("arg-PSC1", "nearest: arg-PSCl"), ("salt-NaCl", "was left out: ")):
        done = run(environment, "explain", screened, name)
        assert done.returncode == 1
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert hint in done.stderr


def test_one_line_on_failure(environment: dict[str, str], tmp_path: Path) -> None:
    for arguments in (
        ["ingest", tmp_path / "absent", "--out", tmp_path / "s"],
        ["ingest", "optimade:nowhere", "--out", tmp_path / "s"],
        ["ingest", SOURCE.parent / "pyproject.toml", "--out", tmp_path / "s"],
    ):
        done = run(environment, *arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        assert len(done.stderr.splitlines()) == 1
        assert done.stderr.startswith("ionsieve: ")


def test_the_same_crystals_rank_alike_as_a_folder_as_a_store_and_beside_other_formats(
    environment: dict[str, str], tmp_path: Path
) -> None:
    """Filters apply when asked for: an extxyz among CIFs, or a store of them, changes nothing."""
    folder = tmp_path / "folder"
    folder.mkdir()
    for name, halide, edge in (("a", "F", 4.02), ("b", "Cl", 5.13)):
        crystal = Structure.from_spacegroup(
            "Fm-3m", Lattice.cubic(edge), ["Li", halide], [[0, 0, 0], [0.5, 0.5, 0.5]]
        )
        crystal.to(filename=str(folder / f"{name}.cif"))
    assert run(environment, "ingest", folder, "--out", tmp_path / "store").returncode == 0
    tables = []
    for number, source in enumerate((folder, tmp_path / "store", folder)):
        if number == 2:
            silicon = '2\nLattice="4.3 0 0 0 4.3 0 0 0 4.3" pbc="T T T"\nSi 0 0 0\nC 1 1 1\n'
            (folder / "other.extxyz").write_text(silicon)
        out = tmp_path / f"out{number}"
        done = run(environment, "screen", source, "--out", out)
        assert done.returncode == 0, done.stderr
        tables.append(pd.read_csv(out / "ranking.csv")[["id", "p_fast"]])
    assert tables[0].equals(tables[1])
    assert tables[0].equals(tables[2])
    assert list(pd.read_csv(out / "quarantine.csv")["id"]) == ["other-1"]
