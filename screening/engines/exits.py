"""How a job's script ended: its exit status, and what that says about the cause."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from ..jobs.failures import Cause, Failure

EXIT_CODE: Final[str] = "exit_code"
SAID: Final[str] = "job.err"
STARTED: Final[str] = "started"
STOP: Final[str] = "stop.json"
"""Written when a run has shown enough: what is there counts as the whole of it."""
NO_PSEUDOPOTENTIAL: Final[int] = 78
"""Exit status of job scripts that miss a pseudopotential (EX_CONFIG of sysexits.h)."""
_OUTSIDE: Final[frozenset[int]] = frozenset({1, 2, 3, 9, 10, 12, 14, 15, 24})
"""HUP, INT, QUIT, KILL, USR1, USR2, ALRM, TERM and XCPU come from a person, a scheduler or the
kernel; other signals are the program's own fault."""


def tail(path: Path, size: int = 20_000) -> str:
    """The end of a text file; empty where it is absent."""
    if not path.exists():
        return ""
    with path.open("rb") as stream:
        stream.seek(0, 2)
        stream.seek(max(0, stream.tell() - size))
        return stream.read().decode("utf-8", errors="replace")


def exit_status(folder: Path) -> int | None:
    """Status that the script left; None while it runs, or where it was killed without a trace."""
    text = tail(folder / EXIT_CODE).strip()
    if not text:
        return None
    # What is not a number was damaged: no end that anybody planned.
    return int(text) if text.isdecimal() else 255


def exit_failure(
    folder: Path, name: str, status: int, n_steps: int, outputs: Sequence[str] = ()
) -> Failure:
    """The cause behind a status that is not 0.

    Parameters
    ----------
    folder : path
    name : str
        The engine's name.
    status : int
    n_steps : int
        Steps done.
    outputs : sequence of str
        Files whose last line may say why.
    """
    said = _last_line([folder / SAID, *(folder / output for output in outputs)])
    if status in (126, 127):
        return Failure(Cause.NO_PROGRAM, said or f"{name}: the program was not found")
    if status == NO_PSEUDOPOTENTIAL:
        return Failure(Cause.NO_PSEUDOPOTENTIAL, said or f"{name}: a pseudopotential is missing")
    number = status - 128
    if number in _OUTSIDE:
        return Failure(
            Cause.SIGNAL,
            f"ended by signal {number} ({_signal_name(number)}) after {n_steps} steps; "
            f"{_who(number)}; it goes on when submitted again",
        )
    more = f": {said}" if said else ""
    if number > 0 and _signal_name(number):
        name_of = _signal_name(number)
        return Failure(Cause.CRASH, f"{name} crashed ({name_of}) after {n_steps} steps{more}")
    return Failure(Cause.CRASH, f"{name} ended with status {status} after {n_steps} steps{more}")


def _who(number: int) -> str:
    if number == signal.SIGKILL:
        return "the memory guard, a scheduler or a person"
    return "a walltime limit or a person"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return ""


def _last_line(paths: Sequence[Path]) -> str:
    for path in paths:
        lines = [line.strip() for line in tail(path, 4_000).splitlines() if line.strip()]
        if lines:
            return lines[-1].removeprefix("ionsieve: ")[:300]
    return ""
