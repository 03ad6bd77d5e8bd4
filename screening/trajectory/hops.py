"""Jump events of a run: rates, directions, hot spots in space and time, a table and a map."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from ...data.atomic import write_rows_atomic, write_text_atomic
from ...data.errors import InputError
from ...data.records import FloatArray
from ...features.motion.density import cube_text, probability_density
from ...features.motion.jumps import (
    Jumps,
    jump_space_time_correlation,
    neighbouring_jump_cosine,
    successive_jump_cosine,
)
from .framed import FramedRun
from .sites import SiteSet

HOT_SPOT_A: Final[float] = 4.0
HOT_SPOT_PS: Final[float] = 2.0
HOT_SPOT_EDGES_A: Final[FloatArray] = np.array([0.0, 2.0, 4.0, 6.0, 8.0])
HOT_SPOT_EDGES_PS: Final[FloatArray] = np.array([0.0, 0.5, 1.0, 2.0, 4.0])
EVENT_COLUMNS: Final[tuple[str, ...]] = (
    *("time_ps", "ion", "from_site", "to_site", "from_type", "to_type"),
    *("length_A", "x_A", "y_A", "z_A"),
)


def jump_measures(run: FramedRun, jumps: Jumps) -> dict[str, object]:
    """Rates, directions and hot spots.

    Returns
    -------
    dict
        ``hot_spots`` holds the number of jumps at a distance and a time from a jump of another
        ion over its long-time limit: within 2 ps by distance, and by distance and time.
    """
    ion_ps = run.n_mobile * (len(run.frac) - 1) * run.frame_spacing_fs / 1000.0
    back = successive_jump_cosine(jumps)
    window = run.frames(HOT_SPOT_PS)
    beside = neighbouring_jump_cosine(jumps, run.lattice, HOT_SPOT_A, window)
    near = _correlation(run, jumps, np.array([0.0, HOT_SPOT_A]), np.array([0, window]))
    return {
        "n_jumps": len(jumps),
        "jump_rate_per_ion_ps": len(jumps) / ion_ps,
        "successive_jump_cosine": float(back.mean()) if len(back) else None,
        "neighbouring_jump_cosine": float(beside.mean()) if len(beside) else None,
        "jump_correlation_4A_2ps": None if near is None else near[0][0],
        "hot_spots": _hot_spots(run, jumps),
    }


def _hot_spots(run: FramedRun, jumps: Jumps) -> dict[str, object] | None:
    window = run.frames(HOT_SPOT_PS)
    by_distance = _correlation(run, jumps, HOT_SPOT_EDGES_A, np.array([0, window]))
    if by_distance is None:
        return None
    edges = np.unique([0, *(run.frames(t) for t in HOT_SPOT_EDGES_PS[1:])])
    names = [f"{a:g}-{b:g} A" for a, b in itertools.pairwise(HOT_SPOT_EDGES_A)]
    return {
        "within_2ps": dict(zip(names, by_distance[0], strict=True)),
        "edges_A": HOT_SPOT_EDGES_A.tolist(),
        "edges_ps": (edges * run.frame_spacing_fs / 1000.0).tolist(),
        "table": _correlation(run, jumps, HOT_SPOT_EDGES_A, edges),
    }


def _correlation(
    run: FramedRun, jumps: Jumps, edges_A: FloatArray, edges_frames: FloatArray
) -> list[list[float | None]] | None:
    """g(r, t), None where the run is too short or a bin of the limit is empty."""
    if len(jumps) < 2 or 3 * int(edges_frames[-1]) >= len(run.frac):
        return None
    table = jump_space_time_correlation(
        jumps, run.lattice, edges_A, np.asarray(edges_frames, dtype=np.int64)
    )
    return [[float(v) if np.isfinite(v) else None for v in row] for row in table]


def write_jumps(path: str | Path, run: FramedRun, sites: SiteSet, jumps: Jumps) -> None:
    """Write where and when ions jumped.

    Parameters
    ----------
    path : path
        ``.csv``: one row an event; ``.cube``: density of the jumps' midpoints, for a viewer.
    run : FramedRun
    sites : SiteSet
    jumps : Jumps
        Between these sites.

    Raises
    ------
    InputError
        If the name ends otherwise.
    """
    ending = Path(path).suffix.lower()
    if ending == ".csv":
        write_rows_atomic(path, _events(run, sites, jumps))
    elif ending == ".cube":
        places = jumps.midpoint_frac[None] if len(jumps) else np.full((1, 1, 3), np.nan)
        density = (
            probability_density(places, run.lattice, 0.3, smear_A=0.4)
            if len(jumps)
            else np.zeros((2, 2, 2))
        )
        write_text_atomic(path, cube_text(density, run.lattice, run.host_species, run.host_frac))
    else:
        raise InputError(f"{path}: jumps are written as .csv (events) or .cube (where they happen)")


def _events(run: FramedRun, sites: SiteSet, jumps: Jumps) -> Iterator[Sequence[object]]:
    yield EVENT_COLUMNS
    folded = jumps.midpoint_frac - np.floor(jumps.midpoint_frac)
    places = folded @ run.lattice
    lengths = np.linalg.norm(jumps.vector_A, axis=1)
    for k in range(len(jumps)):
        origin, target = int(jumps.origin[k]), int(jumps.target[k])
        yield (
            f"{jumps.frame[k] * run.frame_spacing_fs / 1000.0:.4f}",
            int(jumps.ion[k]) + 1,
            origin + 1,
            target + 1,
            sites.kind[origin],
            sites.kind[target],
            f"{lengths[k]:.3f}",
            *(f"{x:.3f}" for x in places[k]),
        )
