"""``--engine dask`` for every verb that computes descriptors: the files of the local engine."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from pymatgen.core import Lattice, Structure
from typer.testing import CliRunner

from ionsieve.cli.main import app
from ionsieve.data import InputError
from ionsieve.screening.batch.engines import local_cluster

runner = CliRunner()
ROCK_SALTS = {"F": 4.03, "Cl": 5.14, "Br": 5.50, "I": 6.00, "H": 4.08}
SULFIDES = {"O": 4.62, "S": 5.71, "Se": 6.00}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight crystals with labels, and a file that cannot be read."""
    path = tmp_path_factory.mktemp("inputs")
    labels = []
    for n_lithium, salts in enumerate((ROCK_SALTS, SULFIDES), start=1):
        site = [0.5, 0.5, 0.5] if n_lithium == 1 else [0.25, 0.25, 0.25]
        for anion, a in salts.items():
            crystal = Structure.from_spacegroup(
                "Fm-3m", Lattice.cubic(a), ["Li", anion], [site, [0, 0, 0]]
            )
            crystal.to(filename=str(path / f"Li{anion}.cif"))
            labels += [
                {
                    "structure_id": f"Li{anion}",
                    "temperature_K": t,
                    "kind": "aimd",
                    "quantity": "sigma_S_cm",
                    "value": 10 ** (a - 5.0 - 1200.0 / t),
                    "group": f"{n_lithium}{anion}",
                    "source": "made up",
                }
                for t in (600.0, 1000.0)
            ]
    (path / "broken.cif").write_text("data_broken\n_cell_length_a 3\n")
    pd.DataFrame(labels).to_csv(path / "labels.csv", index=False)
    return path


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    pytest.importorskip("distributed")
    with local_cluster(1, silence_logs=50) as cluster:
        yield cluster.scheduler_address


def run(cache: Path, *arguments: object) -> None:
    """A verb that finds nothing in its cache."""
    shutil.rmtree(cache, ignore_errors=True)
    environment = {"IONSIEVE_CACHE": str(cache)}
    done = runner.invoke(app, [*map(str, arguments)], env=environment, catch_exceptions=False)
    assert done.exit_code == 0, done.output


def content(folder: Path) -> dict[str, bytes]:
    """Of all files but the one that says what a run cost."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(p.relative_to(folder)): p.read_bytes() for p in files if p.name != "cost.json"}


def test_dask_gives_the_files_of_the_local_engine(
    folder: Path, tmp_path: Path, address: str
) -> None:
    """train → predict → screen by that model, once here and once on a cluster."""
    labelled = ("--labels", folder / "labels.csv", "--structures", folder, "--groups", "formula")
    for name, engine in (("here", ()), ("far", ("--engine", "dask", "--scheduler", address))):
        out, cache = tmp_path / name, tmp_path / "cache"
        model = tmp_path / "model"
        learners = ("--learners", "extra_trees")
        run(cache, "train", *labelled, *learners, "--out", model, *engine)
        run(cache, "predict", model, folder, "--out", out / "p.csv", *engine)
        screen = ("screen", folder, "--model", model, "--workers", 1, "--top-structures", 1)
        run(cache, *screen, "--out", out / "screen", *engine)
        shutil.move(model, out / "model")
    assert content(tmp_path / "far").keys() == content(tmp_path / "here").keys()
    for name, written in content(tmp_path / "here").items():
        assert content(tmp_path / "far")[name] == written, name
    assert not list(tmp_path.glob(".*")), "what passed between the processes is removed"


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        (("--engine", "ray"), "use one of local, dask"),
        (("--scheduler", "tcp://nowhere:1"), "belong to --engine dask"),
        (("--engine", "dask", "--scheduler", "tcp://x:1", "--cluster", "x"), "not both"),
    ],
)
@pytest.mark.parametrize("verb", ["screen", "train", "predict"])
def test_wrong_engines_are_told_before_anything_is_computed(
    folder: Path, tmp_path: Path, verb: str, options: tuple[str, ...], reason: str
) -> None:
    given: dict[str, tuple[object, ...]] = {
        "screen": ("screen", folder),
        "train": ("train", "--labels", folder / "labels.csv", "--structures", folder),
        "predict": ("predict", tmp_path / "no_model", folder),
    }
    out = tmp_path / ("out.csv" if verb == "predict" else "out")
    with pytest.raises(InputError, match=reason):
        runner.invoke(
            app, [*map(str, given[verb]), "--out", str(out), *options], catch_exceptions=False
        )
    assert not (tmp_path / "out" / "ranking.csv").exists()
