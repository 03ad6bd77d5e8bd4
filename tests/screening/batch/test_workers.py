"""Isolated workers: what hangs or dies is reported, everything else is computed, once."""

import multiprocessing
import os
import subprocess
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from faulty_jobs import CannotStart, DiesAtStart, DiesOnce, Faulty, Hungry
from ionsieve.data import FeatureError
from ionsieve.screening.batch.workers import ItemOutcome, run_isolated


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    return tmp_path / "counter"


def _run(job: Faulty, numbers: list[int], workers: int, timeout_s: float) -> dict[int, ItemOutcome]:
    outcomes = list(run_isolated(job, enumerate(numbers), workers, timeout_s))
    assert len({o.index for o in outcomes}) == len(outcomes)
    return {numbers[o.index]: o for o in outcomes}


@pytest.mark.parametrize("workers", [1, 2])
def test_traps_take_nothing_with_them(counter: Path, workers: int) -> None:
    numbers = list(range(40))
    found = _run(Faulty(str(counter)), numbers, workers, timeout_s=2.0)
    assert sorted(found) == numbers
    reasons = {n: o.failure for n, o in found.items() if o.failure}
    assert reasons == {
        13: "timeout: no result within 2 s",
        17: "crash: the worker process was ended by SIGSEGV, 2 times",
        19: "crash: the worker process was ended by SIGKILL (out of memory?), 2 times",
        23: "crash: the worker process ended with code 7, 2 times",
        29: "ValueError: a problem",
    }
    assert all(o.result[0] == n * n for n, o in found.items() if not o.failure)
    computed = Counter(int(n) for n in counter.read_text().split())
    # Only what killed its worker was started twice.
    assert {n for n, count in computed.items() if count > 1} == {17, 19, 23}
    assert max(computed.values()) == 2


def test_what_needs_too_much_memory_is_refused_and_its_worker_goes_on(counter: Path) -> None:
    found = list(run_isolated(Hungry(str(counter)), enumerate([1, 20, 1]), 1, 60.0, memory_GB=1.0))
    assert [o.failure for o in found] == ["", "memory: needs more than 1 GB", ""]
    assert found[0].result == found[2].result == (100_000_000, found[0].result[1])


def test_items_that_depend_on_outcomes_wait_for_them(counter: Path) -> None:
    """Each number is handed out when the square of the one before has come back."""
    squares: list[int] = []

    def items() -> Iterator[tuple[int, int] | None]:
        for number in range(4):
            while len(squares) < number:
                yield None
            yield number, number

    for outcome in run_isolated(Faulty(str(counter)), items(), 2, 60.0):
        squares.append(outcome.result[0])
    assert squares == [0, 1, 4, 9]


def test_an_item_whose_worker_was_killed_by_chance_is_computed(counter: Path) -> None:
    found = _run(DiesOnce(str(counter)), list(range(10)), workers=1, timeout_s=60.0)
    assert [found[n].result[0] for n in range(10)] == [n * n for n in range(10)]


def test_workers_stay_alive_between_items(counter: Path) -> None:
    found = _run(Faulty(str(counter)), list(range(12)), workers=2, timeout_s=60.0)
    assert 1 <= len({o.result[1] for o in found.values()}) <= 2
    assert os.getpid() not in {o.result[1] for o in found.values()}


def test_items_are_read_no_further_ahead_than_needed(counter: Path) -> None:
    taken = []

    def items() -> object:
        for number in range(10_000):
            taken.append(number)
            yield number, number

    outcomes = run_isolated(Faulty(str(counter)), items(), 1, 60.0)  # type: ignore[arg-type]
    next(outcomes)
    assert len(taken) <= 3
    outcomes.close()
    time.sleep(0.1)
    assert not multiprocessing.active_children()


def test_a_worker_that_cannot_start_is_an_error_that_says_why(counter: Path) -> None:
    with pytest.raises(FeatureError, match="cannot start: ImportError: no module named 'physics'"):
        _run(CannotStart(str(counter)), [1, 2], 2, 60.0)
    with pytest.raises(FeatureError, match="ended with code 3 three times"):
        _run(DiesAtStart(str(counter)), [1, 2], 1, 60.0)


def test_nothing_to_do_starts_nothing(counter: Path) -> None:
    assert _run(Faulty(str(counter)), [], 4, 60.0) == {}
    assert not multiprocessing.active_children()


SCRIPT = """\
import sys
from pathlib import Path

from ionsieve.data.records import Provenance, StructureRecord
from ionsieve.screening.batch.batch import featurize_isolated

with Path("starts").open("a") as file:
    file.write("started\\n")
crystals = [
    StructureRecord.ordered(
        f"LiF-{i}",
        [[0.0, a, a], [a, 0.0, a], [a, a, 0.0]],
        ["Li", "F"],
        [[0.0, 0.0, 0.0], [0.5, 0.5, 0.5]],
        Provenance(source="test"),
    )
    for i, a in enumerate((2.0, 2.1, 2.2))
]
rows = featurize_isolated(crystals, ["density", "composition"], workers=2)
print(*(round(row.values["volume_per_atom_A3"], 3) for row in rows))
"""


def started(folder: Path, *command: str, stdin: str | None = None) -> str:
    run = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        input=stdin,
        capture_output=True,
        text=True,
        timeout=1500,
    )
    assert run.returncode == 0, run.stderr
    assert run.stderr == ""
    return run.stdout


@pytest.mark.parametrize("way", ["script", "module", "stdin", "-c"])
def test_a_plain_script_needs_no_main_guard(tmp_path: Path, way: str) -> None:
    """A user's script runs once, however it is started; workers do not import it."""
    (tmp_path / "study.py").write_text(SCRIPT)
    command = {"script": ["study.py"], "module": ["-m", "study"], "stdin": [], "-c": ["-c", SCRIPT]}
    printed = started(tmp_path, *command[way], stdin=SCRIPT if way == "stdin" else None)
    assert printed == "8.0 9.261 10.648\n"
    assert (tmp_path / "starts").read_text() == "started\n"


def test_the_main_module_is_hidden_only_while_a_worker_starts(counter: Path) -> None:
    before = sys.modules["__main__"]
    _run(Faulty(str(counter)), [1, 2], 1, 60.0)
    assert sys.modules["__main__"] is before


def test_a_fork_of_a_process_that_had_workers_has_workers(counter: Path) -> None:
    """Also twice: the fork server of the parent is not its child, and stays the parent's."""
    assert _squares(counter) == [1, 4]
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            code = 0 if _squares(counter) == _squares(counter) == [1, 4] else 2
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert _squares(counter) == [1, 4]


def _squares(counter: Path) -> list[int]:
    found = _run(Faulty(str(counter)), [1, 2], 1, timeout_s=60.0)
    return [found[n].result[0] for n in (1, 2)]
