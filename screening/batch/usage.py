"""What a run costs: CPU time and peak memory of this process and of all its workers.

``time`` of a shell sees a third of it: workers are children of the server that they are forked
from, and are never waited for by the process that was started.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MB_OF_MAXRSS = 1e-6 if sys.platform == "darwin" else 1.024e-3


@dataclass(frozen=True)
class Usage:
    """CPU time (s) and largest resident memory (MB, 10⁶ bytes) of one process."""

    cpu_s: float = 0.0
    peak_MB: float = 0.0


@dataclass
class _Workers:
    """Sum of the workers that ended; the memory is that of the largest."""

    cpu_s: float = 0.0
    peak_MB: float = 0.0

    def add(self, usage: Usage) -> None:
        self.cpu_s += usage.cpu_s
        self.peak_MB = max(self.peak_MB, usage.peak_MB)


ENDED_WORKERS = _Workers()
"""Of this process, since it began."""


def own_usage() -> Usage:
    """Of the process that asks; zero memory where the system does not tell."""
    try:
        import resource
    except ImportError:
        return Usage(time.process_time())
    found = resource.getrusage(resource.RUSAGE_SELF)
    return Usage(found.ru_utime + found.ru_stime, found.ru_maxrss * _MB_OF_MAXRSS)


def server_cpu_s() -> float:
    """CPU time of the children of this process that still run: the server of the workers.

    Zero where there is no ``/proc``.
    """
    total, ticks = 0.0, os.sysconf("SC_CLK_TCK") if hasattr(os, "sysconf") else 100
    for task in Path("/proc/self/task").glob("*/children"):
        for child in task.read_text().split():
            try:
                # Behind the name, which may hold blanks: state is field 3, user time field 14.
                fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            total += (int(fields[11]) + int(fields[12])) / ticks
    return total


class Meter:
    """CPU time and wall time by stage, of this process and its workers together."""

    def __init__(self) -> None:
        self.stages: dict[str, dict[str, float]] = {}
        self._name = ""
        self._began = (0.0, 0.0)

    def stage(self, name: str) -> None:
        """The stage before ends, another begins."""
        now = (_all_cpu_s(), time.perf_counter())
        if self._name:
            spent = self.stages.setdefault(self._name, {"cpu_s": 0.0, "wall_s": 0.0})
            for key, before, after in zip(spent, self._began, now, strict=True):
                spent[key] = round(spent[key] + after - before, 3)
        self._name, self._began = name, now

    def cost(self) -> dict[str, Any]:
        """Plain values: everything until now, with the stages."""
        self.stage("")
        own = own_usage()
        return {
            "cpu_s": round(_all_cpu_s(), 3),
            "cpu_main_s": round(own.cpu_s, 3),
            "cpu_workers_s": round(ENDED_WORKERS.cpu_s, 3),
            "peak_memory_MB": round(max(own.peak_MB, ENDED_WORKERS.peak_MB), 1),
            "peak_memory_main_MB": round(own.peak_MB, 1),
            "peak_memory_worker_MB": round(ENDED_WORKERS.peak_MB, 1),
            "stages": self.stages,
        }


def _all_cpu_s() -> float:
    return own_usage().cpu_s + ENDED_WORKERS.cpu_s + server_cpu_s()
