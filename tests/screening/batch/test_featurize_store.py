"""Descriptors of a store: the same bytes by every engine, whatever dies on the way."""

import json
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import poisonous
import structures
from ionsieve.data import FeatureError, InputError, StructureRecord
from ionsieve.data.sources.base import Item
from ionsieve.data.store.ingest import IngestSettings, ingest
from ionsieve.data.store.store import Store
from ionsieve.screening.batch import engines
from ionsieve.screening.batch.engines import (
    DaskEngine,
    LocalEngine,
    local_cluster,
    opened_engine,
)
from ionsieve.screening.batch.featurize_store import featurize_store
from ionsieve.screening.batch.parts import Part
from ionsieve.screening.batch.store_parts import (
    ALLOWED_DEATHS,
    PartResult,
    PartTask,
    compute_part,
    part_tasks,
)

FAMILIES = ("density", "composition")
NAMES = ("LiCl", "LiF", "Li2S", "Li3N_alpha", "LiN3", "Li3OCl", "AgI_zb")


class Records:
    """Records in memory as a source."""

    name = "memory"

    def __init__(self, records: list[StructureRecord]) -> None:
        self.records = records

    def identity(self) -> dict[str, Any]:
        return {"ids": [record.id for record in self.records]}

    def items(self, after: Any = None) -> Iterator[Item]:
        for number, record in enumerate(self.records[after or 0 :], start=(after or 0) + 1):
            yield Item(record, number)

    def notices(self) -> list[str]:
        return []


def made_store(folder: Path, ids: list[str], block: int = 3) -> Path:
    """Copies of LiF under these ids, or the structure of the name."""
    records = [
        structures.get(name) if name in NAMES else replace(structures.get("LiF"), id=name)
        for name in ids
    ]
    ingest([Records(records)], folder, IngestSettings(duplicates="keep"), block=block)
    return folder


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made_store(tmp_path_factory.mktemp("store") / "s", list(NAMES))


def serial(tasks: list[PartTask]) -> list[PartResult]:
    return [compute_part(task) for task in tasks]


class HereEngine:
    """This process; counts what it is given."""

    def __init__(self) -> None:
        self.blocks: list[int] = []

    def run(self, tasks: Any) -> Iterator[tuple[PartTask, PartResult | str]]:
        for task in reversed(tasks):
            self.blocks.append(task.block)
            yield task, compute_part(task)


def parquet(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.rglob("features-*.parquet"))}


def table(out: Path) -> pd.DataFrame:
    parts = [pd.read_parquet(path) for path in sorted(out.rglob("features-*.parquet"))]
    return pd.concat(parts).set_index("id")


def test_every_structure_has_its_row(store: Path, tmp_path: Path) -> None:
    summary = featurize_store(store, tmp_path, chosen=FAMILIES, engine=HereEngine())
    found = table(tmp_path)
    assert list(found.index) == list(NAMES)
    assert dict(summary.statuses) == {"ok": 6, "failed": 1}
    assert "holds no Li" in found.loc["AgI_zb", "reason"]
    assert summary.shards == [
        "features-00000.parquet",
        "features-00001.parquet",
        "features-00002.parquet",
    ]
    saved = json.loads((Path(summary.folder) / "summary.json").read_text())
    assert saved["rows"] == 7
    assert sorted(saved["sha256"]) == summary.shards
    assert not list(Path(summary.folder).glob(".unfinished"))


def test_numbers_are_those_of_the_batch_engine(store: Path, tmp_path: Path) -> None:
    from ionsieve.features.catalogue import families
    from ionsieve.features.rows import featurize_one

    featurize_store(store, tmp_path, chosen=FAMILIES, engine=HereEngine())
    values = featurize_one(structures.get("Li3OCl"), families(FAMILIES)).values
    assert values is not None
    assert table(tmp_path).loc["Li3OCl", "density_g_cm3"] == values["density_g_cm3"]


def test_finished_parts_are_skipped_without_parsing(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    featurize_store(store, tmp_path, chosen=FAMILIES, engine=HereEngine())
    before, engine = parquet(tmp_path), HereEngine()
    monkeypatch.setattr(Store, "read", lambda *_: pytest.fail("the store is read"))
    summary = featurize_store(store, tmp_path, chosen=FAMILIES, engine=engine)
    assert summary.reused == summary.rows == 7
    assert summary.reasons["holds no Li"] == 0 or summary.reasons
    assert engine.blocks == []
    assert parquet(tmp_path) == before


def test_a_damaged_part_is_computed_again(store: Path, tmp_path: Path) -> None:
    featurize_store(store, tmp_path, chosen=FAMILIES, engine=HereEngine())
    before, engine = parquet(tmp_path), HereEngine()
    next(tmp_path.rglob("features-00001.parquet")).write_bytes(b"PAR1")
    featurize_store(store, tmp_path, chosen=FAMILIES, engine=engine)
    assert engine.blocks == [1]
    assert parquet(tmp_path) == before


def test_shards_compute_their_own_blocks_only(store: Path, tmp_path: Path) -> None:
    for index in (1, 0):
        engine = HereEngine()
        featurize_store(store, tmp_path, chosen=FAMILIES, engine=engine, part=Part(index, 2))
        assert sorted(engine.blocks) == [k for k in range(3) if k % 2 == index]
    assert list(table(tmp_path).index) == list(NAMES)


def test_a_folder_of_another_store_is_refused(store: Path, tmp_path: Path) -> None:
    featurize_store(store, tmp_path / "out", chosen=FAMILIES, engine=HereEngine())
    other = made_store(tmp_path / "other", ["a", "b"])
    with pytest.raises(InputError, match="belongs to a run with store"):
        featurize_store(other, tmp_path / "out", chosen=FAMILIES, engine=HereEngine())


def test_local_processes_write_the_same_bytes(store: Path, tmp_path: Path) -> None:
    featurize_store(store, tmp_path / "here", chosen=FAMILIES, engine=HereEngine())
    featurize_store(store, tmp_path / "two", chosen=FAMILIES, engine=LocalEngine(2))
    assert parquet(tmp_path / "two") == parquet(tmp_path / "here")


def child(task: PartTask) -> int:
    """Compute a part with poison in a process of its own; its exit code."""
    process = multiprocessing.get_context("fork").Process(target=_poisoned_part, args=(task,))
    process.start()
    process.join(60)
    assert process.exitcode is not None
    return process.exitcode


def _poisoned_part(task: PartTask) -> None:
    poisonous.install()
    compute_part(task)


def test_a_part_remembers_which_structure_kills(tmp_path: Path) -> None:
    folder = made_store(tmp_path / "s", ["a", "kills", "b"])
    (task,) = part_tasks(Store(folder), tmp_path / "out", FAMILIES, "Li", 60.0, range(1))
    codes = [child(task) for _ in range(ALLOWED_DEATHS + 1)]
    assert codes == [-signal.SIGKILL] * ALLOWED_DEATHS + [0]
    found = table(tmp_path / "out")
    assert found["status"].tolist() == ["ok", "failed", "ok"]
    assert found.loc["kills", "reason"] == "crash: the process that computed it ended, 3 times"
    assert sorted(p.name for p in (tmp_path / "out" / ".unfinished").iterdir()) == []


def test_a_structure_that_hangs_is_ended_once(tmp_path: Path) -> None:
    folder = made_store(tmp_path / "s", ["a", "hangs", "b"])
    (task,) = part_tasks(Store(folder), tmp_path / "out", FAMILIES, "Li", 1.0, range(1))
    assert [child(task), child(task)] == [1, 0]
    found = table(tmp_path / "out")
    assert found["status"].tolist() == ["ok", "failed", "ok"]
    assert found.loc["hangs", "reason"] == "timeout: no result within 1 s"


def test_a_part_that_cannot_begin_is_an_error(tmp_path: Path) -> None:
    class Broken:
        def run(self, tasks: Any) -> Iterator[tuple[PartTask, PartResult | str]]:
            yield from ((task, "no machine") for task in tasks)

    folder = made_store(tmp_path / "s", ["a", "b"])
    with pytest.raises(FeatureError, match="cannot be computed: no machine"):
        featurize_store(folder, tmp_path / "out", chosen=FAMILIES, engine=Broken())


def test_options_of_engines_are_checked(tmp_path: Path) -> None:
    for name, scheduler, cluster, reason in (
        ("ray", None, None, "use one of local, dask"),
        ("local", "tcp://x:1", None, "belong to --engine dask"),
        ("dask", "tcp://x:1", tmp_path, "not both"),
    ):
        with pytest.raises(InputError, match=reason), opened_engine(name, 1, scheduler, cluster):
            pass


# Dask itself: one cluster for all tests of it, its workers with poison in place.


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    pytest.importorskip("distributed")
    tests = str(Path(poisonous.__file__).parent)
    once = tmp_path_factory.mktemp("once") / "done"
    before = {name: os.environ.get(name) for name in ("PYTHONPATH", poisonous.ONCE)}
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [tests, before["PYTHONPATH"]]))
    os.environ[poisonous.ONCE] = str(once)
    with local_cluster(2, preload=[poisonous.__file__], silence_logs=50) as running:
        yield running
    for name, value in before.items():
        os.environ.pop(name) if value is None else os.environ.__setitem__(name, value)


@pytest.fixture
def dask(cluster: Any) -> Iterator[DaskEngine]:
    distributed = pytest.importorskip("distributed")
    with distributed.Client(cluster, set_as_default=False) as client:
        yield DaskEngine(client)


def test_clusters_run_side_by_side_and_only_this_machine_reaches_them() -> None:
    """Warnings are errors: a second cluster once said that port 8787 was taken."""
    psutil = pytest.importorskip("psutil")
    pytest.importorskip("distributed")
    before = {c.laddr for c in psutil.Process().net_connections()}
    with local_cluster(1), local_cluster(1):
        this = psutil.Process()
        listening = {
            c.laddr
            for process in (this, *this.children(recursive=True))
            for c in process.net_connections()
            if c.status == psutil.CONN_LISTEN
        } - before
    assert len(listening) >= 4
    assert {address.ip for address in listening} == {"127.0.0.1"}


def test_dask_writes_the_same_bytes(store: Path, tmp_path: Path, dask: DaskEngine) -> None:
    featurize_store(store, tmp_path / "here", chosen=FAMILIES, engine=HereEngine())
    summary = featurize_store(store, tmp_path / "dask", chosen=FAMILIES, engine=dask)
    assert summary.rows == 7
    assert parquet(tmp_path / "dask") == parquet(tmp_path / "here")


@pytest.mark.parametrize(
    ("ids", "reasons"),
    [
        (["a", "b", "once", "c", "hangs", "d"], {"hangs": "timeout: no result within 2 s"}),
        (
            ["a", "b", "kills", "c"],
            {"kills": "crash: the process that computed it ended, 3 times"},
        ),
    ],
    ids=["hangs", "kills"],
)
def test_dask_finds_what_kills_and_what_hangs(
    tmp_path: Path, dask: DaskEngine, ids: list[str], reasons: dict[str, str]
) -> None:
    """A worker killed by chance costs nothing; what kills or hangs again is set aside."""
    folder = made_store(tmp_path / "s", ids)
    featurize_store(folder, tmp_path / "out", chosen=FAMILIES, engine=dask, timeout_s=2.0)
    found = table(tmp_path / "out")
    assert list(found.index) == ids
    assert found[found["status"] != "ok"]["reason"].to_dict() == reasons
    # The others have what they have without poison.
    for name in set(ids) - set(reasons):
        assert found.loc[name, "density_g_cm3"] == found.loc["a", "density_g_cm3"]


SCHEDULER = """
import sys
from ionsieve.screening.batch.engines import local_cluster
if __name__ == "__main__":
    with local_cluster(1) as cluster:
        print(cluster.scheduler_address, flush=True)
        sys.stdin.read()
"""


def test_a_scheduler_that_dies_costs_one_line_and_no_result(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed")
    script = tmp_path / "scheduler.py"
    script.write_text(SCHEDULER)
    process = subprocess.Popen(
        [sys.executable, str(script)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    address = process.stdout.readline().strip()
    original, seen = engines._outcome, []

    def kill_after_first(future: Any) -> Any:
        result = original(future)
        seen.append(result)
        os.killpg(process.pid, signal.SIGKILL)
        time.sleep(0.2)
        return result

    monkeypatch.setattr(engines, "_outcome", kill_after_first)
    monkeypatch.setattr(engines, "IN_FLIGHT", 1)
    monkeypatch.setattr(engines, "_WAIT_S", 10.0)
    with (
        pytest.raises(FeatureError, match="run the same command again"),
        opened_engine("dask", 1, scheduler=address) as engine,
    ):
        featurize_store(store, tmp_path / "out", chosen=FAMILIES, engine=engine)
    process.communicate()
    monkeypatch.undo()
    assert len(seen) == 1
    assert len(parquet(tmp_path / "out")) >= 1
    summary = featurize_store(store, tmp_path / "out", chosen=FAMILIES, engine=HereEngine())
    assert summary.reused >= 1
    featurize_store(store, tmp_path / "whole", chosen=FAMILIES, engine=HereEngine())
    assert parquet(tmp_path / "out") == parquet(tmp_path / "whole")
