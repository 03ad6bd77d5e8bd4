"""How the polyanions of a run turn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from ...data.records import FloatArray
from ...features.motion.groups import Group
from ...features.motion.rotation import (
    orientation_entropy,
    rotation_time,
    rotational_autocorrelation,
    spoke_directions,
    spokes_of,
)
from .anions import formula_of
from .distributions import lags_in_frames
from .framed import FramedRun


def rotation_measures(
    run: FramedRun, groups: Sequence[Group], notes: list[str]
) -> tuple[dict[str, object], dict[str, object]]:
    """Orientation entropy and correlation time, of all polyanions and by formula.

    Parameters
    ----------
    run : FramedRun
    groups : sequence of Group
        Finite bonded groups, from :func:`~ionsieve.screening.trajectory.anions.host_groups`.
    notes : list of str

    Returns
    -------
    columns, curves : dict
    """
    columns: dict[str, object] = {
        "n_polyanions": len(groups),
        "orientation_entropy_kB": None,
        "orientation_entropy_relative": None,
        "rotational_autocorrelation": None,
        "rotation_time": None,
        "polyanions": {},
    }
    if not groups:
        notes.append("no polyanion: no finite group of bonded atoms in the host")
        return columns, {}
    by_formula: dict[str, list[Group]] = {}
    for group in groups:
        by_formula.setdefault(formula_of(run, group), []).append(group)
    parts = {formula: _rotation(run, own) for formula, own in sorted(by_formula.items())}
    largest = max(parts, key=lambda f: len(by_formula[f]))
    columns |= {k: v for k, v in parts[largest][0].items() if k != "n"}
    columns["polyanions"] = {formula: own for formula, (own, _) in parts.items()}
    return columns, {formula: curve for formula, (_, curve) in parts.items()}


def _rotation(
    run: FramedRun, groups: Sequence[Group]
) -> tuple[dict[str, object], dict[str, object]]:
    spokes = spokes_of(groups, run.z)
    directions: FloatArray = spoke_directions(run.frac, run.lattice, spokes)
    entropy, relative = orientation_entropy(directions)
    memory = rotational_autocorrelation(directions)
    lags = lags_in_frames(run)
    shown = np.unique(np.linspace(0, (len(memory) - 1) // 2, 60).round().astype(int))
    return {
        "n": len(groups),
        "orientation_entropy_kB": entropy,
        "orientation_entropy_relative": relative,
        "rotational_autocorrelation": {
            f"{lag:g}": float(memory[k]) if k < len(memory) else None for lag, k in lags.items()
        },
        "rotation_time": asdict(rotation_time(directions, spokes.body, run.frame_spacing_fs)),
    }, {
        "lag_ps": (shown * run.frame_spacing_fs / 1000.0).tolist(),
        "correlation": memory[shown].tolist(),
    }
