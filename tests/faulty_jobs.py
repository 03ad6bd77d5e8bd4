"""Jobs for workers that go wrong in every way; importable by name in the worker processes."""

import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ionsieve.data.sources.paths import SourceFile
from ionsieve.screening.batch.reading import Entry, FileToRead


@dataclass(frozen=True)
class Faulty:
    """Squares numbers; a few of them are traps."""

    counter: str
    preload: tuple[str, ...] = ()

    def warm_up(self) -> None:
        pass

    def __call__(self, item: int) -> tuple[int, int]:
        with Path(self.counter).open("a") as file:
            file.write(f"{item}\n")
        trap = {13: _hang, 17: _crash, 19: _run_out_of_memory, 23: _exit, 29: _raise}
        trap.get(item, _pass)()
        return item * item, os.getpid()


@dataclass(frozen=True)
class Hungry(Faulty):
    """Needs 10⁸ bytes for each unit."""

    def __call__(self, item: int) -> tuple[int, int]:
        return len(bytearray(item * 100_000_000)), os.getpid()


@dataclass(frozen=True)
class DiesOnce(Faulty):
    """Is killed the first time it sees 5, as by the kernel when others take the memory."""

    def __call__(self, item: int) -> tuple[int, int]:
        seen = Path(self.counter).read_text().split() if Path(self.counter).exists() else []
        with Path(self.counter).open("a") as file:
            file.write(f"{item}\n")
        if item == 5 and "5" not in seen:
            os.kill(os.getpid(), signal.SIGKILL)
        return item * item, os.getpid()


@dataclass(frozen=True)
class CannotStart(Faulty):
    def warm_up(self) -> None:
        raise ImportError("no module named 'physics'")


@dataclass(frozen=True)
class DiesAtStart(Faulty):
    def warm_up(self) -> None:
        os._exit(3)


class FileTrap(FileToRead):
    """Stands for a file whose reader hangs, crashes or takes all memory."""

    def entries(self) -> list[Entry]:
        if self.identifier == "LiF":
            time.sleep(1000)
        if self.identifier == "LiCl":
            ctypes.string_at(0)
        if self.identifier == "Li2S":
            bytearray(10_000_000_000)
        return super().entries()


class SourceFileTrap(SourceFile):
    """The same for a file of a source."""

    def entries(self, skip: int = 0) -> Iterator[Entry]:
        if self.identifier == "LiF":
            time.sleep(1000)
        if self.identifier == "LiCl":
            ctypes.string_at(0)
        return super().entries(skip)


def _pass() -> None:
    pass


def _hang() -> None:
    # Signals are ignored like in a compiled kernel, which listens to nothing less than SIGKILL.
    signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals) - {signal.SIGKILL})
    time.sleep(1000)


def _crash() -> None:
    ctypes.string_at(0)


def _run_out_of_memory() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _exit() -> None:
    os._exit(7)


def _raise() -> None:
    raise ValueError("a\nproblem")
