"""Cluster files: what a scheduler of batch jobs is asked for."""

from pathlib import Path

import pytest

from ionsieve.data import InputError
from ionsieve.screening.batch.cluster_file import KINDS, made_cluster, read_cluster_file

SLURM = """\
kind: slurm
jobs: 64
cores: 2
memory: 8GB
walltime: "04:00:00"
queue: normal
account: my-project
job_script_prologue: ["module load python"]
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.yaml"
    path.write_text(SLURM)
    return path


def test_a_file_is_read(file: Path) -> None:
    wanted = read_cluster_file(file)
    assert (wanted.kind, wanted.jobs) == ("slurm", 64)
    # One process a core: descriptors hold the interpreter.
    assert wanted.options["processes"] == 2


def test_the_script_of_a_job_asks_for_what_the_file_says(file: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    cluster, wanted = made_cluster(file)
    with cluster:
        script = cluster.job_script()
    assert wanted.jobs == 64
    for line in (
        "#SBATCH -p normal",
        "#SBATCH -A my-project",
        "#SBATCH --cpus-per-task=2",
        "#SBATCH -t 04:00:00",
        "module load python",
    ):
        assert line in script.splitlines()
    assert "distributed.cli.dask_worker tcp://" in script
    assert "--nworkers 2" in script
    assert "--nthreads 1" in script


def test_pbs_as_well(file: Path) -> None:
    pytest.importorskip("dask_jobqueue")
    file.write_text(SLURM.replace("slurm", "pbs"))
    cluster, _ = made_cluster(file)
    with cluster:
        assert "#PBS -q normal" in cluster.job_script().splitlines()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("kind: [", "not YAML"),
        ("- slurm", "give keys and values"),
        ("kind: cloud\njobs: 1", "kind 'cloud': use one of slurm"),
        ("kind: slurm\njobs: many\ncores: 1\nmemory: 1GB", "jobs 'many'"),
        ("kind: slurm\njobs: 1\nmemory: 1GB", "cores is missing"),
        ("kind: slurm\njobs: 1\ncores: 1", "memory is missing"),
        ("kind: slurm\njobs: 1\ncores: 1\nmemory: 1GB\nwalltme: x", "walltme: not an option"),
        ("!!python/object/apply:os.system ['true']", "not YAML"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(file: Path, text: str, reason: str) -> None:
    pytest.importorskip("dask_jobqueue")
    file.write_text(text)
    with pytest.raises(InputError, match=reason):
        made_cluster(file)


def test_an_absent_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_cluster_file(tmp_path / "absent.yaml")


def test_every_kind_is_one_of_dask_jobqueue() -> None:
    module = pytest.importorskip("dask_jobqueue")
    assert all(hasattr(module, name) for name in KINDS.values())
