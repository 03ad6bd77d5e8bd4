"""The short form of ``make fuzz``: no spoiled input ends as a defect, whoever reads it.

Here the readers run in the test's own process; hangs, memory and signals are for the long form
(``benchmarks/fuzz.py``), which runs each input in a process that may die.
"""

import random
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"
N_EACH = 12
SEED = 2


@pytest.fixture(scope="module")
def fuzz():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        import fuzz as module

        yield module
        for name in ("fuzz", "fuzz_inputs"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def seeds(fuzz, tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    fuzz.write_seeds(folder)
    return folder


def kinds() -> list[str]:
    """Kinds by name, so that each is a test of its own."""
    return [
        "a.cif", "b.cif", "c.cif.gz", "POSCAR", "a.extxyz", "a.jsonl", "a.json", "a.json.bz2",
        "a.parquet", "a.zip", "a.db", "XDATCAR", "XDATCAR.gz", "a.lammpstrj", "b.dump.gz",
        "md-pos-1.xyz", "md.extxyz", "vasprun.xml", "a.npz", "labels.csv", "points.csv",
        "compositions.csv", "settings.yaml", "settings.toml", "filters.yaml", "entries.json",
        "model/model.json", "model/domain.parquet", "campaign/campaign.sqlite",
        "jobs/checkpoint.npz", "jobs/frames.jsonl", "jobs/run-1.ener",
    ]  # fmt: skip


@pytest.mark.parametrize("kind", kinds())
def test_a_sound_input_is_accepted_and_spoiled_ones_do_no_harm(fuzz, seeds, tmp_path, kind):
    outcomes = []
    for number in range(N_EACH):
        path = fuzz.input_of(kind, number, SEED, seeds, tmp_path / "input")
        outcomes.append(fuzz.outcome_of(kind, path))
    assert outcomes[0] == ("accepted", "")
    assert [one for one in outcomes if one[0] not in fuzz.GOOD] == []


def test_every_kind_is_tried(fuzz):
    # The two kinds whose reading runs compiled code of strangers' trees have tests of their own.
    assert set(fuzz.TARGETS) - set(kinds()) == {"model/extra_trees.skops", "model/xgboost.ubj"}


def test_inputs_follow_from_their_number(fuzz, seeds, tmp_path):
    for kind in ("a.cif", "c.cif.gz", "a.npz"):
        path = fuzz.input_of(kind, 5, SEED, seeds, tmp_path / "one")
        again = fuzz.input_of(kind, 5, SEED, seeds, tmp_path / "two")
        other = fuzz.input_of(kind, 6, SEED, seeds, tmp_path / "three")
        assert path.read_bytes() == again.read_bytes() != other.read_bytes()


def test_a_worker_that_dies_or_hangs_is_counted(fuzz, seeds, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "HANG_S", 0.5)
    program = (
        "import os, sys, time\n"
        "for line in sys.stdin:\n"
        "    kind, number = line.split()\n"
        "    if number == '1': os.kill(os.getpid(), 11)\n"
        "    if number == '3': time.sleep(60)\n"
        '    print(\'["accepted", "", 0.0]\', flush=True)\n'
    )
    made = fuzz.Worker.__init__

    def init(self, *given):
        made(self, *given)
        self.line = [sys.executable, "-c", program]

    monkeypatch.setattr(fuzz.Worker, "__init__", init)
    jobs = (("a.cif", number) for number in range(5))
    counts = fuzz.run(jobs, 0, 1, seeds, None)
    assert counts == {"a.cif": {"accepted": 3, "signal": 1, "hang": 1}}
    last = fuzz.table(counts).splitlines()[-1]
    assert last.split()[1:] == list("53000101")


def test_ways_to_spoil_give_bytes(fuzz):
    from fuzz_inputs import spoiled

    rng = random.Random(0)
    for content in (b"", b"\n", b"a 1\n", bytes(range(256))):
        for _ in range(200):
            assert isinstance(spoiled(content, rng), bytes)
