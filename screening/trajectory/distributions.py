"""Distributions of one run beyond their means: single ions, wells around sites, van Hove."""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

import numpy as np

from ...data.records import FloatArray, IntArray
from ...features.motion.angles import distance_from_sites, shell_volumes, well
from ...features.motion.displacements import (
    distinct_van_hove,
    gini,
    ion_msd,
    non_gaussian_parameter,
    self_van_hove,
)
from ...features.motion.shape import shape_of
from .framed import FramedRun
from .sites import SiteSet

LAGS_PS: Final[tuple[float, ...]] = (1.0, 5.0, 10.0, 20.0)
VAN_HOVE_BIN_A: Final[float] = 0.2
WELL_EDGES_A: Final[FloatArray] = np.arange(0.0, 3.01, 0.1)
ION_EDGES_A: Final[FloatArray] = np.arange(0.0, 15.01, 0.5)


def lags_in_frames(run: FramedRun) -> dict[float, int]:
    """Reported lags, ps, as frames."""
    return {lag: round(lag * 1000.0 / run.frame_spacing_fs) for lag in LAGS_PS}


def motion_measures(run: FramedRun) -> tuple[dict[str, object], dict[str, object]]:
    """Non-Gaussian parameter, single ions, van Hove functions: columns, and curves."""
    n, lags = len(run.positions_A), lags_in_frames(run)
    single, curve = _single_ions(run)
    return {
        "non_gaussian_parameter": {
            f"{lag:g}": (
                non_gaussian_parameter(run.positions_A, k) if 0 < k < n and n > 1 else None
            )
            for lag, k in lags.items()
        },
        **single,
        "van_hove": van_hove(run, {lag: k for lag, k in lags.items() if 0 < k < n}),
    }, curve


def _single_ions(run: FramedRun) -> tuple[dict[str, object], dict[str, object]]:
    """How far single ions move within half of the run: inequality and distribution."""
    half = max(1, (len(run.positions_A) - 1) // 2)
    moved = np.sqrt(ion_msd(run.positions_A, half))
    shape = shape_of(moved)
    quantiles = np.quantile(moved, (0.1, 0.5, 0.9))
    return {
        "single_ion_gini": gini(moved**2),
        "single_ion_displacement": {
            "lag_ps": half * run.frame_spacing_fs / 1000.0,
            "p10_A": float(quantiles[0]),
            "median_A": float(quantiles[1]),
            "p90_A": float(quantiles[2]),
            **({} if shape is None else asdict(shape)),
        },
    }, {
        "edges_A": ION_EDGES_A.tolist(),
        "share": (np.histogram(moved, ION_EDGES_A)[0] / len(moved)).tolist(),
    }


def well_measures(
    run: FramedRun, sites: SiteSet, assignment: IntArray
) -> tuple[dict[str, object], dict[str, object]]:
    """Distance of ions from their sites by site type: shape, and free energy (W21, Fig. 5c)."""
    distance = distance_from_sites(run.mobile_frac, sites.frac, assignment, run.lattice)
    kinds = np.array(sites.kind)[assignment]
    volumes = shell_volumes(sites.frac, run.lattice, WELL_EDGES_A)
    columns: dict[str, object] = {}
    curves: dict[str, object] = {
        "r_A": ((WELL_EDGES_A[1:] + WELL_EDGES_A[:-1]) / 2.0).tolist(),
        "all": _curve(well(distance, volumes, WELL_EDGES_A)),
    }
    for kind in ["all", *sorted(set(sites.kind))]:
        own = distance if kind == "all" else distance[kinds == kind]
        shape = shape_of(own)
        if shape is not None:
            columns[kind] = {f"distance_{k}": v for k, v in asdict(shape).items()}
    return columns, curves


def _curve(values: FloatArray) -> list[float | None]:
    return [float(v) if np.isfinite(v) else None for v in values]


def van_hove(run: FramedRun, lags: dict[float, int]) -> dict[str, object]:
    """4πr² G_s in 1/Å and G_d over its long-distance limit, by lag in ps."""
    heights = 1.0 / np.linalg.norm(np.linalg.inv(run.lattice), axis=0)
    edges = np.arange(0.0, 10.0 + VAN_HOVE_BIN_A / 2, VAN_HOVE_BIN_A)
    # Nearest images are all images only within half of the cell.
    inner = edges[edges <= 0.5 * heights.min()]
    pairs = run.n_mobile > 1 and len(inner) > 1
    return {
        "r_self_A": ((edges[1:] + edges[:-1]) / 2.0).tolist(),
        "self_per_A": {
            f"{lag:g}": self_van_hove(run.positions_A, k, edges).tolist() for lag, k in lags.items()
        },
        "r_distinct_A": ((inner[1:] + inner[:-1]) / 2.0).tolist(),
        "distinct": {
            f"{lag:g}": distinct_van_hove(run.mobile_frac, run.lattice, k, inner).tolist()
            for lag, k in lags.items()
        }
        if pairs
        else {},
    }
