"""What the INCAR beside an XDATCAR says of its time and temperature.

An XDATCAR says neither. Of its configurations it gives numbers: of MD steps, or of frames, as the
version of VASP will have it; POTIM and NBLOCK of the INCAR make a time of either.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Final

from ..errors import TrajectoryError
from .clock import Clock

INCAR: Final[str] = "INCAR"
_OWN_NAMES: Final = ("XDATCAR", "XDATCAR.gz")
"""VASP's own name: of files that were renamed nobody knows which INCAR was theirs."""
_MOST_BYTES: Final[int] = 1_000_000
_NVE: Final[float] = -3.0
_NUMBER: Final = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eEdD][-+]?\d+)?")


@dataclass(frozen=True, kw_only=True)
class Incar:
    """Tags of an INCAR that concern time and temperature.

    Parameters
    ----------
    step_fs : float or None
        POTIM, fs; None where it is not given, or where frames may be irregular (machine-learned
        runs).
    block : int
        NBLOCK: VASP writes each so many steps.
    start_K, end_K : float or None
        TEBEG and TEEND, K; None without a thermostat, or where TEBEG is not given.
    """

    step_fs: float | None = None
    block: int = 1
    start_K: float | None = None
    end_K: float | None = None

    @property
    def temperature_K(self) -> float | None:
        """Temperature of the thermostat, K; None for a ramp or a run without one."""
        return self.start_K if self.start_K == self.end_K else None

    @property
    def ramp(self) -> str:
        """Remark on a ramp; empty for none."""
        if self.start_K == self.end_K:
            return ""
        return f"the temperature goes from TEBEG {self.start_K:g} K to TEEND {self.end_K:g} K"

    def clock(self, path: Path | str, numbers: Clock, n_frames: int) -> Clock:
        """The clock of an XDATCAR with its numbers counted in MD steps.

        Parameters
        ----------
        path : path
            For messages.
        numbers : Clock
            As the file counts its configurations.
        n_frames : int

        Raises
        ------
        TrajectoryError
            If NBLOCK fits the numbers neither as steps nor as frames.
        """
        steps = list(numbers.steps) or list(range(1, n_frames + 1))
        if self.step_fs is None:
            return numbers
        between = min((b - a for a, b in pairwise(steps) if b > a), default=1)
        if between == 1:
            steps = [self.block * step for step in steps]
        elif between % self.block:
            raise TrajectoryError(
                f"{path}: its configurations are numbered {between} apart, but the INCAR beside it "
                f"has NBLOCK = {self.block}; if that is of another run, move it away"
            )
        return Clock(
            steps=steps,
            step_fs=self.step_fs,
            step_name=f"POTIM = {self.step_fs:g} fs in the INCAR beside it",
            restarts=numbers.restarts,
        )


def incar_beside(path: Path) -> Incar | None:
    """Read the INCAR beside an XDATCAR; None where there is none, or the file is not named so.

    Raises
    ------
    TrajectoryError
        If it is of a relaxation, or a number in it is none.
    """
    beside = path.with_name(INCAR)
    if path.name not in _OWN_NAMES or not beside.is_file():
        return None
    with beside.open("rb") as stream:
        tags = _tags(stream.read(_MOST_BYTES).decode("utf-8", errors="replace"))
    if _number(tags, "IBRION", 0.0, beside) > 0:
        raise TrajectoryError(
            f"{path}: IBRION is not 0 in the INCAR beside it: a relaxation, not molecular dynamics"
        )
    step_fs = _number(tags, "POTIM", 0.0, beside)
    start_K = _number(tags, "TEBEG", 0.0, beside)
    end_K = _number(tags, "TEEND", start_K, beside)
    has_thermostat = start_K > 0 and _number(tags, "SMASS", 0.0, beside) != _NVE
    learned = tags.get("ML_LMLFF", "").lstrip(".").upper().startswith("T")
    return Incar(
        step_fs=step_fs if step_fs > 0 and not learned else None,
        block=max(1, int(_number(tags, "NBLOCK", 1.0, beside))),
        start_K=start_K if has_thermostat else None,
        # VASP takes TEBEG where TEEND is not given.
        end_K=(end_K if end_K > 0 else start_K) if has_thermostat else None,
    )


def _tags(text: str) -> dict[str, str]:
    """Tag → value as text; of a tag given twice VASP takes the first."""
    tags: dict[str, str] = {}
    for line in text.splitlines():
        for part in re.split("[#!]", line)[0].split(";"):
            name, equals, value = part.partition("=")
            if equals:
                tags.setdefault(name.strip().upper(), value.strip())
    return tags


def _number(tags: dict[str, str], name: str, default: float, beside: Path) -> float:
    if name not in tags:
        return default
    words = tags[name].split()
    if not words or not _NUMBER.fullmatch(words[0]):
        raise TrajectoryError(f"{beside}: {name} = {tags[name][:40]!r} is no number; correct it")
    # Fortran writes double precision with a d.
    return float(words[0].lower().replace("d", "e"))


__all__ = ["INCAR", "Incar", "incar_beside"]
